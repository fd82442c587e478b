"""Mail, and who owns an animal."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "r2", "r1"


def upgrade() -> None:
    with op.batch_alter_table("people") as batch:
        batch.alter_column("email", new_column_name="mail", existing_type=sa.String(80), existing_nullable=True)
    op.execute("ALTER TABLE pets RENAME COLUMN person TO owner")
    op.rename_table("pets", "animals")
