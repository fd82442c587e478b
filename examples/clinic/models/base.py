"""The declarative base, the names of constraints and the column types that all models share."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import DateTime, MetaData, Numeric, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[int, mapped_column(primary_key=True)]
Name = Annotated[str, mapped_column(String(120))]
Code = Annotated[str, mapped_column(String(64))]
Words = Annotated[str, mapped_column(Text)]
Moment = Annotated[datetime, mapped_column(DateTime)]
Money = Annotated[Decimal, mapped_column(Numeric(10, 2))]

__all__ = ["NAMES", "Base", "Code", "Id", "Moment", "Money", "Name", "Words"]


class Base(DeclarativeBase):
    """What every table of the clinic is registered with."""

    metadata = MetaData(naming_convention=NAMES)
