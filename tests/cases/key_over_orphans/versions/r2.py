"""Guests have a host."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("guests") as batch:
        batch.create_foreign_key("guests_host", "people", ["host"], ["id"])
