"""The tables of the clinic as its application knows them."""

from examples.clinic.models import accounts, audit, files, patients, payments, queues, records, staff
from examples.clinic.models.base import Base

__all__ = ["Base", "accounts", "audit", "files", "patients", "payments", "queues", "records", "staff"]
