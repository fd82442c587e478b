"""Which class serves which URL: the one place that knows every engine."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import URL

from upkeep.databases import Database, Means
from upkeep.errors import Refused
from upkeep.urls import read_url


def open_database(
    name: str, url: str, patience: float = 30.0, programs: Path | None = None, scratch: str | None = None
) -> Database:
    """The database behind a SQLAlchemy URL; what the others mean stands at ``Means``, ``scratch`` is a URL too.

    Raises Refused for a URL that cannot be read, or an engine that Upkeep has no file for.
    """
    parsed = _parsed(url, f"the URL of database {name}")
    engine = parsed.get_backend_name()
    if engine not in _ENGINES:
        raise Refused(f"Upkeep cannot look after {engine} databases yet", f"it can: {', '.join(_ENGINES)}")
    means = Means(patience, programs, _parsed(scratch, "UPKEEP_SCRATCH_URL") if scratch else None)
    if means.scratch and means.scratch.get_backend_name() != engine:
        raise Refused(
            f"UPKEEP_SCRATCH_URL is of {means.scratch.get_backend_name()}, the database {name} of {engine}",
            "name a server of the same engine, or remove UPKEEP_SCRATCH_URL",
        )
    return _ENGINES[engine](name, parsed, means)


def _parsed(url: str, called: str) -> URL:
    try:
        return read_url(url)
    except ValueError as fault:
        raise Refused(f"{called} {fault}", "write it as sqlite:////folder/file.db (four slashes: absolute)") from None


def backend_of(url: str) -> str:
    """The name by which SQLAlchemy knows the engine behind a URL; an empty text where the URL cannot be read."""
    try:
        return read_url(url).get_backend_name()
    except ValueError:
        return ""


def _sqlite(name: str, url: URL, means: Means) -> Database:
    from upkeep.databases.sqlite import SqliteDatabase

    if means.scratch:
        raise Refused(
            f"UPKEEP_SCRATCH_URL is set, but the scratches of {name} are files",
            "remove it: UPKEEP_SCRATCH names their folder",
        )
    return SqliteDatabase.from_url(name, url, means.patience)


def _postgresql(name: str, url: URL, means: Means) -> Database:
    try:
        from upkeep.databases.postgresql import PostgresqlDatabase
    except ModuleNotFoundError as fault:
        if fault.name != "psycopg":
            raise
        raise Refused("psycopg, PostgreSQL's driver, is not installed", "pip install 'upkeep[postgresql]'") from None
    return PostgresqlDatabase.from_url(name, url, means)


def _mariadb(name: str, url: URL, means: Means) -> Database:
    try:
        from upkeep.databases.mariadb import MariadbDatabase
    except ModuleNotFoundError as fault:
        if fault.name != "pymysql":
            raise
        raise Refused(
            "PyMySQL, the driver for MariaDB and MySQL, is not installed", "pip install 'upkeep[mariadb]'"
        ) from None
    if means.scratch:
        raise Refused("UPKEEP_SCRATCH_URL is set, but scratches of MariaDB are on its own server", "remove it")
    return MariadbDatabase.from_url(name, url, means.patience, means.programs)


_ENGINES: dict[str, Callable[[str, URL, Means], Database]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "mysql": _mariadb,
}
