"""Guests need no host."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("guests") as batch:
        batch.drop_constraint(None, type_="foreignkey")  # type: ignore[arg-type]  # it has none
