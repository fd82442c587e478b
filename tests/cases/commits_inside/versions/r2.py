"""Addresses in small letters, at once."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("UPDATE people SET email = lower(email)")
    op.get_bind().commit()
    op.execute("INSERT INTO nowhere VALUES (1)")
