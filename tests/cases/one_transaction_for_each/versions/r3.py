"""Births are found quickly."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    op.create_index("people_born", "people", ["born"])
