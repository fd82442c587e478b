"""The same once more, copied to begin with."""

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    """Nothing yet."""
