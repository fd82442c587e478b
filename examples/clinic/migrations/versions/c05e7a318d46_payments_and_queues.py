"""Payments and queues: money at the desk, places in the waiting room."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "c05e7a318d46"
down_revision = "4b1d90c6e3a7"
branch_labels = None
depends_on = None


def number() -> sa.Column[int]:
    """The primary key of every table here."""
    return sa.Column("id", sa.Integer(), primary_key=True)


def key(name: str, target: str, ondelete: str | None = None, **options: Any) -> sa.Column[int]:
    """A column that points at another table; it may be empty unless the options say otherwise."""
    return sa.Column(name, sa.Integer(), sa.ForeignKey(target, ondelete=ondelete), **options)


def text(name: str, **options: Any) -> sa.Column[str]:
    """A column of short text that must be filled."""
    return sa.Column(name, sa.String(64), nullable=False, **options)


def create_payments() -> None:
    """What was paid and for which visits."""
    op.create_table(
        "payments",
        number(),
        text("receipt_number", unique=True),
        key("patient_id", "patients.id", "SET NULL", index=True),
        key("cashier_id", "users.id"),
        sa.Column("amount", sa.Numeric(10, 2), nullable=False),
        text("currency"),
        sa.Column("paid_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "payment_visits",
        number(),
        key("payment_id", "payments.id", "CASCADE", nullable=False, index=True),
        key("visit_id", "visits.id", nullable=False, index=True),
        sa.Column("amount", sa.Numeric(10, 2), nullable=False),
    )


def create_provider() -> None:
    """What the payment provider told us."""
    op.create_table(
        "payment_webhooks",
        number(),
        key("payment_id", "payments.id"),
        text("event"),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "payment_transactions",
        number(),
        key("payment_id", "payments.id"),
        key("webhook_id", "payment_webhooks.id"),
        sa.Column("amount", sa.Numeric(10, 2), nullable=False),
        text("status"),
    )


def create_queues() -> None:
    """The waiting room of a day."""
    op.create_table(
        "daily_queues",
        number(),
        key("department_id", "departments.id"),
        key("opened_by", "users.id"),
        sa.Column("day", sa.Date(), nullable=False),
    )
    op.create_table(
        "queue_entries",
        number(),
        key("queue_id", "daily_queues.id", nullable=False, index=True),
        key("patient_id", "patients.id", "CASCADE"),
        key("visit_id", "visits.id", "SET NULL"),
        sa.Column("number", sa.Integer(), nullable=False),
    )
    op.create_table(
        "queue_tokens",
        number(),
        key("entry_id", "queue_entries.id", nullable=False, index=True),
        key("issued_by", "users.id"),
        text("code"),
        sa.Column("issued_at", sa.DateTime(), nullable=False),
    )


def upgrade() -> None:
    """Create the tables of money and waiting."""
    create_payments()
    create_provider()
    create_queues()


def downgrade() -> None:
    """Take them away again."""
    for table in ("queue_tokens", "queue_entries", "daily_queues"):
        op.drop_table(table)
    for table in ("payment_transactions", "payment_webhooks", "payment_visits", "payments"):
        op.drop_table(table)
