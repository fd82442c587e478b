"""What a database held at one moment, and how two such moments differ."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from upkeep.databases import Counter, Reading


class Count(BaseModel):
    """Rows of one table and the digest of their content (None where it was not taken)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Annotated[int, Field(ge=0)]
    digest: str | None = None

    @property
    def kind(self) -> str:
        """How the digest was taken, where the engine has several ways: only digests of one kind can be compared."""
        return (self.digest or "").rpartition(":")[0]


class Declared(BaseModel):
    """One foreign key that the schema declares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


class Census(BaseModel):
    """Rows and content digest per table, the digest of the schema and the Alembic revision.

    ``beside`` counts what is in no table, ``counters`` says how far the generators of keys had come. ``keys`` are told
    although the digest of the schema speaks of them too: with a parent table some engines drop them, and then no schema
    of later says what has become an orphan.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[str, Count]
    schema_digest: str
    revision: tuple[str, ...] = ()
    beside: dict[str, Count] = {}
    counters: dict[str, Counter] = {}
    keys: tuple[Declared, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(count.rows for count in self.tables.values())

    @property
    def has_digests(self) -> bool:
        """Were content digests taken?"""
        return any(count.digest for count in self.tables.values())


def take_census(
    reading: Reading, *, digests: bool, like: Census | None = None, progress: Callable[[str], None] = lambda _: None
) -> Census:
    """Count what a reading shows; ``digests`` reads every row. ``progress`` hears each table's name first.

    The digests are taken as those of ``like`` were, if they can be, so that the two can be compared.
    """
    catalog = reading.catalog()
    tables = {}
    for name in sorted(catalog.tables):
        progress(name)
        other = like.tables.get(name) if like else None
        counted = reading.count(name, digest=digests, like=other.digest if other else None)
        tables[name] = Count(rows=counted.rows, digest=counted.digest)
    beside = reading.contents_beside(digest=digests)
    return Census(
        tables=tables,
        schema_digest=catalog.schema_digest,
        revision=reading.revision(),
        beside={name: Count(rows=counted.rows, digest=counted.digest) for name, counted in beside.items()},
        counters=reading.counters(),
        keys=tuple(
            Declared(child=key.child, columns=key.columns, parent=key.parent, parent_columns=key.parent_columns)
            for key in catalog.keys
            if key.parent in catalog.tables
        ),
    )


def unless_set_back(census: Census, later: dict[str, Counter]) -> Census:
    """The census without a word on counters that somebody set back while the dump was made.

    ``later`` is how far they were when it was done: nobody knows on which side of that the dump has seen one.
    """
    steady = {
        name: Counter(None, is_behind=True) if _has_gone_back(counter, later.get(name)) else counter
        for name, counter in census.counters.items()
    }
    return census.model_copy(update={"counters": steady})


def _has_gone_back(before: Counter, after: Counter | None) -> bool:
    if after is None or before.given is None or after.given is None:
        return False
    return after.given < before.given


def differences(before: Census, after: Census) -> tuple[str, ...]:
    """What is not the same, each in words; digests are compared where both were taken.

    Two that cannot be compared count as a difference: nobody knows whether the content is the same (P-96).
    """
    told = []
    for name in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(name), after.tables.get(name)
        if old is None or new is None:
            told.append(f"table {name} is {'new' if old is None else 'gone'}")
        elif old.rows != new.rows:
            told.append(f"table {name} has {new.rows} rows, not {old.rows}")
        elif old.digest and new.digest and old.kind != new.kind:
            told.append(f"the content of table {name} cannot be compared here: its digest was taken in another way")
        elif old.digest and new.digest and old.digest != new.digest:
            told.append(f"the content of table {name} differs")
    told += _differences_beside(before, after)
    told += _counters_behind(before, after)
    if before.schema_digest != after.schema_digest:
        told.append("the schema differs")
    if before.revision != after.revision:
        told.append(
            f"the revision is {', '.join(after.revision) or 'none'}, not {', '.join(before.revision) or 'none'}"
        )
    return tuple(told)


def _differences_beside(before: Census, after: Census) -> list[str]:
    told = []
    for name in sorted(before.beside.keys() | after.beside.keys()):
        old, new = (census.beside.get(name, Count(rows=0)) for census in (before, after))
        if old.rows != new.rows:
            told.append(f"there are {new.rows} {name}, not {old.rows}")
        elif old.digest and new.digest and old.digest != new.digest:
            told.append(f"the content of the {name} differs")
    return told


def _counters_behind(before: Census, after: Census) -> list[str]:
    """Generators of keys that have gone back.

    They go on while a dump is made, in no transaction, so that later they may have come further; but never less far.
    """
    told = []
    for name, old in sorted(before.counters.items()):
        new = after.counters.get(name)
        if new is None:
            told.append(f"the counter {name} is gone")
        elif _has_gone_back(old, new):
            told.append(f"the counter {name} has given {new.given} values, not {old.given}")
        elif new.is_behind and not old.is_behind:
            told.append(f"the next value of the counter {name} is taken already")
    return told
