"""Pets go."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("DELETE FROM pets")
