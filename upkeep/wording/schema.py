"""What is said of a schema: its health, what its keys say on delete, the indexes that they miss."""

from collections.abc import Iterable
from typing import Any

from upkeep.catalog import Catalog, ForeignKey
from upkeep.health import Flaw, Severity
from upkeep.missing_indexes import MissingIndex, serving
from upkeep.numbers import several
from upkeep.ondelete import OnDelete
from upkeep.schema_difference import Written
from upkeep.wording.lines import folded


def key_document(key: ForeignKey) -> dict[str, Any]:
    """One key as JSON."""
    return {
        "key": str(key),
        "child": key.child,
        "columns": list(key.columns),
        "parent": key.parent,
        "parent_columns": list(key.parent_columns),
        "declared": key.declared,
        "names": list(key.names),
    }


def flaw_document(flaw: Flaw) -> dict[str, Any]:
    """One flaw as JSON."""
    return {
        "rule": flaw.rule,
        "severity": flaw.severity.value,
        "about": flaw.about,
        "seen": flaw.seen,
        "mend": flaw.mend,
        "command": flaw.command or None,
    }


def health(name: str, catalog: Catalog, flaws: tuple[Flaw, ...]) -> str:
    """How healthy the schema is, in one line; then each rule that is broken, by whom, and what mends it."""
    looked = f"{several(len(catalog.tables), 'table')}, {several(len(catalog.keys), 'foreign key')}"
    if not flaws:
        return f"{name}: nothing is wrong with the schema ({looked})"
    counted = ", ".join(f"{n} {severity.value}" for severity in Severity if (n := _number(flaws, severity)))
    lines = [f"{name}: {several(len(flaws), 'flaw')} of the schema: {counted} ({looked})"]
    for rule, severity in dict.fromkeys((flaw.rule, flaw.severity) for flaw in flaws):
        lines += ["", *_alike([flaw for flaw in flaws if (flaw.rule, flaw.severity) == (rule, severity)])]
    return "\n".join(lines)


def _alike(flaws: list[Flaw]) -> list[str]:
    """Flaws of one rule: what is the same for all of them is said once."""
    first = flaws[0]
    told_once = first.seen if len({flaw.seen for flaw in flaws}) == 1 else ""
    lines = folded(f"{first.rule} ({first.severity.value}, {len(flaws)}): ", told_once)
    lines += [f"  mend: `{first.command}`"] if first.command else []
    for flaw in flaws:
        lines += folded("  ", flaw.about if told_once else f"{flaw.about}: {flaw.seen}")
        lines += [] if flaw.command else folded("      mend: ", flaw.mend)
    return [line.rstrip() for line in lines]


def _number(flaws: Iterable[Flaw], severity: Severity) -> int:
    return sum(flaw.severity is severity for flaw in flaws)


def wish_document(wish: OnDelete) -> dict[str, Any]:
    """What one key says on delete and what is wanted, as JSON."""
    return key_document(wish.key) | {
        "rule": wish.rule,
        "wanted": wish.wanted,
        "found": wish.found,
        "differs": wish.differs,
        "obstacle": wish.obstacle,
        "why": wish.why,
    }


def ondelete(name: str, wishes: tuple[OnDelete, ...], *, write: bool) -> str:
    """How many keys say what is wanted, in one line; then those that do not, and those that cannot."""
    changing = [wish for wish in wishes if wish.is_to_change]
    hindered = [wish for wish in wishes if wish.differs and wish.obstacle]
    silent = sum(wish.wanted is None for wish in wishes)
    told = f"{len(changing)} of {several(len(wishes), 'foreign key')} do not say on delete what the policy wants"
    lines = [f"{name}: {told}" + (f"; of {silent} it wants nothing" if silent else "")]
    for wish in changing:
        lines += folded("  ", f"{wish.key}: {wish.found}, rule {wish.rule} wants {wish.wanted}: {wish.why or 'no why'}")
    for wish in hindered:
        lines += folded("  cannot: ", f"{wish.key}: rule {wish.rule} wants {wish.wanted}, but {wish.obstacle}")
    if changing and not write:
        lines.append("next: `upkeep policy ondelete --write` writes the Alembic revision")
    return "\n".join(lines)


def index_documents(catalog: Catalog, missing: tuple[MissingIndex, ...]) -> list[dict[str, Any]]:
    """Each declared key with the index that serves it or should, as JSON; an index that is found may be nameless."""
    wanted = {key: index for index in missing for key in index.keys}
    documents = []
    for key in catalog.keys:
        found, lacking = serving(catalog, key), wanted.get(key)
        documents.append(
            key_document(key)
            | {
                "rule": "index-missing" if lacking else None,
                "wanted": {"name": lacking.name, "columns": list(lacking.columns)} if lacking else None,
                "found": found.name if found else None,
            }
        )
    return documents


def indexes(name: str, catalog: Catalog, missing: tuple[MissingIndex, ...], *, write: bool) -> str:
    """How many keys no index serves, in one line; then the indexes that would."""
    unserved = sum(len(index.keys) for index in missing)
    lines = [f"{name}: {unserved} of {several(len(catalog.keys), 'foreign key')} are served by no index"]
    for index in missing:
        lines += folded("  ", f"{index} for {'; '.join(map(str, index.keys))}")
    if missing and not write:
        lines.append("next: `upkeep policy indexes --write` writes the Alembic revision")
    return "\n".join(lines)


def written_document(written: Written) -> dict[str, Any]:
    """What came of writing a revision, as JSON; ``revision`` is None where there was nothing to write."""
    return {
        "revision": written.revision or None,
        "file": str(written.place) if written.place else None,
        "builds_on": written.builds_on or None,
        "left_out": list(written.left_out),
        "models": [str(one) for one in written.models],
        "models_unasked": written.models_unasked or None,
    }


def written(written: Written) -> str:
    """Where the revision stands and what a person does with it; or that there was nothing to write."""
    lines = [line for told in written.left_out for line in folded("left out: ", told)]
    if written.place is None:
        return "\n".join([*lines, "nothing to write: at the head of the migrations the schema says what is wanted"])
    lines.insert(0, f"written: {written.place}")
    if written.models:
        lines += folded("models: ", "write it there too, or `alembic check` takes these for differences from now on")
        lines += [line for one in written.models for line in folded("  ", str(one))]
    if written.models_unasked:
        lines += folded("models: ", f"they could not be compared: {written.models_unasked}")
    lines.append("rehearsed on a copy of the database: upgrade, downgrade, and the schema was as before")
    lines.append("next: read it and commit it; `upkeep maintain` rehearses it with all that is pending")
    return "\n".join(lines)
