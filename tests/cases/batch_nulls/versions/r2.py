"""Longer names."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("people") as batch:
        batch.alter_column("name", type_=sa.String(80))
