"""The one door to the application's models: run by its own interpreter, with nothing of Upkeep's in reach.

Called as ``python models_door.py ANSWER MODULE:ATTRIBUTE FOLDER...``: it imports the module, with the folders on its
path, and writes to the file ANSWER what the metadata says of tables, columns and foreign keys, or why it cannot.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any


def tables_of(metadata: Any) -> list[dict[str, Any]]:
    """Every table with its columns and foreign keys, by plain attributes that every SQLAlchemy since 1.4 has."""
    return [
        {
            "name": table.name,
            "namespace": table.schema,
            "columns": [
                {
                    "name": column.name,
                    "type": _type(column),
                    "nullable": bool(column.nullable),
                    "primary_key": bool(column.primary_key),
                }
                for column in table.columns
            ],
            "foreign_keys": [key for one in table.foreign_key_constraints if (key := _key(one))],
        }
        for table in sorted(metadata.tables.values(), key=lambda table: str(table.fullname))
    ]


def _type(column: Any) -> str:
    try:
        return str(column.type)
    except Exception:  # noqa: BLE001  # a type of the application's own may only know how it is called on one engine
        return type(column.type).__name__


def _key(constraint: Any) -> dict[str, Any] | None:
    """One foreign key by the words that it was written with: its parent need not be among the models (P-82)."""
    targets = [element.target_fullname.rpartition(".") for element in constraint.elements]
    if len({table for table, _, _ in targets}) != 1:
        return None
    namespace, _, parent = targets[0][0].rpartition(".")
    return {
        "columns": [element.parent.name for element in constraint.elements],
        "parent": parent,
        "parent_namespace": namespace or None,
        "parent_columns": [column for _, _, column in targets],
        "ondelete": constraint.ondelete,
        "name": constraint.name if isinstance(constraint.name, str) else None,
    }


def read(module: str, attribute: str) -> dict[str, Any]:
    """The tables; or the kind of error that kept them from being read, and its first line."""
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return {"tables": tables_of(found)}
    except BaseException as fault:  # noqa: BLE001  # SystemExit in somebody's module included: the answer must be written
        first = (str(fault).splitlines() or [""])[0]
        return {"failed": f"{type(fault).__name__}: {first}"}


def leave_with_the_caller() -> None:
    """Standard input ends when the caller is gone, and nobody waits for the answer."""
    sys.stdin.read()
    os._exit(3)


def main(answer: Path, wanted: str, folders: list[str]) -> None:
    """Read what is wanted and write the answer."""
    sys.path[0:1] = folders  # in place of this file's own folder, whose modules are no business of the application's
    Thread(target=leave_with_the_caller, daemon=True).start()
    module, _, attribute = wanted.partition(":")
    answer.write_text(json.dumps(read(module, attribute)), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # a thread that the application has started would keep the process alive


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
