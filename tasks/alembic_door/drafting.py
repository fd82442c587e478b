"""A revision that does not stand among the scripts yet: written elsewhere, known to whoever reads them, and run."""

import importlib.util
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import rev_id

from .faults import Told
from .modelled import compared
from .moving import move


def draft(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """Have Alembic write a revision upon the head by the project's own template, into a folder of the caller's; run it.

    The answer says where it would stand, by the project's own pattern for file names, whether it failed, and what
    differs between the models and the database once it has run.
    """
    scripts = ScriptDirectory.from_config(config)
    (head,) = scripts.get_heads()
    places: list[Path] = []
    rev_path: Any = scripts._rev_path  # no public way tells a name without writing the file there

    def elsewhere(*arguments: Any) -> Any:
        place = rev_path(*arguments)
        places.append(Path(place))
        return type(place)(Path(asked["folder"]) / Path(place).name)

    scripts.__dict__["_rev_path"] = elsewhere
    up, down = ("\n    ".join(asked[name]) for name in ("upgrades", "downgrades"))
    lines: Any = {"imports": "\n".join(asked["imports"]), "upgrades": up, "downgrades": down}
    made = scripts.generate_revision(rev_id(), asked["message"], head=head, **lines)
    if made is None:
        raise Told("the template of the migrations makes no revision", "look at its script.py.mako")
    told = {"revision": made.revision, "head": head, "file": str(made.path), "place": str(places[0].absolute())}
    know({made.revision: made.path})
    ran = move(config, asked)
    return told | ran | ({} if ran["failed"] else compared(config, asked))


def know(drafts: dict[str, str]) -> None:
    """Let whoever reads the scripts find these revisions, by their files, among them."""
    from_config = ScriptDirectory.from_config

    def with_drafts(config: Config) -> ScriptDirectory:
        scripts = from_config(config)
        for revision, path in drafts.items():
            spec = importlib.util.spec_from_file_location(f"draft_{revision}", path)
            if spec is None or spec.loader is None:
                raise Told(f"{path} is no Python file", "look at the script.py.mako of the migrations")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            scripts.revision_map.add_revision(Script(module, revision, path))
        return scripts

    ScriptDirectory.from_config = with_drafts  # type: ignore[method-assign]  # this process is ours alone
