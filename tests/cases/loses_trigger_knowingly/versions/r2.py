"""Longer names; nobody reads what was told."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"
upkeep_loses = ["trigger people_told of people is gone"]


def upgrade() -> None:
    with op.batch_alter_table("people") as batch:
        batch.alter_column("name", type_=sa.String(80))
