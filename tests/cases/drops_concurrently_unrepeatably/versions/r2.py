"""An index away, beside the application."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("people_name", postgresql_concurrently=True)
