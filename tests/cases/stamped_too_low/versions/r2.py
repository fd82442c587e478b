"""Births."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.create_index("people_born", "people", ["name"])
