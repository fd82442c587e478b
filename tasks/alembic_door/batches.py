"""Batches that would make a table anew: noticed, and told by what they were asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from alembic.operations.batch import BatchOperationsImpl


def words_of(batch: BatchOperationsImpl) -> Iterator[str]:
    """What a batch is asked for, as the SQL of an engine that needs no batch."""
    table = batch.table_name
    for verb, arguments, more in batch.batch:
        last = arguments[-1]
        name = getattr(last, "name", last)
        if verb == "alter_column":
            yield from _altered(table, name, more)
        elif verb.endswith("_index"):
            yield f'{verb.split("_")[0].upper()} INDEX "{name}"'
        else:
            yield f'ALTER TABLE "{table}" {verb.replace("_", " ").upper()} "{name}"'


def _altered(table: str, name: str, more: dict[str, Any]) -> Iterator[str]:
    """What is asked for one column: another name, another type or more, or both."""
    renamed, kind = more.get("name") or name, more.get("type_")
    if renamed != name:
        yield f'ALTER TABLE "{table}" RENAME COLUMN "{name}" TO "{renamed}"'
    if renamed == name or kind is not None:
        yield f'ALTER TABLE "{table}" ALTER COLUMN "{name}"{"" if kind is None else f" TYPE {kind!r}"}'


@contextmanager
def rebuilding(instead: Callable[[BatchOperationsImpl], None]) -> Iterator[None]:
    """``instead`` is called where a batch would make its table anew."""
    original = BatchOperationsImpl.flush

    def flush(batch: BatchOperationsImpl) -> None:
        (instead if batch._should_recreate() else original)(batch)

    BatchOperationsImpl.flush = flush  # type: ignore[method-assign,assignment]  # this process is ours alone
    try:
        yield
    finally:
        BatchOperationsImpl.flush = original  # type: ignore[method-assign]
