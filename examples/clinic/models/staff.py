"""The house itself: departments, doctors and the services on offer."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Money, Name


class Department(Base):
    """A department, perhaps part of another."""

    __tablename__ = "departments"

    id: Mapped[Id]
    name: Mapped[Name]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("departments.id"))


class Doctor(Base):
    """A doctor; some have no account."""

    __tablename__ = "doctors"

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    department_id: Mapped[int | None] = mapped_column(ForeignKey("departments.id"))
    full_name: Mapped[Name]
    licence: Mapped[Code] = mapped_column(unique=True)


class OfferedService(Base):
    """Something that the clinic does and charges for."""

    __tablename__ = "services"

    id: Mapped[Id]
    department_id: Mapped[int | None] = mapped_column(ForeignKey("departments.id"))
    name: Mapped[Name]
    price: Mapped[Money]
