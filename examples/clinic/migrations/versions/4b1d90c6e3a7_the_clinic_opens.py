"""The clinic opens: accounts, staff, patients, records, audit."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "4b1d90c6e3a7"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    *("departments", "permissions", "roles", "role_permissions", "users", "user_roles", "user_sessions"),
    *("refresh_tokens", "doctors", "services", "patients", "appointments", "visits", "visit_services"),
    *("emr", "emr_versions", "prescriptions", "lab_orders", "lab_results", "audit_log"),
)


CIRCLE = "fk_emr_current_version_id"


def number() -> sa.Column[int]:
    """The primary key that most tables have."""
    return sa.Column("id", sa.Integer(), primary_key=True)


def key(name: str, target: str, ondelete: str | None = None, **options: Any) -> sa.Column[int]:
    """A column that points at another table; it may be empty unless the options say otherwise."""
    return sa.Column(name, sa.Integer(), sa.ForeignKey(target, ondelete=ondelete), **options)


def text(name: str, length: int = 64, **options: Any) -> sa.Column[str]:
    """A column of short text that must be filled."""
    return sa.Column(name, sa.String(length), nullable=False, **options)


def moment(name: str, **options: Any) -> sa.Column[Any]:
    """A column that holds date and time and must be filled."""
    return sa.Column(name, sa.DateTime(), nullable=False, **options)


def money(name: str) -> sa.Column[Any]:
    """A column that holds a sum and must be filled."""
    return sa.Column(name, sa.Numeric(10, 2), nullable=False)


def words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """A column of long text."""
    return sa.Column(name, sa.Text(), nullable=nullable)


def create_accounts() -> None:
    """Roles, users and what they are signed in with."""
    op.create_table("permissions", number(), text("code", unique=True))
    op.create_table("roles", number(), text("name", unique=True))
    op.create_table(
        "role_permissions",
        key("role_id", "roles.id", "CASCADE", primary_key=True),
        key("permission_id", "permissions.id", primary_key=True),
    )
    op.create_table(
        "users",
        number(),
        text("username", unique=True),
        text("email", 190, unique=True),
        text("full_name", 120),
        text("password_hash", 200),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        key("department_id", "departments.id"),
        key("created_by", "users.id"),
        moment("created_at"),
    )
    op.create_table(
        "user_roles",
        key("user_id", "users.id", "CASCADE", primary_key=True),
        key("role_id", "roles.id", "CASCADE", primary_key=True),
        key("granted_by", "users.id"),
    )


def create_sessions() -> None:
    """Sign-ins and the tokens that keep them open."""
    op.create_table(
        "user_sessions",
        number(),
        key("user_id", "users.id", nullable=False, index=True),
        text("device"),
        moment("created_at"),
    )
    op.create_table(
        "refresh_tokens",
        number(),
        key("session_id", "user_sessions.id", nullable=False, index=True),
        text("token_hash", index=True, unique=True),
        key("revoked_by", "users.id"),
        moment("expires_at"),
    )


def create_staff() -> None:
    """Doctors and the services on offer."""
    op.create_table(
        "doctors",
        number(),
        key("user_id", "users.id", "SET NULL"),
        key("department_id", "departments.id"),
        text("full_name", 120),
        text("licence", unique=True),
    )
    op.create_table("services", number(), key("department_id", "departments.id"), text("name", 120), money("price"))


def create_patients() -> None:
    """Patients, when they are expected and when they were here."""
    op.create_table(
        "patients",
        number(),
        text("full_name", 120),
        sa.Column("birth_date", sa.Date(), nullable=False),
        text("phone"),
        sa.Column("email", sa.String(190)),
        key("primary_doctor_id", "doctors.id", "SET NULL"),
        key("created_by", "users.id"),
        moment("created_at"),
    )
    op.create_table(
        "appointments",
        number(),
        key("patient_id", "patients.id", nullable=False, index=True),
        key("doctor_id", "doctors.id"),
        key("service_id", "services.id"),
        key("created_by", "users.id"),
        moment("scheduled_at", index=True),
        text("status"),
    )


def create_visits() -> None:
    """Visits and what was done in them."""
    op.create_table(
        "visits",
        number(),
        key("appointment_id", "appointments.id"),
        key("patient_id", "patients.id", nullable=False, index=True),
        key("doctor_id", "doctors.id"),
        sa.Column("referred_by", sa.Integer()),
        key("created_by", "users.id"),
        moment("started_at"),
        words("complaint"),
    )
    op.create_table(
        "visit_services",
        number(),
        key("visit_id", "visits.id", "CASCADE", nullable=False, index=True),
        key("service_id", "services.id", nullable=False),
        key("performed_by", "doctors.id"),
        sa.Column("quantity", sa.Integer(), nullable=False),
        money("price"),
    )


def create_records() -> None:
    """Medical notes, their versions, and prescriptions."""
    op.create_table(
        "emr",
        number(),
        key("visit_id", "visits.id", nullable=False, index=True),
        key("patient_id", "patients.id", nullable=False, index=True),
        key("author_id", "users.id"),
        sa.Column("current_version_id", sa.Integer()),
        text("diagnosis", 120),
        moment("created_at"),
        sa.ForeignKeyConstraint(["current_version_id"], ["emr_versions.id"], name=CIRCLE, use_alter=True),
    )
    op.create_table(
        "emr_versions",
        number(),
        key("emr_id", "emr.id", "CASCADE", nullable=False, index=True),
        key("previous_id", "emr_versions.id"),
        key("changed_by", "users.id"),
        words("body"),
        moment("created_at"),
    )
    # Record and version point at each other. SQLite takes a key to a table that is yet to come and knows no ADD
    # CONSTRAINT; the others are the other way round.
    if op.get_context().dialect.name != "sqlite":
        op.create_foreign_key(CIRCLE, "emr", "emr_versions", ["current_version_id"], ["id"])
    op.create_table(
        "prescriptions",
        number(),
        key("emr_id", "emr.id"),
        key("patient_id", "patients.id", "CASCADE", nullable=False, index=True),
        key("prescribed_by", "doctors.id"),
        text("drug", 120),
        text("dose"),
    )


def create_laboratory() -> None:
    """What the laboratory was asked and what it found."""
    op.create_table(
        "lab_orders",
        number(),
        key("visit_id", "visits.id"),
        key("patient_id", "patients.id", nullable=False, index=True),
        key("ordered_by", "doctors.id"),
        text("test", 120),
        moment("ordered_at"),
    )
    op.create_table(
        "lab_results",
        number(),
        key("order_id", "lab_orders.id", "CASCADE", nullable=False, index=True),
        key("verified_by", "users.id"),
        text("reading"),
        text("unit"),
        moment("measured_at"),
    )


def create_audit() -> None:
    """Who did what; the row it was done to is named, not declared."""
    op.create_table(
        "audit_log",
        number(),
        key("user_id", "users.id"),
        text("entity_type"),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        text("action"),
        words("remark", nullable=True),
        moment("happened_at"),
    )
    op.create_index("ix_audit_log_entity", "audit_log", ["entity_type", "entity_id"])


def upgrade() -> None:
    """Create the first tables, each after those it points at."""
    op.create_table("departments", number(), text("name", 120), key("parent_id", "departments.id"))
    create_accounts()
    create_sessions()
    create_staff()
    create_patients()
    create_visits()
    create_records()
    create_laboratory()
    create_audit()


def downgrade() -> None:
    """Close the clinic."""
    if op.get_context().dialect.name != "sqlite":
        op.drop_constraint(CIRCLE, "emr", type_="foreignkey")
    for table in reversed(TABLES):
        op.drop_table(table)
