"""A column with its values, in a transaction."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.add_column("people", sa.Column("born", sa.Date))
    op.execute("UPDATE people SET born = '1815-12-10'")
