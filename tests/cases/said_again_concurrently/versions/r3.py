"""The old rows are asked too; one value more, an index made anew, one away."""

from alembic import op

revision, down_revision = "r3", "r2"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE people VALIDATE CONSTRAINT named")
        op.execute("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ill'")
        op.execute("REINDEX INDEX CONCURRENTLY pets_name")
        op.drop_index("people_email", if_exists=True, postgresql_concurrently=True)
        op.execute("VACUUM ANALYZE moods")
