"""The medical record: notes with their versions, prescriptions, and what the laboratory was asked and found."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Name, Words


class Emr(Base):
    """The electronic medical record of one visit."""

    __tablename__ = "emr"

    id: Mapped[Id]
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    # Record and version point at each other, so this key is added after both tables stand.
    current_version_id: Mapped[int | None] = mapped_column(ForeignKey("emr_versions.id", use_alter=True))
    diagnosis: Mapped[Name]
    created_at: Mapped[Moment]


class EmrVersion(Base):
    """One state of a record; each version knows the one before."""

    __tablename__ = "emr_versions"

    id: Mapped[Id]
    emr_id: Mapped[int] = mapped_column(ForeignKey("emr.id", ondelete="CASCADE"), index=True)
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("emr_versions.id"))
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    body: Mapped[Words]
    created_at: Mapped[Moment]


class Prescription(Base):
    """A drug that a doctor prescribed."""

    __tablename__ = "prescriptions"

    id: Mapped[Id]
    emr_id: Mapped[int | None] = mapped_column(ForeignKey("emr.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"), index=True)
    prescribed_by: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    drug: Mapped[Name]
    dose: Mapped[Code]


class LabOrder(Base):
    """A test that a doctor asked the laboratory for."""

    __tablename__ = "lab_orders"

    id: Mapped[Id]
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visits.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    ordered_by: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    test: Mapped[Name]
    ordered_at: Mapped[Moment]


class LabResult(Base):
    """What the laboratory found."""

    __tablename__ = "lab_results"

    id: Mapped[Id]
    order_id: Mapped[int] = mapped_column(ForeignKey("lab_orders.id", ondelete="CASCADE"), index=True)
    verified_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reading: Mapped[Code]
    unit: Mapped[Code]
    measured_at: Mapped[Moment]
