"""No addresses."""

from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("people") as batch:
        batch.drop_column("email")
