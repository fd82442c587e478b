"""PostgreSQL under the contract suite: the databases of one server."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from psycopg import sql

from tests.engines import ServedBase, Table
from tests.servers.postgresql import PostgresServer
from upkeep.changes import Change

_ASLEEP = "SET session_replication_role = replica"
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
_SHAPE = """
    SELECT 'relation', oid::text, xmin::text, relfilenode::text FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'constraint', oid::text, xmin::text, '' FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'trigger', oid::text, xmin::text, '' FROM pg_trigger ORDER BY 1, 2
"""
_FUNCTION = "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN OLD; END $$"


@dataclass(frozen=True)
class PostgresqlBase:
    """One database of the server."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        """Over loopback, with the password."""
        return self.server.url(self.name)

    def exists(self) -> bool:
        """Does the server list it?"""
        return self.name in self.server.databases()

    def run(self, *statements: str) -> None:
        """As a restore from a foreign tool does it, which passes over keys and triggers."""
        self.server.run(self.name, _ASLEEP, *statements)

    @contextmanager
    def application(self, patience: float = 0.5) -> Iterator[Callable[[str], Any]]:
        """A connection with keys enforced, as they always are."""
        with self.server.connect(self.name) as connection:
            connection.execute(f"SET lock_timeout = '{int(patience * 1000)}ms'".encode())
            with connection.transaction():

                def run(statement: str) -> list[tuple[Any, ...]]:
                    cursor = connection.execute(statement.encode())
                    return cursor.fetchall() if cursor.description else []

                yield run

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.server.run(self.name, sql)

    def listing(self) -> dict[str, list[Any]]:
        """What COPY writes of each table: every value, exactly."""
        if not self.exists():
            return {}
        with self.server.connect(self.name) as connection:
            return {
                table: sorted(_copied(connection, table))
                for (table,) in connection.execute(_TABLES.encode()).fetchall()
            }

    def traces(self) -> Any:
        """The version of every row, who has locked it, and the same of the catalog."""
        rows = {
            table: sorted(self.server.run(self.name, f'SELECT ctid::text, xmin::text, xmax::text FROM "{table}"'))
            for table in self.listing()
        }
        return rows, self.server.run(self.name, _SHAPE)

    def put_back(self, change: Change, columns: tuple[str, ...]) -> None:
        """By the values of the row's locator, as text that the server reads."""
        table = sql.Identifier(change.table)
        which = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in columns)
        into = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            table,
            sql.SQL(", ").join(map(sql.Identifier, change.columns)),
            sql.SQL(", ").join([sql.SQL("%s")] * len(change.columns)),
        )
        with self.server.connect(self.name) as connection, connection.transaction():
            connection.execute(_ASLEEP)
            gone = connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table, which), change.row).rowcount
            assert gone == (change.after is not None)
            if change.before is not None:
                connection.execute(into, change.before)

    def copied(self) -> "PostgresqlBase":
        """By the server, file for file."""
        copy = f"{self.name[:20]}_{secrets.token_hex(5)}"
        self.server.run("postgres", f"CREATE DATABASE {copy} TEMPLATE {self.name} STRATEGY file_copy")
        return PostgresqlBase(self.server, copy)

    def become(self, other: ServedBase) -> None:
        """Table by table, in one transaction; it keeps its number, by which its scratches are known."""
        assert isinstance(other, PostgresqlBase)
        with self.server.connect(self.name) as to, other.server.connect(other.name) as source, to.transaction():
            to.execute(_ASLEEP)
            tables = [row[0] for row in source.execute(_TABLES.encode()).fetchall()]
            to.execute(f"TRUNCATE {', '.join(tables)}".encode())
            for table in tables:
                rows = source.cursor().copy(f"COPY {table} TO STDOUT".encode())
                with rows as pieces, to.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into:
                    for piece in pieces:
                        into.write(piece)

    def drop(self) -> None:
        """Whoever is connected."""
        self.server.run("postgres", f"DROP DATABASE {self.name} WITH (FORCE)")

    def scratches(self, root: Path) -> set[str]:
        """Databases of the server that are named for this one."""
        del root
        if not self.exists():
            return set()
        ((oid,),) = self.ask("SELECT oid FROM pg_database WHERE datname = current_database()")
        ours = f"_{oid}_"
        return {name for name in self.server.databases() if name.startswith("upkeep_scratch_") and ours in name}


def _copied(connection: Any, table: str) -> list[str]:
    with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
        return b"".join(map(bytes, copy)).decode().splitlines()


@dataclass(frozen=True)
class PostgresqlEngine:
    """One server."""

    name: str
    server: PostgresServer

    cannot: ClassVar[dict[str, str]] = {
        "lose a parent table": "a table that foreign keys point at goes only together with them",
    }
    odd: ClassVar[tuple[str, ...]] = (
        "CREATE TABLE odd (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES parents (id),"
        " t timestamptz, n numeric, f float8, b bytea, j jsonb, i int[], v interval, x text, c char(4),"
        " twice bigint GENERATED ALWAYS AS (id * 2) STORED)",
        r"INSERT INTO odd (parent, t, n, f, b, j, i, v, x, c) VALUES"
        r""" (99, 'infinity', 'NaN', '-0', '\x00ff', '{"b": 1.0, "a": [null]}', '{1,NULL}', '1 mon', e'a\tb', 'a'),"""
        r" (99, '4713-01-01 BC', 1.00, 1e-320, '\x', 'null', '{}', '-00:00:01', '', '    '),"
        r" (99, NULL, 123456789012345678901234567890.1, 0.1, NULL, '9007199254740993', NULL, NULL, 'it''s', NULL),"
        r" (1, now(), 0, 'NaN', '\xde', '{}', '{{1},{2}}', '1 s', 'ä', 'ä')",
    )

    def make(self, *tables: Table) -> PostgresqlBase:
        """A database whose keys can all wait for the end of a transaction."""
        base = self.empty()
        base.run(
            *(table.statement() for table in tables),
            *(f"ALTER TABLE {table.name} ADD {key.clause} DEFERRABLE" for table in tables for key in table.keys),
            *(insert for table in tables for insert in table.inserts()),
        )
        return base

    def empty(self) -> PostgresqlBase:
        """A database as the server makes it."""
        return PostgresqlBase(self.server, self.server.make_database())

    def absent(self) -> PostgresqlBase:
        """A name."""
        return PostgresqlBase(self.server, f"fresh_{secrets.token_hex(5)}")

    def counting(self, *tables: str) -> tuple[str, ...]:
        """One for each."""
        return tuple(f"ANALYZE {table}" for table in tables)

    def refusing(self, table: str) -> tuple[str, ...]:
        """A trigger that raises."""
        return self._trigger(table, "stays", "BEFORE", "RAISE EXCEPTION 'rows of ledger stay'")

    def gossiping(self, table: str, column: str) -> tuple[str, ...]:
        """A trigger that raises."""
        return self._trigger(table, "stays", "BEFORE", f"RAISE EXCEPTION 'no leave for %', OLD.{column}")

    def telling(self, table: str, log: str) -> tuple[str, ...]:
        """A trigger that inserts."""
        return self._trigger(table, "tells", "AFTER", f"INSERT INTO {log} (id) VALUES (OLD.id)")

    def stamping(self, table: str, column: str, value: str) -> tuple[str, ...]:
        """A trigger that sets it beforehand."""
        sets = f"BEGIN NEW.{column} := {value}; RETURN NEW; END"
        made = f"CREATE FUNCTION stamps() RETURNS trigger LANGUAGE plpgsql AS $$ {sets} $$"
        return made, f"CREATE TRIGGER stamps BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION stamps()"

    @staticmethod
    def _trigger(table: str, name: str, when: str, does: str) -> tuple[str, ...]:
        made = f"CREATE TRIGGER {name} {when} DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        return _FUNCTION.format(name, does), made
