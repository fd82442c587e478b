"""The health of a schema: what is wrong with it whatever its rows are, how bad it is, and the code that mends it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from upkeep.catalog import Catalog, ForeignKey
from upkeep.missing_indexes import missing_indexes, serving
from upkeep.models import SILENT, Models, shown_as
from upkeep.numbers import listed, several
from upkeep.ondelete import OnDelete, impossible
from upkeep.orphans import Dialect

_ONDELETE = "upkeep policy ondelete --write"


class Severity(StrEnum):
    """How bad it is: a key does not do its work, it will hurt some day, or it should be known."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong: the rule that it breaks, the table or key, what is seen, and what mends it.

    ``mend`` is a line for an Alembic revision, or says what has to be decided; ``command`` is one of ours that writes
    it, or ''.
    """

    rule: str
    severity: Severity
    about: str
    seen: str
    mend: str
    command: str = ""


def judge_health(
    catalog: Catalog, wishes: tuple[OnDelete, ...], dialect: Dialect, models: Models = SILENT
) -> tuple[Flaw, ...]:
    """All flaws of the declared keys and the tables, the worst first.

    ``wishes`` are what the policy wants of every key, those included that the policy or the models alone state.
    """
    flaws = [
        *(flaw for key in catalog.keys for flaw in _of_one_key(catalog, key, dialect)),
        *_of_keys_together(catalog.keys, dialect),
        *_unserved(catalog, dialect),
        *_of_policy(wishes),
        *_of_models(wishes),
        *_nullable(catalog, models, dialect),
        *_without_primary_key(catalog, dialect),
        *_unnamed_checks(catalog),
    ]
    worst_first = list(Severity)
    return tuple(sorted(flaws, key=lambda flaw: (worst_first.index(flaw.severity), flaw.rule, flaw.about)))


def _of_one_key(catalog: Catalog, key: ForeignKey, dialect: Dialect) -> Iterator[Flaw]:
    about = str(key)
    if key.parent_missing:
        seen = f"the table {key.parent} is gone"
        yield Flaw("parent-missing", Severity.CRITICAL, about, seen, "bring the table back from a backup that has it")
    elif not _is_unique(catalog, key):
        yield _not_unique(key, dialect)
    elif key.fault:
        yield Flaw("key-unusable", Severity.CRITICAL, about, key.fault, "correct the columns that it names")
    if not key.validated:
        seen = "it was never held against the rows that were there before it"
        mend = f"ALTER TABLE {dialect.table(key.child)} VALIDATE CONSTRAINT {dialect.quote(key.names[0])}"
        yield Flaw("key-unvalidated", Severity.WARNING, about, seen, f"op.execute({mend!r})")
    if "" in key.names:
        yield _unnamed(key)
    if hindered := impossible(catalog, key, key.ondelete):
        seen = f"says ON DELETE {key.ondelete}, but {hindered}: no parent can be deleted"
        mend = "let a rule of the policy want RESTRICT or CASCADE for it"
        yield Flaw("ondelete-impossible", Severity.CRITICAL, about, seen, mend, _ONDELETE)
    yield from _ill_typed(catalog, key, dialect)


def _is_unique(catalog: Catalog, key: ForeignKey) -> bool:
    """Can only one row of the parent be meant? Of a parent that is no table here nothing is said."""
    parent = catalog.tables.get(key.parent)
    if parent is None:
        return True
    if parent.primary_key and set(parent.primary_key) <= set(key.parent_columns):
        return True
    return any(index.is_unique and index.serves(key.parent_columns) for index in parent.indexes)


def _not_unique(key: ForeignKey, dialect: Dialect) -> Flaw:
    name = f"uq_{key.parent}_{'_'.join(key.parent_columns)}"
    mend = _batch(key.parent, dialect, f"create_unique_constraint({name!r}, {list(key.parent_columns)!r})")
    severity = Severity.CRITICAL if key.fault else Severity.WARNING
    seen = key.fault or "several rows of the parent may be meant: they are neither its primary key nor unique"
    return Flaw("parent-not-unique", severity, str(key), seen, mend)


def _batch(table: str, dialect: Dialect, operation: str) -> str:
    """One operation as a line of Alembic's that is plain ALTER TABLE where the engine has it."""
    return f"with op.batch_alter_table({_arguments(table, dialect)}) as batch: batch.{operation}"


def _arguments(table: str, dialect: Dialect, between: str = "") -> str:
    name, schema = dialect.placed(table)
    return f"{name!r}{between}" + (f", schema={schema!r}" if schema else "")


def _unnamed(key: ForeignKey) -> Flaw:
    seen = "it has no name, so that no migration can drop it by one"
    mend = 'MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s"}), and batch_alter_table with it'
    return Flaw("constraint-unnamed", Severity.INFO, str(key), seen, mend)


def _ill_typed(catalog: Catalog, key: ForeignKey, dialect: Dialect) -> Iterator[Flaw]:
    child, parent = catalog.tables.get(key.child), catalog.tables.get(key.parent)
    if child is None or parent is None:
        return
    for of, to in zip(key.columns, key.parent_columns, strict=False):
        ours, theirs = child.column(of), parent.column(to)
        if ours and theirs and ours.kind != theirs.kind:
            seen = f"{of} is {ours.type or 'of no type'}, {to} is {theirs.type or 'of no type'}"
            mend = _batch(key.child, dialect, f"alter_column({of!r}, type_=...)  # as {key.parent}.{to}: {theirs.type}")
            yield Flaw("type-mismatch", Severity.WARNING, str(key), seen, mend)


def _of_keys_together(keys: tuple[ForeignKey, ...], dialect: Dialect) -> Iterator[Flaw]:
    by_child: dict[str, list[ForeignKey]] = defaultdict(list)
    for key in keys:
        by_child[key.child].append(key)
        if len(key.names) > 1:
            seen = f"declared {len(key.names)} times: {', '.join(name or 'without a name' for name in key.names)}"
            yield Flaw("key-duplicate", Severity.WARNING, str(key), seen, _dropping(key, key.names[-1], dialect))
    for of_one in by_child.values():
        for place, key in enumerate(of_one):
            for other in of_one[place + 1 :]:
                yield from _overlap(key, other, dialect)


def _overlap(key: ForeignKey, other: ForeignKey, dialect: Dialect) -> Iterator[Flaw]:
    shared = [column for column in key.columns if column in other.columns]
    if not shared:
        return
    if _target(key) == _target(other):
        seen = f"declared twice and not alike: ON DELETE {key.ondelete}, ON DELETE {other.ondelete}"
        yield Flaw(
            "key-duplicate", Severity.CRITICAL, str(key), seen, _dropping(other, (other.names or ("",))[-1], dialect)
        )
    elif set(key.columns) == set(other.columns):
        seen = f"the same columns point at {_where(other)} too: a value must stand in both"
        yield Flaw(
            "key-overlapping", Severity.WARNING, str(key), seen, _dropping(other, (other.names or ("",))[-1], dialect)
        )
    else:
        seen = f"shares {', '.join(shared)} with {other}: what one of them empties the other misses"
        mend = "none, if both are meant; neither should say SET NULL then"
        yield Flaw("key-overlapping", Severity.INFO, str(key), seen, mend)


def _target(key: ForeignKey) -> tuple[str, frozenset[tuple[str, str]]]:
    return key.parent.lower(), frozenset(zip(key.columns, key.parent_columns, strict=False))


def _where(key: ForeignKey) -> str:
    return f"{key.parent}({', '.join(key.parent_columns)})"


def _dropping(key: ForeignKey, name: str, dialect: Dialect) -> str:
    if not name:
        return "give the keys names (constraint-unnamed), then drop one of them"
    return _batch(key.child, dialect, f"drop_constraint({name!r}, type_='foreignkey')")


def _unserved(catalog: Catalog, dialect: Dialect) -> Iterator[Flaw]:
    for wanted in missing_indexes(catalog, catalog.keys):
        made = _arguments(wanted.table, dialect, f", {list(wanted.columns)!r}")
        mend = f"op.create_index({wanted.name!r}, {made})"
        for key in wanted.keys:
            partly = serving(catalog, key, partly=True)
            seen = "no index serves it: whoever deletes a parent reads the whole table"
            if partly:
                seen = f"no index serves all of its columns; {partly.name} serves some of them"
            severity = Severity.INFO if partly else Severity.WARNING
            yield Flaw("index-missing", severity, str(key), seen, mend, "upkeep policy indexes --write")


def _of_models(wishes: Iterable[OnDelete]) -> Iterator[Flaw]:
    """What policy and models say of keys that the schema says otherwise or not at all."""
    for key in (wish.key for wish in wishes):
        if key.declared and key.meant:
            seen = f"{key.meant} is meant: orphans of it are no fault of the rows (P-108)"
            yield Flaw("key-misdeclared", Severity.CRITICAL, str(key), seen, f"drop the key, and create {key.meant}")
        elif not (key.declared or key.elements):
            severity = Severity.INFO if key.stated_by == "the policy" else Severity.WARNING
            seen = f"stated by {key.stated_by}, and not declared: the database does not keep it"
            yield Flaw("key-undeclared", severity, str(key), seen, f"create {key}")


def _nullable(catalog: Catalog, models: Models, dialect: Dialect) -> Iterator[Flaw]:
    for modelled in models.tables:
        name = shown_as(modelled.name, modelled.namespace, catalog)
        for column in modelled.columns if name else ():
            there = catalog.tables[name].column(column.name) if name else None
            if name and there and there.nullable and not (column.nullable or column.primary_key or there.generated):
                mend = _batch(name, dialect, f"alter_column({column.name!r}, nullable=False)")
                seen = "the models say that it may not be NULL, the database lets it be"
                yield Flaw("column-nullable", Severity.WARNING, f"{name}.{column.name}", seen, mend)


def _of_policy(wishes: Iterable[OnDelete]) -> Iterator[Flaw]:
    for wish in wishes:
        if wish.is_to_change:
            seen = f"says ON DELETE {wish.found}, rule {wish.rule} wants {wish.wanted}"
            mend = f"drop the key, and create it with ondelete={wish.wanted!r}"
            yield Flaw("ondelete-differs", Severity.WARNING, str(wish.key), seen, mend, _ONDELETE)
        elif wish.differs and wish.key.declared and not (wish.key.fault or wish.key.parent_missing):
            seen = f"rule {wish.rule} wants ON DELETE {wish.wanted}, but {wish.obstacle}"
            yield Flaw("policy-impossible", Severity.WARNING, str(wish.key), seen, "correct the rule, or the column")


def _without_primary_key(catalog: Catalog, dialect: Dialect) -> Iterator[Flaw]:
    for name, table in catalog.tables.items():
        if not table.primary_key:
            seen = "it has no primary key: equal rows cannot be told apart, and no repair can name one"
            mend = _batch(name, dialect, f"create_primary_key({f'pk_{name}'!r}, [...])")
            yield Flaw("primary-key-missing", Severity.WARNING, name, seen, mend)


def _unnamed_checks(catalog: Catalog) -> Iterator[Flaw]:
    for name, table in catalog.tables.items():
        if table.unnamed_checks:
            told = several(len(table.unnamed_checks), "CHECK")
            seen = f"{told} without a name, so that no migration can drop it by one, and a batch may lose it (P-77)"
            mend = "name each where it is written: CheckConstraint(..., name=...)"
            yield Flaw("check-unnamed", Severity.INFO, name, f"{seen}: {listed(table.unnamed_checks)}", mend)
