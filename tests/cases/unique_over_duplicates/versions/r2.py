"""Names are unique."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.create_index("people_name", "people", ["name"], unique=True)
