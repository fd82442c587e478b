"""One case on one engine: its database, its project, its equipment, and what must not have changed."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from tests.engines import Base
from upkeep.equipment import Equipment, equip

CASES = Path(__file__).parent
ENGINES = ("sqlite", "postgresql-system", "mariadb")
Ends = Literal["refused", "fails", "refused live", "passes"]


class Case(BaseModel):
    """What ``case.toml`` says.

    ``ends``: refused before anything runs; the rehearsal fails, so that nothing is performed; it passes and the live
    run is refused, with ``live`` among its words; or it passes and is performed. ``says`` must be told (one of several,
    with | between), and ``hint`` where it is refused. ``at`` is what alembic_version holds (there is none where it is
    empty), ``family`` puts people and pets there first, ``settings`` are more of the environment, ``after`` queries
    with the rows that they give when all is done. ``meanwhile`` is run between the rehearsal and the live run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shows: str
    engines: tuple[str, ...] = ("sqlite",)
    at: tuple[str, ...] = ("r1",)
    family: bool = True
    ends: Ends
    says: str = ""
    hint: str = ""
    live: str = ""
    meanwhile: tuple[str, ...] = ()
    policy: str = ""
    settings: dict[str, str] = {}
    after: dict[str, list[list[Any]]] = {}


def cases() -> Iterator[tuple[str, str, bool]]:
    """The name of each case with each engine that it is about, and whether that is the first of them."""
    for name in sorted(file.parent.name for file in CASES.glob("*/case.toml")):
        engines = load(name).engines
        yield from ((name, engine, engine == engines[0]) for engine in engines)


def load(name: str) -> Case:
    """One case."""
    return Case.model_validate(tomllib.loads((CASES / name / "case.toml").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Situation:
    """A case with its database, and a folder for a run."""

    name: str
    engine: str
    base: Base
    folder: Path

    @property
    def case(self) -> Case:
        """What the case says of itself."""
        return load(self.name)

    def build(self) -> Equipment:
        """Fill the database, write the project down, and open what the settings name."""
        statements = [CASES / "before.sql"] if self.case.family else []
        statements += [CASES / self.name / "before.sql", CASES / self.name / f"before.{self.engine}.sql"]
        self.base.run(*(one for file in statements if file.exists() for one in file.read_text().strip().split("\n\n")))
        if self.case.at:
            self.base.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            self.base.run(*(f"INSERT INTO alembic_version VALUES ('{revision}')" for revision in self.case.at))
        (self.folder / "work").mkdir()
        (self.folder / "policy.toml").write_text(self.case.policy)
        os.environ |= {
            "DATABASE_URL": self.base.url,
            "UPKEEP_DATABASE": "case",
            "UPKEEP_STORE": (self.folder / "store").as_uri(),
            "UPKEEP_SCRATCH": str(self.folder / "scratch"),
            "UPKEEP_POLICY": str(self.folder / "policy.toml"),
            "UPKEEP_LOCK_SECONDS": "2",
            "UPKEEP_ALEMBIC_INI": str(self._project()),
        } | {name: value.format(url=self.base.url) for name, value in self.case.settings.items()}
        return equip()

    def _project(self) -> Path:
        scripts = self.folder / "migrations"
        own = CASES / self.name
        shutil.copytree(own / "versions", scripts / "versions", ignore=shutil.ignore_patterns("__pycache__"))
        for unreadable in (scripts / "versions").glob("*.py.txt"):  # no tool of ours has to read it
            unreadable.rename(unreadable.with_suffix(""))
        for name, to in (("env.py", scripts / "env.py"), ("r1.py", scripts / "versions" / "r1.py")):
            shutil.copy(own / name if (own / name).exists() else CASES / name, to)
        text = (scripts / "env.py").read_text().replace("LIVE_URL", self.base.url)
        (scripts / "env.py").write_text(text)
        ini = self.folder / "alembic.ini"
        ini.write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
        return ini

    def content(self, equipment: Equipment) -> Any:
        """Every row and every word of the schema."""
        with equipment.database.reading() as reading:
            schema = reading.catalog().schema_digest
        return self.base.listing(), schema
