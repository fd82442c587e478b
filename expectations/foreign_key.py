"""The expectation that every row of a foreign key finds its parent."""

from typing import Any, ClassVar

from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from expectations.asking import ask_numbers

METRIC = "upkeep.orphans"


class Orphans(TableMetricProvider):
    """The number of orphans of one foreign key and of the distinct keys that they miss, in one query."""

    metric_name = METRIC
    value_keys = ("query", "numbers")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _ask(
        cls,  # noqa: N805 - the library makes a class method of it
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],  # noqa: ARG002 - the library passes them by these names
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any],  # noqa: ARG002
    ) -> tuple[int, ...]:
        query, numbers = metric_value_kwargs["query"], metric_value_kwargs["numbers"]
        return ask_numbers(execution_engine, query, 2, numbers)


class ExpectNoOrphans(BatchExpectation):
    """No row's foreign key points at nothing; ``query`` gives one row of two numbers: orphans and missing keys.

    The library's own expectation for a query asks twice and fetches every row that it finds; this one asks once and
    sees numbers alone.
    """

    foreign_key: str
    query: str
    numbers: str | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("query", "numbers")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - the library passes it by this name
        execution_engine: object = None,  # noqa: ARG002 - as above
    ) -> dict[str, Any]:
        orphans, missing_keys = metrics[METRIC]
        numbers = {"orphans": orphans, "missing_keys": missing_keys}
        return {"success": orphans == 0, "result": {"observed_value": orphans, "details": numbers}}
