"""Needs the plug-ins."""

from alembic import op

revision, down_revision = "r2", "r1"
depends_on = "b1"


def upgrade() -> None:
    op.execute("INSERT INTO plugins VALUES (1)")
