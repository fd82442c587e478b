"""Money: what was paid, for which visits, and what the payment provider told us."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Money, Words


class Payment(Base):
    """A sum that was paid at the desk or online."""

    __tablename__ = "payments"

    id: Mapped[Id]
    receipt_number: Mapped[Code] = mapped_column(unique=True)
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id", ondelete="SET NULL"), index=True)
    cashier_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    amount: Mapped[Money]
    currency: Mapped[Code]
    paid_at: Mapped[Moment]


class PaymentVisit(Base):
    """How much of a payment was for which visit."""

    __tablename__ = "payment_visits"

    id: Mapped[Id]
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id", ondelete="CASCADE"), index=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    amount: Mapped[Money]


class PaymentWebhook(Base):
    """A message from the payment provider, as it came."""

    __tablename__ = "payment_webhooks"

    id: Mapped[Id]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    event: Mapped[Code]
    payload: Mapped[Words]
    received_at: Mapped[Moment]


class PaymentTransaction(Base):
    """A movement of money at the provider."""

    __tablename__ = "payment_transactions"

    id: Mapped[Id]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("payment_webhooks.id"))
    amount: Mapped[Money]
    status: Mapped[Code]
