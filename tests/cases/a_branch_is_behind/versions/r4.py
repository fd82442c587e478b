"""Both."""

revision, down_revision = "r4", ("r2", "r3")


def upgrade() -> None:
    pass
