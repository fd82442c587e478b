"""Documents: folders, files with versions and shares."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "8f2c61d4b9e0"
down_revision = "4b1d90c6e3a7"
branch_labels = None
depends_on = None


def number() -> sa.Column[int]:
    """The primary key of every table here."""
    return sa.Column("id", sa.Integer(), primary_key=True)


def key(name: str, target: str, ondelete: str | None = None, **options: Any) -> sa.Column[int]:
    """A column that points at another table; it may be empty unless the options say otherwise."""
    return sa.Column(name, sa.Integer(), sa.ForeignKey(target, ondelete=ondelete), **options)


def create_files() -> None:
    """Folders and what lies in them."""
    op.create_table(
        "folders",
        number(),
        key("parent_id", "folders.id"),
        key("owner_id", "users.id", "SET NULL"),
        key("patient_id", "patients.id"),
        sa.Column("name", sa.String(120), nullable=False),
    )
    op.create_table(
        "files",
        number(),
        key("folder_id", "folders.id", index=True),
        key("patient_id", "patients.id", index=True),
        key("visit_id", "visits.id", "SET NULL"),
        key("uploaded_by", "users.id"),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
    )


def create_file_details() -> None:
    """Versions, shares and who looked."""
    op.create_table(
        "file_versions",
        number(),
        key("file_id", "files.id", nullable=False, index=True),
        key("created_by", "users.id"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "file_shares",
        number(),
        key("file_id", "files.id", nullable=False, index=True),
        key("shared_with", "users.id", nullable=False),
        key("shared_by", "users.id"),
        sa.Column("expires_at", sa.DateTime()),
    )
    op.create_table(
        "file_access_logs",
        number(),
        key("file_id", "files.id", nullable=False, index=True),
        key("user_id", "users.id"),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
    )


def upgrade() -> None:
    """Create the tables of documents."""
    create_files()
    create_file_details()


def downgrade() -> None:
    """Take documents away again."""
    for table in ("file_access_logs", "file_shares", "file_versions", "files", "folders"):
        op.drop_table(table)
