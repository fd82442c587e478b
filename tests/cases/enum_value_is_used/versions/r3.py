"""Rows that use it."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    op.execute("INSERT INTO moods VALUES (2, 'ill')")
