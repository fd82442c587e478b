"""Foreign keys that went with the table that they pointed at: older backups alone still know of them (P-109)."""

from collections.abc import Iterable

from upkeep.catalog import Catalog
from upkeep.manifests import Manifest
from upkeep.models import LostKey


def lost_keys(catalog: Catalog, revision: tuple[str, ...], newest_first: Iterable[Manifest]) -> tuple[LostKey, ...]:
    """The keys whose parent table is gone while their columns are there, each with the newest backup that declares it.

    Where the backup is of another revision the application's own migrations may have dropped the table.
    """
    declared = {(key.child, key.columns) for key in catalog.keys}
    found: dict[tuple[str, tuple[str, ...], str], LostKey] = {}
    for manifest in newest_first:
        for key in manifest.census.keys if manifest.census.revision == revision else ():
            child, at = catalog.tables.get(key.child), (key.child, key.columns, key.parent)
            if child is None or key.parent in catalog.tables or at[:2] in declared or at in found:
                continue
            if {*key.columns} <= {*child.stored}:
                found[at] = LostKey(**key.model_dump(), backup=manifest.id)
    return tuple(found.values())
