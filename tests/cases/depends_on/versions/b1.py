"""What plug-ins share."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "b1", None
branch_labels = ("plugins",)


def upgrade() -> None:
    op.create_table("plugins", sa.Column("id", sa.Integer, primary_key=True))
