"""The old rows are asked too, and an index goes."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE people VALIDATE CONSTRAINT named")
        op.drop_index("people_email", if_exists=True, postgresql_concurrently=True)
