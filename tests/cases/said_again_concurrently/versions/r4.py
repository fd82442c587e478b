"""Rows that use the value."""

from alembic import op

revision, down_revision = "r4", "r3"


def upgrade() -> None:
    op.execute("INSERT INTO moods VALUES (2, 'ill')")
