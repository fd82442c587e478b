"""Commands about the policy: which rule meets which key, and the words that a policy may use."""

from typing import Annotated, Any

import typer

from upkeep.candidates import Candidate, candidates
from upkeep.catalog import Catalog, ForeignKey
from upkeep.cli import schemas
from upkeep.cli.looking import equipped_with_models
from upkeep.cli.saying import Json, say
from upkeep.errors import Refused
from upkeep.finding import keys_of
from upkeep.numbers import several
from upkeep.policy import Policy
from upkeep.policy_file import add_references
from upkeep.stated import idle_references, rows_of_other_kinds
from upkeep.tombstones import idle_tombstones
from upkeep.wording.lines import folded

app = typer.Typer(help="Explain the policy, and what it wants of the schema.")
schemas.add_to(app)


@app.command()
def check(as_json: Json = False) -> None:
    """Which rule meets which foreign key, what it wants on delete, and what the schema says."""
    equipment = equipped_with_models()
    with equipment.database.reading() as reading:
        keys = keys_of(reading, equipment.policy, equipment.models)
        unmet = idle_references(equipment.policy, reading.catalog())
        strange = rows_of_other_kinds(reading, equipment.policy)
        graves = idle_tombstones(equipment.policy, reading.catalog())
    documents = [_document(equipment.policy, key) for key in keys]
    idle = equipment.policy.idle_rules(keys)
    wide = max((len(document["key"]) for document in documents), default=0)
    lines = [line for document in documents for line in folded(f"{document['key']:{wide}}  ", _told(document))]
    if not equipment.settings.policy.exists():
        lines.append(f"there is no policy file {equipment.settings.policy}: is UPKEEP_POLICY right?")
    lines += [f"rule {number} meets no key: is a name in it misspelt?" for number in idle]
    lines += [f"reference {number} meets no column: is a name in it misspelt?" for number in unmet]
    lines += [f"tombstone {number} names a table that is not there: is it misspelt?" for number in graves]
    lines += [f"reference {n}: {several(rows, 'row')} of a kind that it does not name" for n, rows in strange.items()]
    lines += [
        f"{document['key']}: {document['fault']}: is a name in its [[reference]] misspelt?"
        for document in documents
        if document["fault"] and document["stated_by"] == "the policy"
    ]
    told = {"keys": documents, "idle_rules": list(idle), "idle_references": list(unmet), "other_kinds": strange}
    told["idle_tombstones"] = list(graves)
    say(as_json, told, "\n".join(lines) or "the database has no foreign key")


@app.command()
def references(
    write: Annotated[bool, typer.Option("--write", help="Write the likely ones into the policy file.")] = False,
    include: Annotated[
        list[str] | None, typer.Option(metavar="TABLE.COLUMN", help="Write this one alone; may be given again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Columns that look like references which nobody declares, what speaks for each, and what to write for it."""
    equipment = equipped_with_models()
    if include and not write:
        raise Refused("--include says what is to be written, and nothing is to be", "add --write")
    with equipment.database.reading() as reading:
        catalog = reading.catalog()
        found = tuple(candidates(reading, keys_of(reading, equipment.policy, equipment.models)))
    accepted = _accepted(found, tuple(include or ()), catalog)
    lines = [line for one in found for line in folded(f"{one.table}.{one.column}: ", str(one))]
    blocks = [one.toml for one in accepted]
    file = equipment.settings.policy
    if write and blocks:
        add_references(file, equipment.policy, tuple(blocks))
    said = f"written into {file.name}:" if write else "to have them asked, say --write, or write into the policy:"
    lines += ["", said, "", *blocks] if blocks else ["", "nothing to write"] * write
    told = "\n".join(lines).strip() or "no column looks like a reference that is not declared"
    written = [f"{one.table}.{one.column}" for one in accepted] if write else []
    say(as_json, {"candidates": [one.document() for one in found], "written": written}, told)


def _accepted(found: tuple[Candidate, ...], include: tuple[str, ...], catalog: Catalog) -> tuple[Candidate, ...]:
    """The candidates for which something speaks; of those that are named, all must be such."""
    likely = {f"{one.table}.{one.column}": one for one in found if one.toml}
    for name in include:
        table, _, column = name.rpartition(".")
        known = catalog.tables.get(table)
        if known is None or known.column(column) is None:
            raise Refused(f"the database has no column {name}", "write it as table.column, as the list shows it")
        if name not in likely:
            told = f"nothing but values speaks for {name}, or its reference is known already"
            raise Refused(told, "if you know where it points, write the [[reference]] yourself")
    return tuple(one for name, one in likely.items() if name in include or not include)


@app.command()
def schema(_as_json: Json = True) -> None:
    """The JSON schema of a policy, for editors; always JSON."""
    say(True, Policy.model_json_schema(by_alias=True), "")


def _document(policy: Policy, key: ForeignKey) -> dict[str, Any]:
    number, rule = policy.rule_for(key)
    return {
        "key": str(key),
        "declared": key.declared,
        "stated_by": key.stated_by or None,
        "meant": f"{key.meant.parent}({', '.join(key.meant.parent_columns)})" if key.meant else None,
        "rule": number,
        "orphan": [action.value for action in rule.orphan],
        "wanted": rule.ondelete,
        "found": key.ondelete if key.declared else None,
        "enforce": rule.enforce,
        "why": rule.why,
        "fault": _fault(key),
    }


def _told(document: dict[str, Any]) -> str:
    met = f"rule {document['rule']}" if document["rule"] else "no rule"
    wanted, found = document["wanted"], document["found"]
    differs = f"; on delete: {found or 'not declared'}, wanted: {wanted}" if wanted not in (None, found) else ""
    enforce = "; to be enforced" if document["enforce"] else ""
    fault = f"; {document['fault']}" if document["fault"] else ""
    return f"{met}: {', '.join(document['orphan'])}{differs}{enforce}{fault}"


def _fault(key: ForeignKey) -> str | None:
    """What is wrong with a key itself; whether a table was dropped or never there nobody can tell here."""
    return key.fault or (f"there is no table {key.parent}" if key.parent_missing else None)
