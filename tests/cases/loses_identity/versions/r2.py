"""The table anew, by hand."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("CREATE TABLE numbered_new AS SELECT id, note FROM numbered")
    op.drop_table("numbered")
    op.rename_table("numbered_new", "numbered")
