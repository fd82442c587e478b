"""Pets are no business of ours."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.drop_table("pets")
