"""A unique index beside the application."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("people_name", "people", ["name"], unique=True, postgresql_concurrently=True)
