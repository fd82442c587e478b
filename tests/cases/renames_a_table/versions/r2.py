"""Pets are animals."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.rename_table("pets", "animals")
