"""Who did what to which row, the row named by its table and number."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Words


class AuditLog(Base):
    """One act; `entity_type` and `entity_id` point at any table and are declared nowhere."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_entity", "entity_type", "entity_id"),)

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    entity_type: Mapped[Code]
    entity_id: Mapped[int]
    action: Mapped[Code]
    remark: Mapped[Words | None]
    happened_at: Mapped[Moment]
