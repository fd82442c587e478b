"""Commands about the policy: which rule meets which key, and the words that a policy may use."""

import json

import typer

from upkeep.cli.saying import Json, say
from upkeep.equipment import equip
from upkeep.finding import keys_of
from upkeep.policy import Policy

app = typer.Typer(help="Explain the policy.", no_args_is_help=True)


@app.command()
def check(as_json: Json = False) -> None:
    """Which rule meets which foreign key, what it wants on delete, and what the schema says."""
    equipment = equip()
    with equipment.database.reading() as reading:
        keys = keys_of(reading, equipment.policy)
    documents, lines = [], []
    for key in keys:
        number, rule = equipment.policy.rule_for(key)
        actions = [action.value for action in rule.orphan]
        documents.append(
            {
                "key": str(key),
                "declared": key.declared,
                "rule": number,
                "orphan": actions,
                "wanted": rule.ondelete,
                "found": key.ondelete if key.declared else None,
                "why": rule.why,
            }
        )
        met = f"rule {number}" if number else "no rule"
        differs = (
            f"; on delete {key.ondelete}, the policy wants {rule.ondelete}"
            if rule.ondelete not in (None, key.ondelete)
            else ""
        )
        lines.append(f"{key}: {met}: {', '.join(actions)}{differs}")
    idle = equipment.policy.idle_rules(keys)
    lines += [f"rule {number} meets no key: is a name in it misspelt?" for number in idle]
    say(as_json, {"keys": documents, "idle_rules": list(idle)}, "\n".join(lines))


@app.command()
def schema() -> None:
    """The JSON schema of a policy, for editors."""
    print(json.dumps(Policy.model_json_schema(by_alias=True), indent=1))
