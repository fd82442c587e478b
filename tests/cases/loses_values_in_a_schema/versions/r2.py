"""Grades are whole."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.alter_column("people", "grade", schema="staff", type_=sa.Integer())
