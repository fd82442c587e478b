"""The waiting room: the queue of a day, the places in it and the tokens that people hold."""

from datetime import date

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment


class DailyQueue(Base):
    """The queue of one department on one day."""

    __tablename__ = "daily_queues"

    id: Mapped[Id]
    department_id: Mapped[int | None] = mapped_column(ForeignKey("departments.id"))
    opened_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    day: Mapped[date]


class QueueEntry(Base):
    """A place in a queue."""

    __tablename__ = "queue_entries"

    id: Mapped[Id]
    queue_id: Mapped[int] = mapped_column(ForeignKey("daily_queues.id", ondelete="CASCADE"), index=True)
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id", ondelete="SET NULL"))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visits.id", ondelete="SET NULL"))
    number: Mapped[int]


class QueueToken(Base):
    """The slip of paper with a number on it."""

    __tablename__ = "queue_tokens"

    id: Mapped[Id]
    entry_id: Mapped[int] = mapped_column(ForeignKey("queue_entries.id", ondelete="CASCADE"), index=True)
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    code: Mapped[Code]
    issued_at: Mapped[Moment]
