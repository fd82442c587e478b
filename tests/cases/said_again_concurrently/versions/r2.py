"""A check that is asked of new rows."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("ALTER TABLE people ADD CONSTRAINT named CHECK (name <> '') NOT VALID")
