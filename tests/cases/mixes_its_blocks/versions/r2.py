"""Rows and an index in one block."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("UPDATE people SET email = 'x'")
        op.create_index("people_name", "people", ["name"], postgresql_concurrently=True)
