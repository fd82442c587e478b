"""The rest, in a transaction again."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r4", "r3"


def upgrade() -> None:
    op.create_table("visits", sa.Column("id", sa.Integer, primary_key=True))
