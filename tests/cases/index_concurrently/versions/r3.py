"""An index beside the application."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("people_name", "people", ["name"], postgresql_concurrently=True)
