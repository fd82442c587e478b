"""Adding to a policy file what a person has accepted: what stands there stays as it is, to the byte."""

import os
import shutil
import tomllib
from pathlib import Path

from pydantic import ValidationError

from upkeep.errors import Refused
from upkeep.policy import SILENCE, Policy

_AGAIN = "nothing was written; run it again"


def add_references(path: Path, known: Policy, blocks: tuple[str, ...]) -> None:
    """Append these ``[[reference]]`` blocks, whole or not at all.

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
