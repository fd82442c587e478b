"""A third pet for Bob."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("INSERT INTO pets VALUES (4, 2, 'Zoe')")
