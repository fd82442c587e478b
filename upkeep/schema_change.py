"""What a revision is to do to a schema for the policy's sake, and how the schema is meant to be afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from upkeep.catalog import Catalog, ForeignKey, Index
from upkeep.databases import Reading
from upkeep.drafts import Draft, draft_indexes
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.missing_indexes import MissingIndex, missing_indexes
from upkeep.models import Models
from upkeep.ondelete import judge_ondelete
from upkeep.policy import Policy


@dataclass(frozen=True)
class Change:
    """What a revision is to do: its message, its lines, and the catalog as it is meant to be afterwards.

    ``about`` are the tables and columns that it speaks of, as Alembic names them.
    """

    message: str
    draft: Draft
    meant: Catalog
    about: frozenset[tuple[str, tuple[str, ...]]]


def ondelete_change(policy: Policy, models: Models, reading: Reading) -> Change:
    """Every key that does not say on delete what the policy wants, and can."""
    catalog = reading.catalog()
    wishes = judge_ondelete(catalog, keys_of(reading, policy, models), policy, reading.kept_as)
    wanted = {wish.key: wish.wanted for wish in wishes if wish.is_to_change and wish.wanted}
    draft = reading.draft_ondelete(wanted)
    done = {key: ondelete for key, ondelete in wanted.items() if key not in draft.left_out}
    about = frozenset((reading.dialect.placed(key.child)[0], key.columns) for key in done)
    return Change("Say on delete what the policy wants", draft, with_ondelete(catalog, done), about)


def index_change(reading: Reading, *, concurrently: bool) -> Change:
    """An index for every foreign key that none serves."""
    catalog = reading.catalog()
    if concurrently and not reading.dialect.beside_writers:
        raise Refused("this engine knows no CREATE INDEX CONCURRENTLY", "leave --concurrently out")
    missing = missing_indexes(catalog, catalog.keys)
    draft = draft_indexes(missing, reading.dialect, concurrently=concurrently)
    about = frozenset((reading.dialect.placed(index.table)[0], index.columns) for index in missing)
    return Change("Index the foreign keys that no index serves", draft, with_indexes(catalog, missing), about)


def with_ondelete(catalog: Catalog, wanted: Mapping[ForeignKey, str]) -> Catalog:
    """The catalog as it is once these keys say this on delete."""
    keys = tuple(replace(key, ondelete=wanted.get(key, key.ondelete)) for key in catalog.keys)
    return replace(catalog, keys=keys)


def with_indexes(catalog: Catalog, made: Iterable[MissingIndex]) -> Catalog:
    """The catalog as it is once these indexes are there."""
    tables = dict(catalog.tables)
    for index in made:
        table = tables[index.table]
        tables[index.table] = replace(table, indexes=(*table.indexes, Index(index.name, index.columns)))
    return replace(catalog, tables=tables)
