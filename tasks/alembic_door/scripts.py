"""What the scripts are: their head, and which revisions lie between the database and that."""

import hashlib
import traceback
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory

from .faults import Told, said_of
from .foreseeing import foreseen


def inspect(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """The head of the scripts, and each revision between the database and that, with what it would do."""
    found = asked["found"]
    scripts = read_scripts(config)
    heads = list(scripts.revision_map._real_heads)  # one that others depend on is no head of its own
    if len(heads) != 1:
        return {"heads": heads}
    _refuse_strange_places(scripts, found)
    steps = scripts._upgrade_revs(heads[0], tuple(found)) if found else []  # type: ignore[arg-type]  # its own words
    pending = [step.revision for step in steps]
    taken = hashlib.sha256()
    for revision in pending:
        taken.update(Path(revision.path).read_bytes())
    return {
        "heads": heads,
        "pending": [foreseen(revision, asked["dialect"]) for revision in pending],
        "digest": taken.hexdigest(),
    }


def read_scripts(config: Config) -> ScriptDirectory:
    """The scripts; Alembic itself would only warn of what is twice there, and fail without a name where one is not."""
    scripts = ScriptDirectory.from_config(config)
    known: dict[str, Any] = {}
    try:
        for script in scripts._load_revisions():
            if script.revision in known:
                files = sorted(Path(one.path).name for one in (known[script.revision], script))
                raise Told(
                    f"{script.revision} is the revision of two files: {' and '.join(files)}",
                    "give one of them another revision",
                )
            known[script.revision] = script
    except Told:
        raise
    except Exception as fault:  # noqa: BLE001  # a file of somebody else's may raise whatever it likes
        said = f"{_culprit(fault, scripts)} cannot be read: {said_of(fault)}"
        raise Told(said, "correct that file, or what it imports") from None
    for script in known.values():
        for before in script._versioned_down_revisions:
            if before not in known:
                raise Told(
                    f"revision {script.revision} follows {before}, of which there is no file",
                    f"bring the file of {before} back: the code that made it was perhaps never committed",
                )
    return scripts


def _culprit(fault: BaseException, scripts: ScriptDirectory) -> str:
    """The file that does not load."""
    files = [frame.filename for frame in traceback.extract_tb(fault.__traceback__)]
    files += [fault.filename] if isinstance(fault, SyntaxError) and fault.filename else []
    ours = [Path(file).name for file in files if str(scripts.dir) in file]
    return f"the revision in {ours[-1]}" if ours else "a revision"


def _refuse_strange_places(scripts: ScriptDirectory, found: list[str]) -> None:
    for one in found:
        if one not in scripts.revision_map._revision_map:
            count = sum(1 for _ in scripts.walk_revisions())
            raise Told(
                f"the database is at {one}, which the migrations do not know: it is none of their {count} revisions",
                "it is ahead of this code, or of another: run it with the code that the database belongs to",
            )
    for later in found:
        below = {script.revision for script in scripts.iterate_revisions(later, "base")} - {later}
        for one in below & set(found):
            raise Told(
                f"the database says that it is at {one} and at {later}, but {later} comes after {one}",
                f"delete the older row from alembic_version, or `alembic stamp --purge {later}`",
            )
