"""Whether a revision did to a schema what was meant and nothing else, and what came of writing it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from upkeep.catalog import Catalog


@dataclass(frozen=True)
class Seen:
    """A schema with the number of rows of each table, and what the engine's own check says."""

    catalog: Catalog
    rows: Mapping[str, int]
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What Alembic would do to a key or index to make the database what the models say: add_fk, remove_index, ..."""

    does: str
    table: str
    columns: tuple[str, ...]
    ondelete: str | None = None

    def __str__(self) -> str:
        where = f"{self.table}({', '.join(self.columns)})"
        if self.does == "add_fk":
            return f"{where}: the models say {f'ON DELETE {self.ondelete}' if self.ondelete else 'nothing on delete'}"
        what = "foreign key" if self.does.endswith("_fk") else "index"
        return f"{where}: the models know {'no such' if self.does.startswith('remove') else 'another'} {what}"


@dataclass(frozen=True)
class Written:
    """What came of writing a revision. ``place`` is its file; None where there was nothing to write.

    ``left_out`` are keys that it leaves, with the reason. ``models`` are differences that ``alembic check`` tells of
    what it changed, for the models say otherwise than the policy; ``models_unasked`` says why that could not be asked.
    """

    place: Path | None = None
    revision: str = ""
    builds_on: str = ""
    left_out: tuple[str, ...] = ()
    models: tuple[Difference, ...] = ()
    models_unasked: str = ""


def unmeant(expected: Seen, found: Seen) -> tuple[str, ...]:
    """What differs from what was meant, each in a sentence; the digest of the schema is not looked at."""
    return (
        *_of_tables(expected.catalog, found.catalog),
        *_of_keys(expected.catalog, found.catalog),
        *(
            f"{name} has {found.rows.get(name, 0):,} rows, it had {rows:,}"
            for name, rows in expected.rows.items()
            if name in found.catalog.tables and found.rows.get(name) != rows
        ),
        *(said for said in found.complaints if said not in expected.complaints),
    )


def not_taken_back(before: Seen, after: Seen) -> tuple[str, ...]:
    """What a downgrade did not give back, the whole of the schema's text included."""
    differing = unmeant(before, after)
    if not differing and before.catalog.schema_digest != after.catalog.schema_digest:
        return ("the schema is no longer what it was, in what no catalog tells: checks, defaults, triggers, comments",)
    return differing


def _of_tables(expected: Catalog, found: Catalog) -> Iterator[str]:
    for name in sorted({*expected.tables, *found.tables}):
        meant, there = expected.tables.get(name), found.tables.get(name)
        if meant is None or there is None:
            yield f"the table {name} is {'new' if there else 'gone'}"
            continue
        if replace(meant, indexes=()) != replace(there, indexes=()):
            yield f"columns, primary key or triggers of {name} changed"
        gone, new = set(meant.indexes) - set(there.indexes), set(there.indexes) - set(meant.indexes)
        yield from (f"the index {index.name} of {name} is gone" for index in sorted(gone, key=str))
        yield from (f"the index {index.name} of {name} is new" for index in sorted(new, key=str))


def _of_keys(expected: Catalog, found: Catalog) -> Iterator[str]:
    meant, there = _declarations(expected), _declarations(found)
    yield from (f"{said} is not there" for said in sorted(meant - there))
    yield from (f"{said} was not meant" for said in sorted(there - meant))


def _declarations(catalog: Catalog) -> set[str]:
    """Each declaration in words: a key that is declared twice is two of them."""
    return {
        f"{key} {name or 'without a name'} ON DELETE {key.ondelete}{'' if key.validated else ' NOT VALID'}"
        for key in catalog.keys
        for name in key.names or ("",)
    }
