"""When the staff was born."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    born = sa.Column("born", sa.String(10), server_default="unknown", nullable=False)
    op.add_column("people", born, schema="staff")
