"""`policy ondelete --write` and `policy indexes --write`: a revision that was rehearsed, or a refusal and no file."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tests.alembic_projects import ENV, project
from tests.clinics import perform_at, rehearse_at
from tests.shell import PROGRAM, Said, upkeep
from upkeep.equipment import equip

CASCADES = '[[rule]]\nchild = "child*"\nondelete = "CASCADE"\nwhy = "it goes with it"\n'
# SQLite's own traps (P-77, P-78): a trigger, an unnamed CHECK, collations, AUTOINCREMENT, indexes of every sort, a
# view, a generated column, comments, STRICT and WITHOUT ROWID, a table that points at itself.
TRAPS = """
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT COLLATE NOCASE UNIQUE);
CREATE TABLE child (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- "the number", as we say (here)
  parent_id INTEGER NOT NULL REFERENCES parent (id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
  name TEXT COLLATE NOCASE DEFAULT 'REFERENCES parent (id)',
  low TEXT GENERATED ALWAYS AS (lower(name)) STORED,
  child_id INTEGER, CHECK (name <> ')'), CONSTRAINT itself FOREIGN KEY (child_id) REFERENCES child ON DELETE SET NULL
);
CREATE TABLE child_strict (id ANY PRIMARY KEY, p INTEGER CONSTRAINT "the key" REFERENCES parent) STRICT, WITHOUT ROWID;
CREATE INDEX by_expression ON child (parent_id, lower(name));
CREATE INDEX in_part ON child (child_id) WHERE child_id IS NOT NULL;
CREATE INDEX plain ON child_strict (p);
CREATE VIEW both AS SELECT child.id, parent.name FROM child JOIN parent ON parent.id = child.parent_id;
CREATE TABLE log (what TEXT);
CREATE TRIGGER told AFTER DELETE ON child BEGIN INSERT INTO log VALUES (old.id); END;
INSERT INTO parent VALUES (7, 'A'), (9, 'b');
INSERT INTO child (id, parent_id, name, child_id) VALUES (3, 7, 'x', NULL), (90, 9, 'Y', 3);
DELETE FROM child WHERE id = 90;
DELETE FROM log;
INSERT INTO child_strict VALUES ('k', 7);
"""
ENFORCED = ENV.replace(
    "with create_engine(url, poolclass=pool.NullPool).connect() as connection:",
    "from sqlalchemy import event\nengine = create_engine(url, poolclass=pool.NullPool)\n"
    "event.listen(engine, 'connect', lambda raw, _: raw.execute('PRAGMA foreign_keys = ON'))\n"
    "with engine.connect() as connection:",
)


@dataclass(frozen=True)
class Application:
    """An application with an Alembic project and a database that is at its head."""

    folder: Path
    url: str

    @property
    def ini(self) -> Path:
        """The project's ini file."""
        return self.folder / "alembic.ini"

    @property
    def versions(self) -> list[Path]:
        """The revisions, and whatever else was left in their folder."""
        folder = self.folder / "migrations" / "versions"
        return sorted(path for path in folder.iterdir() if path.name != "__pycache__")

    def policy(self, text: str) -> None:
        """Write the policy."""
        (self.folder / "policy.toml").write_text(text)

    def alembic(self, verb: Callable[..., Any], *words: str) -> None:
        """Run Alembic as a person does, in this process."""
        config = Config(str(self.ini))
        config.set_main_option("sqlalchemy.url", self.url.replace("%", "%%"))
        verb(config, *words)

    def schema(self) -> Any:
        """What the database says of itself, by its own words."""
        engine = create_engine(self.url, poolclass=NullPool)
        sql = {
            "sqlite": "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY 1, 2",
            "postgresql": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated"
            " FROM pg_constraint WHERE contype = 'f' UNION ALL SELECT tablename, indexname, indexdef, true"
            " FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
            "mysql": "SELECT TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE FROM"
            " information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2",
        }[engine.dialect.name]
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]


def application(folder: Path, url: str, *bodies: str, env: str = ENV, more: str = "") -> Application:
    """An application whose revisions do what ``bodies`` say, with the settings for it, at its head."""
    made = Application(folder, url)
    project(folder, *bodies, env=env, more=more)
    made.policy(CASCADES)
    made.alembic(command.upgrade, "head")
    os.environ.update(
        DATABASE_URL=url,
        UPKEEP_STORE=(folder / "store").as_uri(),
        UPKEEP_SCRATCH=str(folder / "scratch"),
        UPKEEP_POLICY=str(folder / "policy.toml"),
        UPKEEP_ALEMBIC_INI=str(made.ini),
    )
    return made


def executing(script: str) -> str:
    """The body of a revision that runs a script of SQL, statement by statement; a trigger's end is one line's."""
    return "\n".join(f"op.execute({statement.strip()!r})" for statement in script.split(";\n") if statement.strip())


@pytest.fixture
def trapped(tmp_path: Path) -> Application:
    """An application on SQLite with all the traps, whose connections enforce keys while it migrates (P-76)."""
    return application(tmp_path, f"sqlite:///{tmp_path / 'app.db'}", executing(TRAPS), env=ENFORCED)


def written(said: Said) -> Path:
    """The file that was written."""
    assert said.code == 0, said
    return Path(said.document["file"])


def rows(path: Path) -> dict[str, list[Any]]:
    """Every row of every table but Alembic's, rowids included where there are some."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f"SELECT {'*' if name == 'child_strict' else 'rowid, *'} FROM {name}").fetchall()
            for name in names
            if name != "alembic_version"
        }


def test_sqlite_keeps_everything_that_a_batch_would_lose_and_the_second_time_there_is_nothing_to_do(
    trapped: Application,
) -> None:
    before, content = trapped.schema(), rows(trapped.folder / "app.db")
    said = upkeep("policy", "ondelete", "--write", "--json")
    file = written(said)
    assert file in trapped.versions
    assert (said.document["left_out"], said.document["builds_on"]) == ([], "r1")
    assert [key["key"] for key in said.document["keys"] if key["differs"]] == [
        "child(child_id) -> child(id)", "child(parent_id) -> parent(id)", "child_strict(p) -> parent(id)",
    ]  # fmt: skip
    assert "foreign key (p) -> parent(id) of child_strict is ON DELETE CASCADE, it was ON DELETE NO ACTION" in (
        file.read_text()
    )
    assert (trapped.schema(), rows(trapped.folder / "app.db")) == (before, content)
    trapped.alembic(command.upgrade, "head")
    assert rows(trapped.folder / "app.db") == content
    assert [row[:4] for row in trapped.schema()] == [row[:4] for row in before]
    again = upkeep("policy", "ondelete", "--write", "--json")
    assert (again.code, again.document["revision"], len(trapped.versions)) == (0, None, 2)
    with closing(sqlite3.connect(trapped.folder / "app.db")) as connection:
        connection.executescript("PRAGMA foreign_keys = ON; DELETE FROM parent WHERE id = 7")
    after = rows(trapped.folder / "app.db")
    assert (after["child"], after["child_strict"], after["log"]) == ([], [], [(1, "3")])
    trapped.alembic(command.downgrade, "r1")
    assert trapped.schema() == before


@pytest.mark.slow
def test_indexes_are_written_and_taken_back_and_the_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    made = application(
        tmp_path,
        f"sqlite:///{tmp_path / 'app.db'}",
        'op.execute("CREATE TABLE parent (a INT, b INT, PRIMARY KEY (a, b))")\n'
        'op.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, x INT, y INT, FOREIGN KEY (x, y) REFERENCES parent)")',
    )
    before = made.schema()
    said = upkeep("policy", "indexes", "--write", "--json")
    assert 'op.create_index(op.f("ix_child_x_y"), "child", ["x", "y"])' in written(said).read_text()
    made.alembic(command.upgrade, "head")
    again = upkeep("policy", "indexes", "--write", "--json")
    assert (again.document["revision"], again.document["keys"][0]["found"]) == (None, "ix_child_x_y")
    made.alembic(command.downgrade, "r1")
    assert made.schema() == before
    refused = upkeep("policy", "indexes", "--write", "--concurrently")
    assert refused.complaint == (
        2, "this engine knows no CREATE INDEX CONCURRENTLY", "leave --concurrently out",
    )  # fmt: skip


FAMILY = """
op.execute("CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)")
op.execute("CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, other_id INT,"
           " CONSTRAINT one FOREIGN KEY (parent_id) REFERENCES parent (id) ON UPDATE CASCADE,"
           " CONSTRAINT two FOREIGN KEY (other_id) REFERENCES parent (id) ON DELETE SET NULL)")
op.execute("INSERT INTO parent VALUES (1)")
op.execute("INSERT INTO child VALUES (1, 1, NULL)")
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["system_postgresql", "mariadb"])
def test_on_a_server_the_keys_say_what_is_wanted_and_then_again_what_they_said(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(engine)
    made = application(tmp_path, server.url(server.make_database()), FAMILY)
    before = made.schema()
    written(upkeep("policy", "ondelete", "--write", "--json"))
    assert made.schema() == before
    made.alembic(command.upgrade, "head")
    assert sum("CASCADE" in str(row[2]) for row in made.schema()) >= 2
    again = upkeep("policy", "ondelete", "--write", "--json")
    assert (again.code, again.document["revision"]) == (0, None)
    made.alembic(command.downgrade, "r1")
    assert made.schema() == before


@pytest.mark.slow
def test_on_postgresql_a_key_whose_rows_violate_it_stays_unproven_and_indexes_come_beside_writers(
    system_postgresql: Any, tmp_path: Path
) -> None:
    name = system_postgresql.make_database()
    made = application(tmp_path, system_postgresql.url(name), FAMILY)
    system_postgresql.run(name, "SET session_replication_role = replica", "INSERT INTO child VALUES (2, 99, NULL)")
    before = made.schema()
    file = written(upkeep("policy", "ondelete", "--write", "--json"))
    assert "VALIDATE CONSTRAINT two" in file.read_text()
    assert "VALIDATE CONSTRAINT one" not in file.read_text()
    made.alembic(command.upgrade, "head")
    assert {row[1]: row[3] for row in made.schema() if row[1] in ("one", "two")} == {"one": False, "two": True}
    file = written(upkeep("policy", "indexes", "--write", "--concurrently", "--json"))
    assert "postgresql_concurrently=True" in file.read_text()
    equipment = equip()
    night = rehearse_at(equipment, tmp_path)
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    assert perform_at(equipment, tmp_path, night).stopped == "", "what Upkeep writes it performs"
    night.scratch.discard()
    assert {"ix_child_parent_id", "ix_child_other_id"} <= {row[1] for row in made.schema()}
    made.alembic(command.downgrade, "r1")
    assert [row[:2] for row in made.schema()] == [row[:2] for row in before]


MODELS = """
import sqlalchemy as sa
META = sa.MetaData()
sa.Table("parent", META, sa.Column("id", sa.Integer, primary_key=True))
sa.Table("child", META, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id", onupdate="CASCADE", ondelete=ONE)),
         sa.Column("other_id", sa.Integer, sa.ForeignKey("parent.id", ondelete=TWO)))
"""


def modelled(one: str | None, two: str | None) -> str:
    """An env.py with models that say this on delete."""
    return MODELS.replace("ONE", repr(one)).replace("TWO", repr(two)) + ENV


@pytest.mark.slow
def test_where_the_models_say_what_the_policy_wants_alembic_check_is_silent_afterwards(tmp_path: Path) -> None:
    made = application(
        tmp_path, f"sqlite:///{tmp_path / 'app.db'}", FAMILY, env=modelled("CASCADE", "CASCADE"),
        more="target_metadata=META",
    )  # fmt: skip
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        made.alembic(command.check)
    said = upkeep("policy", "ondelete", "--write", "--json")
    written(said)
    assert (said.document["models"], said.document["models_unasked"]) == ([], None)
    made.alembic(command.upgrade, "head")
    made.alembic(command.check)


@pytest.mark.slow
def test_where_models_and_policy_differ_it_is_told(tmp_path: Path) -> None:
    application(
        tmp_path,
        f"sqlite:///{tmp_path / 'app.db'}",
        FAMILY,
        env=modelled(None, "SET NULL"),
        more="target_metadata=META",
    )
    said = upkeep("policy", "ondelete", "--write", "--json")
    assert sorted(said.document["models"]) == [
        "child(other_id): the models say ON DELETE SET NULL", "child(parent_id): the models say nothing on delete",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("trapped")
def test_where_there_are_no_models_to_compare_that_is_told() -> None:
    said = upkeep("policy", "ondelete", "--write")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("models: ")]
    assert line.startswith("models: they could not be compared: CommandError: Can't proceed with --autogenerate")


# Nothing is written


@pytest.fixture
def plain(tmp_path: Path) -> Application:
    """A small application on SQLite."""
    return application(tmp_path, f"sqlite:///{tmp_path / 'app.db'}", FAMILY)


def test_a_policy_that_is_silent_writes_nothing(plain: Application) -> None:
    plain.policy("")
    said = upkeep("policy", "ondelete", "--write", "--json")
    assert (said.code, said.document["revision"], len(plain.versions)) == (0, None, 1)


@pytest.mark.usefixtures("plain")
def test_without_an_alembic_project_there_is_nowhere_to_write() -> None:
    del os.environ["UPKEEP_ALEMBIC_INI"]
    for what in ("ondelete", "indexes"):
        assert upkeep("policy", what, "--write").complaint == (
            2, "no Alembic project is set", "set UPKEEP_ALEMBIC_INI",
        )  # fmt: skip


def test_two_heads_are_refused(plain: Application) -> None:
    for name in ("r2", "r3"):
        (plain.versions[0].parent / f"{name}.py").write_text(f"revision, down_revision = {name!r}, 'r1'\n")
    code, said, hint = upkeep("policy", "ondelete", "--write").complaint
    assert (code, said) == (2, "the migrations have 2 heads: r2, r3")
    assert hint.startswith("join them with `alembic merge heads`")
    assert len(plain.versions) == 3


def test_a_database_that_was_never_stamped_is_refused(plain: Application) -> None:
    with closing(sqlite3.connect(plain.folder / "app.db")) as connection:
        connection.execute("DROP TABLE alembic_version")
    assert upkeep("policy", "ondelete", "--write").complaint[:2] == (2, "the database has no Alembic revision")


@pytest.mark.slow
def test_migrations_still_to_come_go_first_and_where_they_fail_nothing_is_written(plain: Application) -> None:
    coming = plain.versions[0].parent / "r2.py"
    body = "from alembic import op\nrevision, down_revision = 'r2', 'r1'\ndef upgrade():\n    op.execute({!r})\n"
    coming.write_text(body.format("CREATE TABLE child_late (p INT CONSTRAINT late REFERENCES parent (id))"))
    file = written(upkeep("policy", "ondelete", "--write", "--json"))
    assert "child_late" in file.read_text()
    assert "down_revision: Union[str, Sequence[str], None] = 'r2'" in file.read_text()
    file.unlink()
    coming.write_text(body.format("DROP TABLE absent"))
    code, said, _ = upkeep("policy", "ondelete", "--write").complaint
    assert (code, len(plain.versions)) == (2, 2)
    assert said == (
        "migrations that are still to come fail on a copy of the database: OperationalError: no such table: absent"
    )


def test_a_revision_that_does_more_than_was_meant_is_refused(plain: Application) -> None:
    template = plain.folder / "migrations" / "script.py.mako"
    template.write_text(
        template.read_text().replace("    ${upgrades", '    op.execute("CREATE TABLE stray (a)")\n    ${upgrades')
    )
    assert upkeep("policy", "ondelete", "--write").complaint == (
        2, "the revision does more than was meant: the table stray is new",
        "nothing was written; change this schema by hand",
    )  # fmt: skip
    assert len(plain.versions) == 1


@pytest.mark.slow
def test_a_revision_that_cannot_be_taken_back_is_refused(plain: Application) -> None:
    template = plain.folder / "migrations" / "script.py.mako"
    template.write_text(template.read_text().replace('${downgrades if downgrades else "pass"}', "pass"))
    code, said, _ = upkeep("policy", "ondelete", "--write").complaint
    assert (code, len(plain.versions)) == (2, 1)
    assert said.startswith("the revision cannot be taken back: child(")


@pytest.mark.slow
def test_a_folder_of_scripts_that_may_not_be_written_to_is_refused_and_left_as_it_was(plain: Application) -> None:
    folder = plain.versions[0].parent
    folder.chmod(0o555)
    # Root may write everywhere unless it gives that up.
    humble = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if humble and shutil.which("setpriv") is None:
        pytest.skip("root cannot be kept from writing here: setpriv is not installed")
    try:
        ran = subprocess.run(
            [*humble, PROGRAM, "policy", "ondelete", "--write"],
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
    finally:
        folder.chmod(0o755)
    assert Said(ran.returncode, ran.stdout, ran.stderr).complaint == (
        2, f"the revision cannot be put into {folder}: Permission denied", "let Upkeep write there, then run it again",
    )  # fmt: skip
    assert [path.name for path in plain.versions] == ["r1.py"]


def test_concurrently_goes_with_write() -> None:
    assert upkeep("policy", "indexes", "--concurrently").complaint == (
        2, "--concurrently goes with --write", "write `upkeep policy indexes --write --concurrently`",
    )  # fmt: skip
