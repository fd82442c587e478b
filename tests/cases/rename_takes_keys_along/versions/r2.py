"""The table anew, by hand."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.rename_table("people", "people_old")
    op.execute("CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL, email VARCHAR(80))")
    op.execute("INSERT INTO people SELECT * FROM people_old")
