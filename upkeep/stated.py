"""The references of a policy as foreign keys of one database: globs spelt out, one key for each type and each mark."""

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from upkeep.catalog import Catalog, ForeignKey, Table
from upkeep.databases import Reading
from upkeep.errors import Refused
from upkeep.policy import Columns, Policy, Reference

_SIGNS = "*?["


def stated_keys(reading: Reading, policy: Policy) -> tuple[ForeignKey, ...]:
    """All of them, as the engine sees them."""
    catalog = reading.catalog()
    _refuse_arrays(reading, policy)
    written = (key for reference in policy.reference for key in keys_of_reference(reference, catalog))
    return tuple(_with_options(reading.stated(key), catalog) for key in written)


def _refuse_arrays(reading: Reading, policy: Policy) -> None:
    """An engine without arrays would take their names for columns that are not there."""
    stated = next((one.child for one in policy.reference if one.child.elements), None)
    if stated and not reading.dialect.elements("a"):
        raise Refused(
            f"the policy states {stated} as an array, and this database has none",
            "remove that [[reference]]; the elements of a list in JSON or in a text are not asked",
        )


def idle_references(policy: Policy, catalog: Catalog) -> tuple[int, ...]:
    """Numbers, counted from 1, of the references whose globs meet no column: most often a misspelt name."""
    return tuple(n for n, one in enumerate(policy.reference, 1) if not any(keys_of_reference(one, catalog)))


def rows_of_other_kinds(reading: Reading, policy: Policy) -> dict[int, int]:
    """By the number of the reference, counted from 1, the rows that point and whose kind it does not name (P-49)."""
    dialect, tables = reading.dialect, reading.catalog().tables
    found: dict[int, int] = {}
    for number, reference in enumerate(policy.reference, 1):
        words = ", ".join(map(dialect.literal, reference.types))
        for child in _met(reference.child, reading.catalog()) if reference.type else ():
            table = tables.get(child.table)
            kind = _spelt(table, reference.type or "") if table else None
            if table is None or kind is None or any(table.column(column) is None for column in child.columns):
                continue
            points = " AND ".join(f"c.{dialect.quote(column)} IS NOT NULL" for column in child.columns)
            said = f"c.{dialect.quote(kind)}"
            other = f"({said} IS NULL OR {dialect.as_text(said)} NOT IN ({words}))"
            (rows,) = reading.numbers(
                f"SELECT COUNT(*) FROM {dialect.source(table.name)} AS c WHERE {points} AND {other}"
            )
            found[number] = found.get(number, 0) + rows
    return {number: rows for number, rows in found.items() if rows}


def keys_of_reference(reference: Reference, catalog: Catalog) -> Iterator[ForeignKey]:
    """The keys that one reference states, by the names that it was written with where it has no globs."""
    targets = [(None, reference.parent)] if reference.parent else []
    kinds = [((reference.type or "", kind), parent) for kind, parent in reference.types.items()]
    for child in _met(reference.child, catalog):
        for when, parent in (*targets, *kinds):
            if (child.table, child.columns) == (parent.table, parent.columns):
                continue  # a glob that meets the parent's own column
            key = ForeignKey(
                child.table,
                tuple(f"{name}[]" for name in child.columns) if child.elements else child.columns,
                parent.table,
                parent.columns,
                ondelete="",
                declared=False,
                when=when,
                elements=child.elements,
                stated_by="the policy",
            )
            yield key
            if reference.deleted:
                yield replace(key, deleted=reference.deleted)


def _met(written: Columns, catalog: Catalog) -> Iterator[Columns]:
    if not any(sign in text for text in (written.table, *written.columns) for sign in _SIGNS):
        yield written
        return
    for table in catalog.tables.values():
        if not fnmatchcase(table.name.lower(), written.table.lower()):
            continue
        there = written.elements
        fit = [c.name for c in table.columns if not c.generated and (c.type.endswith("[]") or not there)]
        columns = [[name for name in fit if fnmatchcase(name.lower(), c.lower())] for c in written.columns]
        if len(columns) == 1:
            yield from (Columns(table=table.name, columns=(name,), elements=there) for name in columns[0])
        elif all(len(names) == 1 for names in columns):
            yield Columns(table=table.name, columns=tuple(name for (name,) in columns))


def _with_options(key: ForeignKey, catalog: Catalog) -> ForeignKey:
    """The key with the real spelling of what beside its columns it reads; one that is not there is its fault."""
    if key.when and (child := catalog.tables.get(key.child)):
        column = _spelt(child, key.when[0])
        if column is None:
            return replace(key, fault=f"{key.child} has no column {key.when[0]}", askable=False)
        key = replace(key, when=(column, key.when[1]))
    if key.deleted and (parent := catalog.tables.get(key.parent)):
        column = _spelt(parent, key.deleted)
        if column is None:
            return replace(key, fault=f"{key.parent} has no column {key.deleted}", askable=False)
        # A parent that is there may be marked, so nothing may be passed over because it is there.
        return replace(key, deleted=column, alike=False)
    return key


def _spelt(table: Table, name: str) -> str | None:
    return next((column.name for column in table.columns if column.name.lower() == name.lower()), None)
