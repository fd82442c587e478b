"""One query, one row of whole numbers: how our own expectations ask a database."""

from collections.abc import Sequence
from typing import Any

from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from sqlalchemy import text

from upkeep.presence import presence


class NotOneRowOfNumbersError(Exception):
    """A query did not give the single row of whole numbers that was expected of it."""


def verbatim(query: str) -> str:
    r"""The query as ``text()`` has to see it so that the database gets it unchanged: ``':x'`` is no parameter here."""
    return query.replace(":", "\\:")


def ask_numbers(
    engine: SqlAlchemyExecutionEngine, query: str, width: int, numbers: str | None = None
) -> tuple[int, ...]:
    """The ``width`` numbers that the one row of ``query`` holds; ``numbers`` gives its parameter, if it has one.

    The query goes out as it stands: braces, colons and percent signs are its own (P-50). Raises what the driver
    raises, and NotOneRowOfNumbersError where the answer has another shape.
    """
    rows = _told(engine, query, numbers) if numbers else engine.execute_query(text(verbatim(query))).fetchmany(2)
    if len(rows) != 1 or len(rows[0]) != width or any(number is None for number in rows[0]):
        raise NotOneRowOfNumbersError
    return tuple(int(number) for number in rows[0])


def _told(engine: SqlAlchemyExecutionEngine, query: str, numbers: str) -> Sequence[Any]:
    """The rows of a query that is told which parents there are (see upkeep.orphans.Known)."""
    with engine.get_connection() as connection:
        there = presence(connection.exec_driver_sql(numbers).cursor)  # the library's rows would take twice as long
        return list(connection.exec_driver_sql(query, {"there": there}).fetchmany(2))
