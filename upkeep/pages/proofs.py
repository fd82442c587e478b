"""What receipts say of backups: taken, proven by a restore in what time, brought back for use, removed."""

from collections.abc import Iterable
from typing import Any

from upkeep.pages.contents import Told, answer, number, part, text, words

Row = dict[str, Any]
PROOF = "proof of a backup"
USE = "restore for use"


def backup_rows(told: Iterable[Told]) -> list[Row]:
    """One row for each backup that receipts tell of; one that was proven or removed by another receipt says so too."""
    rows: dict[str, Row] = {}
    for one in told:
        backup, proof = part(one.contents, "backup"), part(one.contents, "proof")
        if name := text(backup, "id"):
            rows.setdefault(name, _taken(name, backup, one))
        proven = name or text(one.contents, "backup")
        if proven in rows and answer(proof, "holds"):
            _note(rows[proven], one, "proven", text(proof, "proven"))
        for gone in words(one.contents, "removed"):
            if gone in rows:
                _note(rows[gone], one, "removed", one.written)
    return list(rows.values())


def restore_rows(told: Iterable[Told]) -> list[Row]:
    """Every restore: of a proof into a scratch, and for use into a target; sizes are those of the backup."""
    told = tuple(told)
    sizes = {row["backup"]: row for row in backup_rows(told)}
    rows = []
    for one in told:
        proof = part(one.contents, "proof")
        said, what = (one.contents, USE) if one.kind == "restored" else (proof, PROOF)
        backup = text(one.contents, "backup", "id") or text(one.contents, "backup")
        if number(said, "restore_milliseconds") is not None:
            size = sizes.get(backup, {})
            rows.append(
                {
                    "day": one.day,
                    "when": text(proof, "proven") or one.written,
                    "what": what,
                    "backup": backup,
                    "rows": size.get("rows", number(one.contents, "rows")),
                    "plain_bytes": size.get("plain_bytes"),
                    "stored_bytes": size.get("stored_bytes"),
                    "milliseconds": number(said, "restore_milliseconds"),
                    "age_seconds": number(said, "age_seconds"),
                    "holds": answer(said, "holds"),
                    "receipts": (one.number,),
                }
            )
    return rows


def pruning_rows(told: Iterable[Told]) -> list[Row]:
    """Backups that retention removed, each with its reason."""
    rows = []
    for one in told:
        reasons = words(one.contents, "reasons")
        for place, backup in enumerate(words(one.contents, "removed") if one.kind == "pruning" else ()):
            why = reasons[place] if place < len(reasons) else ""
            rows.append({"day": one.day, "when": one.written, "backup": backup, "why": why, "receipts": (one.number,)})
    return rows


def _taken(name: str, backup: dict[str, Any], one: Told) -> Row:
    return {
        "day": one.day,
        "backup": name,
        "taken": text(backup, "taken"),
        "rows": number(backup, "rows"),
        "plain_bytes": number(backup, "plain_bytes"),
        "stored_bytes": number(backup, "stored_bytes"),
        "encryption": text(backup, "encryption"),
        "digest": text(backup, "stored_sha256"),
        "proven": "",
        "removed": "",
        "receipts": (one.number,),
    }


def _note(row: Row, one: Told, field: str, when: str) -> None:
    row[field] = row[field] or when
    row["receipts"] = tuple(dict.fromkeys((*row["receipts"], one.number)))
