"""And more."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    op.execute("INSERT INTO nowhere VALUES (1)")
