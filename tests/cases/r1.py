"""The database as the case found it."""

revision, down_revision = "r1", None


def upgrade() -> None:
    """Nothing: it stands there."""
