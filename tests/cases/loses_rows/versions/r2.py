"""People with the name of their pet."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE people_new (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, email VARCHAR(80))"
    )
    op.execute("INSERT INTO people_new SELECT p.id, p.name, p.email FROM people p JOIN pets ON pets.person = p.id")
    op.drop_table("people")
    op.rename_table("people_new", "people")
