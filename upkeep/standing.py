"""What a migration may not lose, looked at before and after it on the bench where it runs."""

from collections.abc import Collection
from dataclasses import dataclass

from upkeep.databases import Bench, Tally


@dataclass(frozen=True)
class Standing:
    """Tables with their tallies, triggers by name, the digest of the schema and Alembic's revision."""

    tables: dict[str, Tally]
    triggers: frozenset[str]
    schema_digest: str
    revision: tuple[str, ...]

    def replaced_since(self, before: "Standing") -> frozenset[str]:
        """Tables of before whose rows are not kept where they were: replaced, rewritten, emptied, or gone."""
        return frozenset(
            name
            for name, tally in before.tables.items()
            if name not in self.tables or self.tables[name].storage != tally.storage
        )


def take_standing(bench: Bench, counted: Collection[str] | None) -> Standing:
    """How things stand on ``bench``; ``counted`` are the tables whose rows must be counted, None for all."""
    with bench.reading() as reading:
        catalog, revision = reading.catalog(), reading.revision()
    triggers = frozenset(trigger.name for table in catalog.tables.values() for trigger in table.triggers)
    return Standing(bench.tallies(counted), triggers, catalog.schema_digest, revision)
