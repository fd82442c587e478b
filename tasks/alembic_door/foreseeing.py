"""What a revision would do, told without any database."""

from io import StringIO
from typing import Any

from alembic.operations import Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint

from .batches import rebuilding, words_of
from .connections import at_each_connection
from .faults import said_of


def foreseen(revision: Any, dialect: str) -> dict[str, Any]:
    """Its SQL and the keys that it declares, as far as they are known without asking the database (P-86)."""
    out, keys, why = StringIO(), list[Any](), None
    options = {"as_sql": True, "output_buffer": out, "literal_binds": True}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    declare = context.impl.add_constraint

    def declared(constraint: Any, **more: Any) -> None:
        keys.extend(_keys_in(constraint))
        declare(constraint, **more)

    context.impl.add_constraint = declared  # type: ignore[method-assign,assignment]  # this one context is ours alone

    def rebuild(batch: BatchOperationsImpl) -> None:
        for statement in words_of(batch):
            out.write(f"{statement};\n\n")
        keys.extend(key for _, arguments, _ in batch.batch for one in arguments for key in _keys_in(one))

    try:
        with Operations.context(context), rebuilding(rebuild), at_each_connection(_refuse_any):
            revision.module.upgrade()
    except BaseException as fault:  # noqa: BLE001  # whatever it is, the rehearsal will show it
        why = said_of(fault)
    return {
        "revision": revision.revision,
        "doc": (revision.doc or "").strip(),
        "sql": [statement.strip() for statement in out.getvalue().split(";\n\n") if statement.strip()],
        "keys": keys,
        "unforeseen": why,
        "loses": [str(one) for one in getattr(revision.module, "upkeep_loses", ())],
    }


def _keys_in(constraint: Any) -> list[Any]:
    if not isinstance(constraint, ForeignKeyConstraint):
        return []
    parent, columns = constraint.elements[0].target_fullname.rpartition(".")[0], constraint.column_keys
    return [
        [
            str(constraint.table.name),
            list(columns),
            parent,
            [e.target_fullname.rpartition(".")[2] for e in constraint.elements],
        ]
    ]


def _refuse_any(_connection: Any) -> None:
    raise RuntimeError("it connects to a database by itself")
