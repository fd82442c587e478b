"""One query, one row of whole numbers: how our own expectations ask a database."""

from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from sqlalchemy import text


class NotOneRowOfNumbersError(Exception):
    """A query did not give the single row of whole numbers that was expected of it."""


def verbatim(query: str) -> str:
    r"""The query as ``text()`` has to see it so that the database gets it unchanged: ``':x'`` is no parameter here."""
    return query.replace(":", "\\:")


def ask_numbers(engine: SqlAlchemyExecutionEngine, query: str, width: int) -> tuple[int, ...]:
    """The ``width`` numbers that the one row of ``query`` holds.

    The query goes out as it stands: braces, colons and percent signs are its own (P-50). Raises what the driver
    raises, and NotOneRowOfNumbersError where the answer has another shape.
    """
    rows = engine.execute_query(text(verbatim(query))).fetchmany(2)
    if len(rows) != 1 or len(rows[0]) != width or any(number is None for number in rows[0]):
        raise NotOneRowOfNumbersError
    return tuple(int(number) for number in rows[0])
