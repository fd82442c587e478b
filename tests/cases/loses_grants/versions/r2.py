"""The table anew, by hand."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute("CREATE TABLE pets_new (LIKE pets INCLUDING ALL)")
    op.execute("INSERT INTO pets_new SELECT * FROM pets")
    op.drop_table("pets")
    op.rename_table("pets_new", "pets")
    op.create_foreign_key("pets_person", "pets", "people", ["person"], ["id"])
