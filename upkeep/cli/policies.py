"""Commands about the policy: which rule meets which key, and the words that a policy may use."""

from typing import Any

import typer

from upkeep.candidates import candidates
from upkeep.catalog import ForeignKey
from upkeep.cli import schemas
from upkeep.cli.looking import equipped_with_models
from upkeep.cli.saying import Json, say
from upkeep.finding import keys_of
from upkeep.numbers import several
from upkeep.policy import Policy
from upkeep.stated import idle_references, rows_of_other_kinds
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
    documents = [_document(equipment.policy, key) for key in keys]
    idle = equipment.policy.idle_rules(keys)
    wide = max((len(document["key"]) for document in documents), default=0)
    lines = [line for document in documents for line in folded(f"{document['key']:{wide}}  ", _told(document))]
    lines += [f"rule {number} meets no key: is a name in it misspelt?" for number in idle]
    lines += [f"reference {number} meets no column: is a name in it misspelt?" for number in unmet]
    lines += [f"reference {n}: {several(rows, 'row')} of a kind that it does not name" for n, rows in strange.items()]
    told = {"keys": documents, "idle_rules": list(idle), "idle_references": list(unmet), "other_kinds": strange}
    say(as_json, told, "\n".join(lines) or "the database has no foreign key")


@app.command()
def references(as_json: Json = False) -> None:
    """Columns that look like references which nobody declares, what speaks for each, and what to write for it."""
    equipment = equipped_with_models()
    with equipment.database.reading() as reading:
        found = tuple(candidates(reading, keys_of(reading, equipment.policy, equipment.models)))
    lines = [line for one in found for line in folded(f"{one.table}.{one.column}: ", str(one))]
    written = [one.toml for one in found if one.toml]
    lines += ["", "to have them asked, write into the policy:", "", *written] if written else []
    told = "\n".join(lines).rstrip() or "no column looks like a reference that is not declared"
    say(as_json, {"candidates": [one.document() for one in found]}, told)


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
    }


def _told(document: dict[str, Any]) -> str:
    met = f"rule {document['rule']}" if document["rule"] else "no rule"
    wanted, found = document["wanted"], document["found"]
    differs = f"; on delete: {found or 'not declared'}, wanted: {wanted}" if wanted not in (None, found) else ""
    enforce = "; to be enforced" if document["enforce"] else ""
    return f"{met}: {', '.join(document['orphan'])}{differs}{enforce}"
