"""Another team."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r3", "r1"


def upgrade() -> None:
    op.add_column("pets", sa.Column("note", sa.Text()))
