"""Say what goes with its parent: sessions, tokens, files and queues get ON DELETE, tokens and shares a new column.

This revision is an honest piece of work that trusts its database, and so it hurts on a damaged one (P-115): the copy of
the tokens goes through a JOIN and loses those whose session is gone, without a word; then the shares of files that are
gone find no name, or sessions of users who are gone no key where the engine looks, and stop it half way, when the
tokens have already been replaced for good.
"""

import sqlalchemy as sa
from alembic import op

revision = "0e315951c2f5"
down_revision = "a47243be82f0"
branch_labels = None
depends_on = None

# table, column, parent, what to say on delete, what was said before
KEYS = (
    ("refresh_tokens", "session_id", "user_sessions", "CASCADE", None),
    ("refresh_tokens", "revoked_by", "users", "SET NULL", None),
    ("user_sessions", "user_id", "users", "CASCADE", None),
    ("file_shares", "file_id", "files", "CASCADE", None),
    ("file_shares", "shared_with", "users", "CASCADE", None),
    ("file_shares", "shared_by", "users", "SET NULL", None),
    ("file_versions", "file_id", "files", "CASCADE", None),
    ("file_versions", "created_by", "users", "SET NULL", None),
    ("file_access_logs", "file_id", "files", "CASCADE", None),
    ("file_access_logs", "user_id", "users", "SET NULL", None),
    ("queue_entries", "queue_id", "daily_queues", "CASCADE", None),
    ("queue_entries", "patient_id", "patients", "SET NULL", "CASCADE"),
    ("queue_tokens", "entry_id", "queue_entries", "CASCADE", None),
    ("queue_tokens", "issued_by", "users", "SET NULL", None),
)
COPY_TOKENS = """
    INSERT INTO refresh_tokens_new (id, session_id, token_hash, revoked_by, expires_at, session_started_at)
    SELECT t.id, t.session_id, t.token_hash, t.revoked_by, t.expires_at, s.created_at
    FROM refresh_tokens t JOIN user_sessions s ON s.id = t.session_id
"""
NAME_SHARES = """
    UPDATE file_shares SET shared_name = (SELECT files.name FROM files WHERE files.id = file_shares.file_id)
"""


# A batch would read all tables that can be reached from its own, and give up if one of them is gone.
ALONE = {"resolve_fks": False}


def rewrite_keys(table: str, *, existing: bool = True) -> None:
    """Give the keys of one table what they should say on delete."""
    with op.batch_alter_table(table, reflect_kwargs=ALONE) as batch:
        for _, column, parent, ondelete, _ in (row for row in KEYS if row[0] == table):
            name = f"fk_{table}_{column}"
            if existing:
                batch.drop_constraint(name, type_="foreignkey")
            batch.create_foreign_key(name, parent, [column], ["id"], ondelete=ondelete)


def rebuild_tokens() -> None:
    """Replace the tokens by a copy that knows when each session began."""
    op.create_table(
        "refresh_tokens_new",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("revoked_by", sa.Integer()),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("session_started_at", sa.DateTime(), nullable=False),
    )
    op.execute(COPY_TOKENS)
    op.drop_table("refresh_tokens")
    op.rename_table("refresh_tokens_new", "refresh_tokens")
    if op.get_context().dialect.name == "postgresql":
        # There key and sequence keep the name of the table that they were made with: the next copy would find it taken.
        op.execute("ALTER TABLE refresh_tokens RENAME CONSTRAINT pk_refresh_tokens_new TO pk_refresh_tokens")
        op.execute("ALTER SEQUENCE refresh_tokens_new_id_seq RENAME TO refresh_tokens_id_seq")
        op.execute("SELECT setval(pg_get_serial_sequence('refresh_tokens', 'id'), max(id)) FROM refresh_tokens")
    rewrite_keys("refresh_tokens", existing=False)
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_index("ix_refresh_tokens_token_hash", "refresh_tokens", ["token_hash"], unique=True)


def name_shares() -> None:
    """Write beside each share what the file was called, for the letter to the colleague."""
    with op.batch_alter_table("file_shares", reflect_kwargs=ALONE) as shares:
        shares.add_column(sa.Column("shared_name", sa.String(120)))
    op.execute(NAME_SHARES)
    with op.batch_alter_table("file_shares", reflect_kwargs=ALONE) as shares:
        shares.alter_column("shared_name", existing_type=sa.String(120), nullable=False)


def upgrade() -> None:
    """Rebuild the tokens at once and for good, then the rest."""
    # The copy must not hold up the application until the whole revision has ended.
    with op.get_context().autocommit_block():
        rebuild_tokens()
    rewrite_keys("user_sessions")
    name_shares()
    for table in ("file_shares", "file_versions", "file_access_logs", "queue_entries", "queue_tokens"):
        rewrite_keys(table)


def downgrade() -> None:
    """Say again what was said before."""
    with op.batch_alter_table("refresh_tokens", reflect_kwargs=ALONE) as tokens:
        tokens.drop_column("session_started_at")
    with op.batch_alter_table("file_shares", reflect_kwargs=ALONE) as shares:
        shares.drop_column("shared_name")
    for table in dict.fromkeys(row[0] for row in KEYS):
        with op.batch_alter_table(table, reflect_kwargs=ALONE) as batch:
            for _, column, parent, _, before in (row for row in KEYS if row[0] == table):
                batch.drop_constraint(f"fk_{table}_{column}", type_="foreignkey")
                batch.create_foreign_key(f"fk_{table}_{column}", parent, [column], ["id"], ondelete=before)
