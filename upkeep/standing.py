"""What a migration may not lose, looked at before and after it on the bench where it runs."""

from collections.abc import Collection
from dataclasses import dataclass, field

from upkeep.catalog import Part, Table
from upkeep.databases import Bench, Reading, Tally
from upkeep.sayings import called

VERSIONS = "alembic_version"
"""Alembic's own table, whose rows come and go."""
Columns = frozenset[tuple[str, str]]
"""Columns by table and name."""


@dataclass(frozen=True)
class Content:
    """What the rows of one table hold: a digest over these columns, and how many values each column has.

    ``kinds`` counts the different values of those columns alone that a revision says it will convert.
    """

    columns: tuple[tuple[str, str], ...]
    digest: str | None
    values: dict[str, int]
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Tables with their tallies, all that the schema says, its digest, and Alembic's revision.

    ``contents`` is empty where others wait and nobody may read every row.
    """

    tables: dict[str, Tally]
    parts: dict[Part, str]
    schema_digest: str
    revision: tuple[str, ...]
    contents: dict[str, Content] = field(default_factory=dict)

    def replaced_since(self, before: "Standing") -> frozenset[str]:
        """Tables of before whose rows are not kept where they were: replaced, rewritten, emptied, or gone."""
        return frozenset(
            name
            for name, tally in before.tables.items()
            if name not in self.tables or self.tables[name].storage != tally.storage
        )


def take_standing(
    bench: Bench,
    counted: Collection[str] | None,
    like: Standing | None = None,
    converted: Columns = frozenset(),
) -> Standing:
    """How things stand on ``bench``; ``counted`` are the tables whose rows must be counted, None for all.

    Where all are, contents are looked at too: as those of ``like`` were, if it is given, so that they can be compared.
    On a copy at least the values are counted, although writers wait for that: nobody else would notice there.
    """
    everything = counted is None
    with bench.reading() as reading:
        catalog, revision, parts = reading.catalog(), reading.revision(), reading.parts()
        contents = {
            name: _content(reading, table, like.contents.get(name) if like else None, converted, digest=everything)
            for name, table in catalog.tables.items()
            if name != VERSIONS and (everything or bench.is_a_copy)
        }
    return Standing(bench.tallies(counted), parts, catalog.schema_digest, revision, contents)


def _content(reading: Reading, table: Table, like: Content | None, converted: Columns, *, digest: bool) -> Content:
    here = {column.name: column.type for column in table.columns if not column.generated}
    wanted = like.columns if like else tuple(here.items())
    is_comparable = digest and bool(wanted) and all(here.get(name) == kind for name, kind in wanted)
    names = tuple(name for name, _ in wanted)
    taken = reading.count(table.name, digest=True, columns=names).digest if is_comparable else None
    kinds = tuple(name for name in here if (called(table.name), name.lower()) in converted)
    asked = [f"COUNT({reading.dialect.quote(name)})" for name in here]
    asked += [f"COUNT(DISTINCT {reading.dialect.quote(name)})" for name in kinds]
    numbers = reading.numbers(f"SELECT {', '.join(asked)} FROM {reading.dialect.source(table.name)}") if asked else ()
    return Content(
        wanted, taken, dict(zip(here, numbers, strict=False)), dict(zip(kinds, numbers[len(here) :], strict=True))
    )
