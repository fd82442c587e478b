"""The file that a policy stands in: how it is read, and how references are added that a person has accepted."""

import os
import shutil
import tomllib
from pathlib import Path

from pydantic import ValidationError

from upkeep.errors import Refused
from upkeep.policy import SILENCE, Action, Policy

_AGAIN = "nothing was written; run it again"
_IN_OUR_WORDS = {
    "extra_forbidden": "unknown word",
    "missing": "is missing",
    "tuple_type": 'write a list: ["...", "..."]',
}


def load_policy(path: Path) -> Policy:
    """The policy in a TOML file; a file that is not there is silence. Raises Refused with every fault at once."""
    if not path.exists():
        return SILENCE
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        raise Refused(f"the policy {path} cannot be read: {said}", "correct UPKEEP_POLICY, or the file") from None
    except tomllib.TOMLDecodeError as fault:
        raise Refused(f"the policy {path.name} is not TOML: {fault}", "correct that line") from None
    except ValidationError as fault:
        faults = "; ".join(_fault(error["loc"], error["type"], error["msg"]) for error in fault.errors())
        words = ", ".join(action.value for action in Action)
        raise Refused(
            f"the policy {path.name} is not understood: {faults}",
            f"actions are {words}; see `upkeep policy schema` for every word",
        ) from None


def _fault(location: tuple[int | str, ...], kind: str, message: str) -> str:
    """One fault of a policy as a person counts: [[rule]] 1 is the first."""
    said = _IN_OUR_WORDS.get(kind, message.removeprefix("Value error, "))
    if not location:
        return said
    head, *rest = location
    several = bool(rest) and isinstance(rest[0], int)
    where = [f"[[{head}]]" if several else f"[{head}]" if rest else str(head)]
    where += [str(part + 1 if isinstance(part, int) else part) for part in rest]
    return f"{' '.join(where)}: {said[:1].lower()}{said[1:]}"


def add_references(path: Path, known: Policy, blocks: tuple[str, ...]) -> None:
    """Append these ``[[reference]]`` blocks, whole or not at all; what stood there stays as it is, to the byte.

    ``known`` is the policy that the blocks were found under. Raises Refused where the file says something else by now,
    cannot be written, or would then say more or less than the blocks.
    """
    place = path.resolve()  # a link stays one
    before = _content(place)
    if _understood(before) != known:
        raise Refused(f"the policy {path.name} was changed meanwhile", _AGAIN)
    after = before + _appended(before, blocks)
    added = Policy.model_validate(tomllib.loads("\n".join(blocks)))
    wanted = known.model_copy(update={"reference": (*known.reference, *added.reference)})
    if _understood(after) != wanted:
        raise Refused(
            f"nothing can be added at the end of {path.name}",
            "write its references as [[reference]], one block for each; or add the blocks that were printed by hand",
        )
    _exchange(place, before, after)


def _appended(before: bytes, blocks: tuple[str, ...]) -> bytes:
    text = "\n".join(blocks)
    gap = "" if not before else "\n" if before.endswith(b"\n") else "\n\n"
    said = gap + text
    return (said.replace("\n", "\r\n") if b"\r\n" in before else said).encode()


def _understood(content: bytes) -> Policy | None:
    """The policy that the bytes are; None where they are none."""
    try:
        return Policy.model_validate(tomllib.loads(content.decode())) if content else SILENCE
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError):
        return None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as fault:
        raise Refused(f"the policy {path.name} cannot be read: {fault.strerror}", "correct UPKEEP_POLICY") from None


def _exchange(path: Path, before: bytes, after: bytes) -> None:
    """The new content in place of the old, which must still be what it was."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        if _content(path) != before:
            raise Refused(f"the policy {path.name} was changed meanwhile", _AGAIN)
        beside.replace(path)
    except OSError as fault:
        told = f"the policy {path.name} cannot be written: {fault.strerror}"
        raise Refused(told, "let this user write the file and its folder, or add the blocks by hand") from None
    finally:
        beside.unlink(missing_ok=True)
