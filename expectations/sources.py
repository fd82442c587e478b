"""How Great Expectations reaches a database: read-only, by one connection, which is gone afterwards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

from great_expectations.compatibility import pydantic
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.datasource.fluent.interfaces import TestConnectionError
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from upkeep.errors import Refused, Unreachable

NAME = "database"
Lend = Callable[[], Any] | None


@contextmanager
def connected(
    context: EphemeralDataContext, url: str, at_begin: Sequence[str] = (), lend: Lend = None
) -> Iterator[SQLDatasource]:
    """The database behind a SQLAlchemy URL as a source of the context, each of whose transactions begins ``at_begin``.

    With ``lend`` it asks by the connections that this gives, one for each engine, and by no others.

    Raises Refused for a URL that cannot be read and Unreachable where nothing answers. Both engines that the library
    keeps for a source are disposed in the end: an idle connection would block ``DROP DATABASE``.
    """
    source = _added(context, _parsed(url))
    with ExitStack() as closing:
        closing.callback(source.get_engine().dispose)
        asking = source.get_execution_engine()
        for engine in (source.get_engine(), asking.engine):
            _begin_with(engine, at_begin)
            _borrow(engine, lend)
        closing.callback(asking.engine.dispose)
        closing.callback(asking.close)
        yield source


def _begin_with(engine: Engine, statements: Sequence[str]) -> None:
    """Let each transaction begin with these statements. The library takes no engine, but shows the ones that it made.

    A connection that it had before it was told would go on without them, so that is given back.
    """

    def say(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    if statements:
        engine.dispose()
        event.listen(engine, "begin", say)


def _borrow(engine: Engine, lend: Lend) -> None:
    """Let the engine use one connection that is lent to it, and never reset what is open on it."""
    if lend is not None:
        engine.dispose()
        engine.pool = StaticPool(lend, reset_on_return=None, dialect=engine.dialect)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise Refused(
            "the URL of the database that the suites should ask cannot be read",
            "write it as sqlite:////folder/file.db (four slashes: absolute)",
        ) from None


def _added(context: EphemeralDataContext, url: URL) -> SQLDatasource:
    sources = context.data_sources
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            return sources.add_sqlite(NAME, connection_string=read_only_sqlite(url), create_temp_table=False)
        written = url.render_as_string(hide_password=False)
        # add_postgres wants a host, which the URL of a Unix socket does not have
        add = sources.add_postgres if backend == "postgresql" and url.host else sources.add_sql
        return add(  # type: ignore[call-arg]  # the library's stub leaves kwargs out, which its SQLDatasource takes
            NAME, connection_string=written, create_temp_table=False, kwargs=_one_connection(url)
        )
    except pydantic.ValidationError:
        raise Refused(
            f"Great Expectations cannot use the URL of this {backend} database",
            "write it as dialect+driver://user:password@host:port/database",
        ) from None
    except TestConnectionError as error:
        cause = type(error.__cause__ or error).__name__
        raise Unreachable(
            f"the {backend} database that the suites should ask does not answer ({cause})",
            "look whether it runs, and whether the file, the host and the credentials of its URL are right",
        ) from None


def read_only_sqlite(url: URL) -> str:
    """The same SQLite file as a URL that cannot write: neither create the file (P-05) nor check-point its WAL."""
    if not url.database or url.database == ":memory:":
        raise Refused(
            "a SQLite database in memory cannot be asked by suites", "write its URL as sqlite:////folder/file.db"
        )
    database = url.database if url.database.startswith("file:") else f"file:{quote(url.database)}"
    query = {**url.query, "mode": "ro", "uri": "true"}
    return URL.create(url.drivername, database=database, query=query).render_as_string(hide_password=False)


def _one_connection(url: URL) -> dict[str, Any]:
    """What ``create_engine`` is told: keep no more than one connection, and on PostgreSQL one that cannot write."""
    if url.get_backend_name() != "postgresql":
        return {"pool_size": 1}
    options = f"{url.query.get('options', '')} -c default_transaction_read_only=on".strip()
    return {"pool_size": 1, "connect_args": {"options": options}}
