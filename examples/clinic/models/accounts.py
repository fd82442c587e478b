"""Who may sign in, as what, and which sessions are open."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Name


class User(Base):
    """A person of the staff who can sign in."""

    __tablename__ = "users"

    id: Mapped[Id]
    username: Mapped[Code] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(String(190), unique=True)
    full_name: Mapped[Name]
    password_hash: Mapped[str] = mapped_column(String(200))
    is_active: Mapped[bool]
    department_id: Mapped[int | None] = mapped_column(ForeignKey("departments.id"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[Moment]


class Role(Base):
    """What somebody is in the clinic: reception, nurse, doctor."""

    __tablename__ = "roles"

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(unique=True)


class Permission(Base):
    """One thing that a role may do."""

    __tablename__ = "permissions"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)


class UserRole(Base):
    """A role that a user holds."""

    __tablename__ = "user_roles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class RolePermission(Base):
    """A permission that a role carries."""

    __tablename__ = "role_permissions"

    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission_id: Mapped[int] = mapped_column(ForeignKey("permissions.id"), primary_key=True)


class UserSession(Base):
    """One sign-in on one device."""

    __tablename__ = "user_sessions"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    device: Mapped[Code]
    created_at: Mapped[Moment]


class RefreshToken(Base):
    """A token that keeps a session open."""

    __tablename__ = "refresh_tokens"

    id: Mapped[Id]
    session_id: Mapped[int] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[Code] = mapped_column(index=True, unique=True)
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[Moment]
    session_started_at: Mapped[Moment]
