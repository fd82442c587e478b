"""Who has neither address nor pet goes."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("DELETE FROM people WHERE id = 3")
