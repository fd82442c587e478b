"""Longer notes."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("bills") as batch:
        batch.alter_column("note", type_=sa.String(80))
