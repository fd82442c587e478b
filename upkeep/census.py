"""What a database held at one moment, and how two such moments differ."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from upkeep.databases import Reading


class Count(BaseModel):
    """Rows of one table and the digest of their content (None where it was not taken)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Annotated[int, Field(ge=0)]
    digest: str | None = None


class Census(BaseModel):
    """Rows and content digest per table, the digest of the schema and the Alembic revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[str, Count]
    schema_digest: str
    revision: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(count.rows for count in self.tables.values())

    @property
    def has_digests(self) -> bool:
        """Were content digests taken?"""
        return any(count.digest for count in self.tables.values())


def take_census(reading: Reading, *, digests: bool, progress: Callable[[str], None] = lambda _: None) -> Census:
    """Count what a reading shows; ``digests`` reads every row. ``progress`` hears each table's name first."""
    catalog = reading.catalog()
    tables = {}
    for name in sorted(catalog.tables):
        progress(name)
        counted = reading.count(name, digest=digests)
        tables[name] = Count(rows=counted.rows, digest=counted.digest)
    return Census(tables=tables, schema_digest=catalog.schema_digest, revision=reading.revision())


def differences(before: Census, after: Census) -> tuple[str, ...]:
    """What is not the same, each in words; digests are compared where both were taken."""
    told = []
    for name in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(name), after.tables.get(name)
        if old is None or new is None:
            told.append(f"table {name} is {'new' if old is None else 'gone'}")
        elif old.rows != new.rows:
            told.append(f"table {name} has {new.rows} rows, not {old.rows}")
        elif old.digest and new.digest and old.digest != new.digest:
            told.append(f"the content of table {name} differs")
    if before.schema_digest != after.schema_digest:
        told.append("the schema differs")
    if before.revision != after.revision:
        told.append(
            f"the revision is {', '.join(after.revision) or 'none'}, not {', '.join(before.revision) or 'none'}"
        )
    return tuple(told)
