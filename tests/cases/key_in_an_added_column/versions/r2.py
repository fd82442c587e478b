"""Guests have a host."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("guests") as batch:
        batch.add_column(sa.Column("host", sa.Integer(), sa.ForeignKey("people.id", name="guests_host")))
    op.execute("UPDATE guests SET host = id + 76")
