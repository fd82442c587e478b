"""Both."""

from alembic import op

revision, down_revision = "r4", ("r2", "r3")


def upgrade() -> None:
    op.create_index("people_born", "people", ["born"])
