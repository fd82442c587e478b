"""Three steps."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.add_column("people", sa.Column("born", sa.Date()))
    op.execute("UPDATE people SET email = lower(email)")
    op.execute("INSERT INTO people (id, name) VALUES (1, 'Ada again')")
