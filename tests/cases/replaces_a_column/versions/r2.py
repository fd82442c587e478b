"""An address in place of the old one."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.add_column("people", sa.Column("address", sa.String(80)))
    op.execute("ALTER TABLE people DROP COLUMN email")
