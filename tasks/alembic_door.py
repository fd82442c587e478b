"""The one door to Alembic: run by the application's own interpreter, with nothing of Upkeep's in reach.

Called as ``python alembic_door.py ANSWER``: it makes itself ready, then waits for one line of JSON on standard input
and writes its answer to the file. The request names the ini file, the verb (``inspect``, ``upgrade``, ``downgrade``,
``check`` or ``draft``), the database's revisions, its URL, and a query with its answer by which every connection is
checked. The URL is in no argument list and in no file (P-24); an ``env.py`` finds it in the configuration, in the
variables of the environment and among the arguments of ``-x`` that the request names. A draft is a revision that does
not stand among the scripts yet.
"""

import hashlib
import importlib.util
import json
import os
import re
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import rev_id
from sqlalchemy import ForeignKeyConstraint, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_MOST = 5000
_LONGEST = 1000
"""So many different statements of one revision are told, and so many signs of each; a loop says the same each time."""


class Told(Exception):
    """What is wrong with the scripts, in words, and what to do next."""


# --- what the scripts are ---


def inspect(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """The head of the scripts, and each revision between the database and that, with what it would do."""
    found = asked["found"]
    scripts = _read(config)
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
        "pending": [_foreseen(revision, asked["dialect"]) for revision in pending],
        "digest": taken.hexdigest(),
    }


def _read(config: Config) -> ScriptDirectory:
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
        said = f"{_culprit(fault, scripts)} cannot be read: {_said(fault)}"
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


# --- what a revision would do, told without any database ---


def _foreseen(revision: Any, dialect: str) -> dict[str, Any]:
    """Its SQL and the keys that it declares, as far as they are known without asking the database (P-86)."""
    out, keys, why = StringIO(), list[Any](), None
    options = {"as_sql": True, "output_buffer": out, "literal_binds": True}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    declare = context.impl.add_constraint

    def declared(constraint: Any, **more: Any) -> None:
        keys.extend(_keys_in(constraint))
        declare(constraint, **more)

    context.impl.add_constraint = declared  # type: ignore[method-assign,assignment]  # this one context is ours alone

    def rebuild(batch: BatchOperationsImpl) -> None:
        for statement in _words_of(batch):
            out.write(f"{statement};\n\n")
        keys.extend(key for _, arguments, _ in batch.batch for one in arguments for key in _keys_in(one))

    try:
        with Operations.context(context), _rebuilding(rebuild), _asked_at_each_connection(_refuse_any):
            revision.module.upgrade()
    except BaseException as fault:  # noqa: BLE001  # whatever it is, the rehearsal will show it
        why = _said(fault)
    return {
        "revision": revision.revision,
        "doc": (revision.doc or "").strip(),
        "sql": [statement.strip() for statement in out.getvalue().split(";\n\n") if statement.strip()],
        "keys": keys,
        "unforeseen": why,
        "loses": [str(one) for one in getattr(revision.module, "upkeep_loses", ())],
    }


def _keys_in(constraint: Any) -> list[Any]:
    if not isinstance(constraint, ForeignKeyConstraint):
        return []
    parent, columns = constraint.elements[0].target_fullname.rpartition(".")[0], constraint.column_keys
    return [
        [
            str(constraint.table.name),
            list(columns),
            parent,
            [e.target_fullname.rpartition(".")[2] for e in constraint.elements],
        ]
    ]


def _words_of(batch: BatchOperationsImpl) -> Iterator[str]:
    """What a batch is asked for, as the SQL of an engine that needs no batch."""
    table = batch.table_name
    for verb, arguments, more in batch.batch:
        last = arguments[-1]
        name = getattr(last, "name", last)
        if verb == "alter_column" and (more.get("name") or name) != name:
            yield f'ALTER TABLE "{table}" RENAME COLUMN "{name}" TO "{more["name"]}"'
        elif verb == "alter_column":
            kind = f" TYPE {more['type_']!r}" if more.get("type_") is not None else ""
            yield f'ALTER TABLE "{table}" ALTER COLUMN "{name}"{kind}'
        elif verb.endswith("_index"):
            yield f'{verb.split("_")[0].upper()} INDEX "{name}"'
        else:
            yield f'ALTER TABLE "{table}" {verb.replace("_", " ").upper()} "{name}"'


@contextmanager
def _rebuilding(instead: Callable[[BatchOperationsImpl], None]) -> Iterator[None]:
    """``instead`` is called where a batch would make its table anew."""
    original = BatchOperationsImpl.flush

    def flush(batch: BatchOperationsImpl) -> None:
        (instead if batch._should_recreate() else original)(batch)

    BatchOperationsImpl.flush = flush  # type: ignore[method-assign,assignment]  # this process is ours alone
    try:
        yield
    finally:
        BatchOperationsImpl.flush = original  # type: ignore[method-assign]


# --- doing it ---


class Ears:
    """What each revision says while it runs: its statements without their values (P-100), and its seconds.

    A batch that makes a table anew says DROP TABLE, and means nothing by it: in its place stands what it was asked for.
    """

    def __init__(self, watch: str) -> None:
        self._watch, self._seen = watch, set[tuple[str, str]]()
        self._heard: dict[str, None] | None = None
        self._rebuild = BatchOperationsImpl.flush
        self.told: list[dict[str, Any]] = []

    def listening(self, step: Any, context: MigrationContext) -> Any:
        """The step, which is heard when it runs.

        Nothing is asked before: it would begin a transaction, and Alembic leaves one that it finds to others (P-115).
        """
        upgrade = step.migration_fn

        def heard(**more: Any) -> None:
            self._seen = self._seen or self._look(context)
            self._heard, begun = {}, time.monotonic()
            try:
                upgrade(**more)
            finally:
                said, self._heard = list(self._heard), None
                self.told.append(
                    {
                        "revision": step.revision.revision,
                        "seconds": time.monotonic() - begun,
                        "said": said,
                        "effects": [],
                    }
                )
            seen = self._look(context)
            self.told[-1]["effects"] = sorted(seen - self._seen)
            self._seen = seen

        step.migration_fn = heard
        return step

    def hear(self, _c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        """Before each statement of whatever connection."""
        if self._heard is not None and len(self._heard) < _MOST:
            self._heard[_LITERAL.sub("?", statement)[:_LONGEST]] = None

    def rebuild(self, batch: BatchOperationsImpl) -> None:
        """A batch that makes its table anew."""
        heard, self._heard = self._heard, None
        try:
            self._rebuild(batch)
        finally:
            self._heard = heard
        for word in _words_of(batch):
            self.hear(None, None, word)

    def _look(self, context: MigrationContext) -> set[tuple[str, str]]:
        if not self._watch or context.connection is None:
            return set()
        rows = context.connection.exec_driver_sql(self._watch).all()
        return {(str(what), str(name)) for what, name in rows}


def move(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """Upgrade to the head, or downgrade to ``to``; on no other database than the one with this fingerprint (P-87)."""
    strangers: list[str] = []
    ears = Ears(asked["watch"])
    failed, state = None, ""
    try:
        scripts, to = ScriptDirectory.from_config(config), asked["to"]
        revisions = scripts._downgrade_revs if asked["verb"] == "downgrade" else scripts._upgrade_revs

        def steps(found: Any, context: MigrationContext) -> list[Any]:
            return [ears.listening(step, context) for step in revisions(to, found)]

        event.listen(Engine, "before_cursor_execute", ears.hear)
        with _asked_at_each_connection(_comparing(asked, strangers)), _rebuilding(ears.rebuild):
            if asked["verb"] == "check":
                command.check(config)
            else:
                with EnvironmentContext(config, scripts, fn=steps, destination_rev=to):
                    scripts.run_env()
    except BaseException as fault:  # noqa: BLE001  # SystemExit in somebody's env.py included: the answer must be written
        failed, state = _said(fault), _state(fault)
    return {"failed": strangers[0] if strangers else failed, "state": state, "told": ears.told}


def _comparing(asked: dict[str, Any], strangers: list[str]) -> Callable[[Any], None]:
    """Is a connection one to the database with the fingerprint? What is wrong is told in ``strangers`` too."""
    query, expected = asked["fingerprint"]

    def compare(connection: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            row = cursor.fetchone()
        except Exception as fault:  # noqa: BLE001  # another engine than the one expected does not even know the question
            row = (type(fault).__name__,)
        finally:
            cursor.close()
        if row is None or str(row[0]) != expected:
            strangers.append("env.py connected to another database than the one it was given")
            raise RuntimeError(strangers[0])

    return compare


@contextmanager
def _asked_at_each_connection(question: Callable[[Any], None]) -> Iterator[None]:
    def check(connection: Any, _record: Any) -> None:
        question(connection)

    event.listen(Pool, "connect", check)
    try:
        yield
    finally:
        event.remove(Pool, "connect", check)


# --- a revision that does not stand among the scripts yet ---


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


def compared(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """What autogenerate would add or remove to make the database what the models say; or why it cannot be asked."""
    try:
        with _asked_at_each_connection(_comparing(asked, [])):
            return {"differences": _differences(config), "unasked": ""}
    except BaseException as fault:  # noqa: BLE001  # models that are not there or cannot be read spoil no revision
        return {"differences": [], "unasked": _said(fault)}


def _differences(config: Config) -> list[dict[str, Any]]:
    """Foreign keys and indexes alone."""
    from alembic.command import check
    from alembic.util.exc import AutogenerateDiffsDetected  # an older Alembic has none, and can do all the rest

    try:
        check(config)
    except AutogenerateDiffsDetected as found:
        several: list[Any] = found.diffs
        told = [diff for diff in several if isinstance(diff, tuple) and diff[0].endswith(("_fk", "_index"))]
        return [{"does": diff[0], **_described(diff[1])} for diff in told]
    return []


def _described(thing: Any) -> dict[str, Any]:
    columns = [str(getattr(column, "name", column)) for column in thing.columns]
    return {"table": thing.table.name, "columns": columns, "ondelete": getattr(thing, "ondelete", None)}


def _refuse_any(_connection: Any) -> None:
    raise RuntimeError("it connects to a database by itself")


def _said(fault: BaseException) -> str:
    """The error without statement and parameters, which may hold values of rows (P-100)."""
    original = getattr(fault, "orig", None) or fault
    first = (str(original).splitlines() or [""])[0]
    return f"{type(original).__name__}: {first}"


def _state(fault: BaseException) -> str:
    """The SQLSTATE that the server gave, by whatever name the driver has for it; '' where it gave none."""
    original = getattr(fault, "orig", None) or fault
    return str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")


def leave_with_the_caller() -> None:
    """Standard input ends when the caller is gone: nobody waits for the answer, and its scratch is being removed."""
    sys.stdin.read()
    os._exit(3)


def configured(asked: dict[str, Any]) -> Config:
    """The configuration with the URL in all the ways in which an env.py may read it."""
    url = asked.get("url", "")
    options = Namespace(x=[f"{name}={url}" for name in asked["by_x"]]) if url else None
    config = Config(asked["ini"], cmd_opts=options)
    if url:
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        for name in asked["by_environment"]:
            os.environ[name] = url
    return config


def main(answer: Path) -> None:
    """Do what the request asks and write the answer; without a request there is none."""
    sys.path.pop(0)  # this file's own folder, whose modules are no business of the application's
    line = sys.stdin.readline()
    if not line:
        return
    Thread(target=leave_with_the_caller, daemon=True).start()
    asked = json.loads(line)
    config = configured(asked)
    know(asked.get("drafts", {}))
    act = {"inspect": inspect, "draft": draft}.get(asked["verb"], move)
    try:
        said = act(config, asked)
    except Told as told:
        said = {"refused": list(told.args)}
    answer.write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
