"""The people who come, when they are expected and when they were here."""

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Money, Name, Words


class Patient(Base):
    """A person who is treated."""

    __tablename__ = "patients"

    id: Mapped[Id]
    full_name: Mapped[Name]
    birth_date: Mapped[date]
    phone: Mapped[Code]
    email: Mapped[str | None] = mapped_column(String(190))
    primary_doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[Moment]


class Appointment(Base):
    """A time at which a patient is expected."""

    __tablename__ = "appointments"

    id: Mapped[Id]
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    service_id: Mapped[int | None] = mapped_column(ForeignKey("services.id"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    scheduled_at: Mapped[Moment] = mapped_column(index=True)
    status: Mapped[Code]


class Visit(Base):
    """A patient who was here, with an appointment or without."""

    __tablename__ = "visits"

    id: Mapped[Id]
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    # A doctors.id that nobody declared: the policy states it.
    referred_by: Mapped[int | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[Moment]
    complaint: Mapped[Words]


class VisitService(Base):
    """A service that was given during a visit, at the price of the day."""

    __tablename__ = "visit_services"

    id: Mapped[Id]
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id", ondelete="CASCADE"), index=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"))
    performed_by: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    quantity: Mapped[int]
    price: Mapped[Money]
