"""The walls of the house: who may import whom of ours, and which outside library lives only where."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]

# A room is the longest name here that a module's own name begins with.
ROOMS = {
    "flows": "flows",
    "tasks": "tasks",
    "tasks.alembic_door": "alembic door",  # run by the application's own interpreter, which has nothing of ours
    "expectations": "expectations",
    "examples": "examples",
    "upkeep": "nouns",
    "upkeep.errors": "errors",
    "upkeep.urls": "errors",  # it leans on nothing of ours, as they do
    "upkeep.settings": "settings",
    "upkeep.setting_kinds": "settings",
    "upkeep.environment": "settings",
    "upkeep.equipment": "equipment",  # settings, database, store and policy, opened together
    "upkeep.databases": "database protocol",  # the package's own file; the files below it are the engines
    "upkeep.databases.verbs": "database protocol",
    "upkeep.databases.": "databases",
    "upkeep.databases.opening": "database opening",  # which class serves which URL
    "upkeep.stores": "store protocol",
    "upkeep.stores.": "stores",
    "upkeep.stores.names": "store protocol",  # what an object may be called
    "upkeep.pages": "pages",  # the auditor's pages, drawn of receipts and of nothing else
    "upkeep.cli": "cli",
}
TOP = {name for name in ROOMS if "." not in name}
KERNEL = {"nouns", "database protocol", "database opening", "store protocol", "errors", "settings"}

# room: the rooms that it may import; "lazily" are those that it may import inside functions alone
MAY_IMPORT = {
    "flows": {"flows", "tasks", "equipment", "databases", "stores"} | KERNEL,
    "tasks": {"tasks", "expectations", "pages", "equipment", "databases", "stores"} | KERNEL,
    "alembic door": {"alembic door"},
    "expectations": {"expectations", "databases", "stores"} | KERNEL,
    "examples": {"examples"},
    "nouns": {"nouns", "database protocol", "store protocol", "errors"},
    "database protocol": {"database protocol", "nouns", "errors"},
    "database opening": {"database protocol", "errors"},
    "store protocol": {"nouns", "errors"},
    "databases": {"databases", "database protocol", "nouns", "errors"},
    "stores": {"stores", "store protocol", "nouns", "errors"},
    "settings": {"errors", "settings"},
    "equipment": KERNEL,
    "errors": set[str](),
    "pages": {"pages", "nouns", "errors"},
    "cli": {"cli", "equipment", "databases", "stores"} | KERNEL,
}
MAY_IMPORT_LAZILY = {
    "database opening": {"databases"},
    "store protocol": {"stores"},
    "cli": {"flows", "tasks", "expectations", "pages", "examples"},
}

# outside library: the only files that may import it (the examples stand for somebody else's application)
LIVES_IN = {
    "prefect": ("flows/*", "tasks/*"),
    "great_expectations": ("expectations/*",),
    "pandas": ("expectations/*", "upkeep/pages/frames.py"),
    "jinja2": ("upkeep/pages/html.py", "expectations/views.py"),
    "markupsafe": ("upkeep/pages/html.py",),
    "typst": ("upkeep/pages/pdf.py",),
    "alembic": ("tasks/alembic_door/*",),
    "boto3": ("upkeep/stores/s3*",),
    "botocore": ("upkeep/stores/s3*",),
    "s3transfer": ("upkeep/stores/s3*",),
    "sqlite3": ("upkeep/databases/sqlite*", "upkeep/spilled.py"),  # there no database of anybody, a file to work with
    "psycopg": ("upkeep/databases/postgresql*",),
    "pymysql": ("upkeep/databases/mariadb*",),
    "cryptography": ("upkeep/signatures.py",),
    "pyrage": ("upkeep/encryption/*",),
    "typer": ("upkeep/cli/*",),
    "pydantic_settings": ("upkeep/settings.py",),
    "dotenv": ("upkeep/environment.py",),
}
READS_THE_ENVIRONMENT = "upkeep/environment.py"  # others may set a name before a library is imported, never read one

WITHOUT_PREFECT = (["--help"], ["restore", "--help"], ["ledger", "verify", "--help"], ["report", "--help"])
HEAVY = ("prefect", "great_expectations", "pandas", "boto3", "alembic", "typst")


@dataclass(frozen=True)
class Import:
    """One import: by which file, of which module, in which line, and inside a function or not."""

    by: Path
    of: str
    line: int
    lazily: bool
    typing_only: bool

    @property
    def library(self) -> str:
        """The first part of what is imported."""
        return self.of.split(".")[0]

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.of}{' lazily' if self.lazily else ''}"


def test_rooms_import_only_what_the_design_lets_them() -> None:
    assert breaches(imports()) == []


@pytest.mark.parametrize(
    ("by", "program"),
    [
        ("upkeep/cli/run.py", "from flows import maintenance"),
        ("upkeep/orphans.py", "def f():\n    import upkeep.settings"),
        ("upkeep/orphans.py", "import great_expectations as gx"),
        ("upkeep/databases/sqlite.py", "from ..stores import Store"),
        ("upkeep/stores/s3.py", "class A:\n    from sqlite3 import connect"),
        ("tasks/backup.py", "from upkeep.cli import main"),
        ("flows/maintenance.py", "if True:\n    from expectations import suites"),
        ("tasks/migration.py", "from alembic.config import Config"),
        ("tasks/migration.py", "from tasks.alembic_door.moving import move"),
        ("tasks/alembic_door/moving.py", "from upkeep.errors import Refused"),
    ],
)
def test_a_breach_is_seen(by: str, program: str) -> None:
    assert len(breaches(list(imports_in(Path(by), ast.parse(program))))) == 1


def test_an_import_of_flows_inside_a_function_of_the_command_line_is_no_breach() -> None:
    program = "def maintain():\n    from flows.maintenance import maintain"
    assert breaches(list(imports_in(Path("upkeep/cli/run.py"), ast.parse(program)))) == []


def breaches(seen: list[Import]) -> list[str]:
    """What breaks a wall, in words: a room that may not be entered, a library that lives elsewhere."""
    wrong = []
    for one in seen:
        room, elsewhere = room_of(module_of(one.by)), LIVES_IN.get(one.library, ("*",))
        may = MAY_IMPORT[room] | (MAY_IMPORT_LAZILY.get(room, set()) if one.lazily else set())
        if one.library in TOP and room_of(one.of) not in may:
            wrong.append(f"{one}: {room} may not import {room_of(one.of)}")
        if room != "examples" and not any(lies_in(one.by, place) for place in elsewhere):
            wrong.append(f"{one}: it lives in {' and '.join(elsewhere)} alone")
    return wrong


def test_the_environment_is_read_in_the_settings_alone() -> None:
    readers = [f"{path}:{line}" for path in sources() for line in environment_reads(tree_of(path))]
    assert [place for place in readers if not place.startswith((READS_THE_ENVIRONMENT, "examples/"))] == []
    assert any(place.startswith(READS_THE_ENVIRONMENT) for place in readers)


def test_no_imports_go_in_a_circle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for one in imports():
        if one.of in graph and not one.lazily and not one.typing_only and one.of != module_of(one.by):
            graph[module_of(one.by)].add(one.of)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


def test_every_file_begins_with_one_sentence_that_says_what_it_is_for() -> None:
    wrong = []
    for path in [*sources(), *below("tests")]:
        first = (ast.get_docstring(tree_of(path)) or "").partition("\n")[0]
        if not first.endswith((".", "?")) or re.search(r"[.!?] [A-Z]", first):
            wrong.append(f"{path}: {first!r}")
    assert wrong == []


SEALS = {"take_backup", "bring_back", "prove", "put_changes", "stored_changes", "Packing", "Unpacking"}
PLAIN_BY_DESIGN = {"upkeep/marks.py"}  # digests with a key, and primary keys


def test_whoever_stores_or_reads_rows_says_with_which_keys() -> None:
    """Without them nothing is encrypted, and no other test need notice: it would only be readable."""
    silent = []
    for path in sources():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SEALS:
                said = ast.unparse(ast.Tuple([*node.args, *(one.value for one in node.keywords)], ast.Load()))
                if "keyring" not in said and path.as_posix() not in PLAIN_BY_DESIGN:
                    silent.append(f"{path}:{node.lineno} calls {node.func.id}")
    assert silent == []


def test_deployments_are_data() -> None:
    assert below("deployments") == []


@pytest.mark.parametrize("arguments", WITHOUT_PREFECT, ids=" ".join)
def test_the_emergency_needs_neither_prefect_nor_great_expectations(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from upkeep.cli import main\n"
        f"sys.argv = ['upkeep', *{arguments!r}]\n"
        "code = 0\n"
        "try:\n    code = main()\n"
        "except SystemExit as end:\n    code = end.code\n"
        f"print('imported:', [name for name in {HEAVY!r} if name in sys.modules])\n"
        "sys.exit(code)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "imported: []"


@cache
def below(folder: str) -> list[Path]:
    """The Python files of a folder of the house, as seen from the house."""
    return sorted(path.relative_to(HOUSE) for path in (HOUSE / folder).rglob("*.py"))


@cache
def sources() -> list[Path]:
    """The Python files of all rooms."""
    return [path for folder in sorted(TOP) for path in below(folder)]


@cache
def modules() -> set[str]:
    """The names of all our modules."""
    return {module_of(path) for path in sources()}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((HOUSE / path).read_text(encoding="utf-8"), filename=str(path))


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room of a module of ours: the longest name that it begins with."""
    starts = [
        name for name in ROOMS if f"{module}.".startswith(f"{name}.") or (name[-1] == "." and module.startswith(name))
    ]
    return ROOMS[max(starts, key=len)]


def lies_in(path: Path, place: str) -> bool:
    """Does the file lie in a place such as ``flows/*``, at any depth?"""
    return fnmatch(path.as_posix(), place)


@cache
def imports() -> list[Import]:
    """Every import of every room; ``from a import b`` is one of a.b where that is a module of ours."""
    return [one for path in sources() for one in imports_in(path, tree_of(path))]


def imports_in(path: Path, node: ast.AST, lazily: bool = False, typing_only: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for name in named_in(path, child):
                yield Import(path, name, child.lineno, lazily, typing_only)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checked = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from imports_in(path, child, lazily or inside, typing_only or checked)


def named_in(path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    package = (
        module_of(path).split(".")[: -node.level or None] if path.name != "__init__.py" else module_of(path).split(".")
    )
    start = ".".join([*package, *filter(None, [node.module])]) if node.level else node.module or ""
    for alias in node.names:
        yield f"{start}.{alias.name}" if f"{start}.{alias.name}" in modules() else start


def environment_reads(tree: ast.Module) -> Iterator[int]:
    """The lines in which os.environ or os.getenv are used otherwise than to set something."""
    set_only: set[ast.expr] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute() as environment, ctx=ast.Store() | ast.Del()):
                set_only.add(environment)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=environment, attr="setdefault" | "update"))):
                set_only.add(environment)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv") if node not in set_only:
                yield node.lineno
            case ast.ImportFrom(module="os") if {"environ", "getenv"} & {alias.name for alias in node.names}:
                yield node.lineno
