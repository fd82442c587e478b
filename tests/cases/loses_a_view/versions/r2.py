"""No addresses."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("ALTER TABLE people DROP COLUMN email CASCADE")
