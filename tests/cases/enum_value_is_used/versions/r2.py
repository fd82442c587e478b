"""One value more, which Alembic's documentation puts into a block; and what else can be said again."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ill'")
        op.execute("REINDEX INDEX CONCURRENTLY pets_name")
        op.execute("VACUUM ANALYZE moods")
