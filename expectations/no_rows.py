"""The expectation that a query of the user's own finds no row."""

from typing import Any, ClassVar

from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from expectations.asking import ask_numbers

METRIC = "upkeep.rows_found"


def counted(query: str) -> str:
    """The query that counts the rows of ``query``; the line's end closes a comment that may stand last."""
    return f"SELECT COUNT(*) AS found FROM (\n{query.rstrip().rstrip(';')}\n) AS rows_found"


class RowsFound(TableMetricProvider):
    """How many rows a query has; none of them leaves the database."""

    metric_name = METRIC
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _ask(
        cls,  # noqa: N805 - the library makes a class method of it
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],  # noqa: ARG002 - the library passes them by these names
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any],  # noqa: ARG002
    ) -> tuple[int, ...]:
        return ask_numbers(execution_engine, counted(metric_value_kwargs["query"]), 1)


class ExpectNoRows(BatchExpectation):
    """The SELECT in ``query``, which describes rows that should not be, finds none."""

    query: str

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("query",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - the library passes it by this name
        execution_engine: object = None,  # noqa: ARG002 - as above
    ) -> dict[str, Any]:
        (found,) = metrics[METRIC]
        return {"success": found == 0, "result": {"observed_value": found}}
