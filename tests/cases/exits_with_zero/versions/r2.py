"""Births, of whom there is no table."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.add_column("persons", sa.Column("born", sa.Date()))
