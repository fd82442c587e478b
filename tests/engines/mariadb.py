"""MariaDB under the contract suite: the databases of one server."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

from pymysql.converters import encoders

from tests.engines import ServedBase, Table
from tests.servers.mariadb import MariadbServer
from upkeep.changes import Change

_ASLEEP = "SET foreign_key_checks = 0"
_LIKE_OTHERS = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
"""As other engines compare text; what the server's own collations make of a key is asked in the tests of its own."""
_TABLES = """
    SELECT TABLE_NAME FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1
"""
_COLUMNS = """
    SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
    AND EXTRA NOT LIKE '%%GENERATED%%' ORDER BY ORDINAL_POSITION
"""
_CHANGED = """
    SELECT TABLE_NAME, ROWS_CHANGED FROM information_schema.TABLE_STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1
"""
_SHAPE = """
    SELECT NAME, TABLE_ID FROM information_schema.INNODB_SYS_TABLES
    WHERE NAME LIKE CONCAT(DATABASE(), '/%') ORDER BY 1
"""


@dataclass(frozen=True)
class MariadbBase:
    """One database of the server."""

    server: MariadbServer
    name: str

    @property
    def url(self) -> str:
        """Over loopback, with the password."""
        return "mariadb" + self.server.url(self.name).removeprefix("mysql")

    def exists(self) -> bool:
        """Does the server list it?"""
        return self.name in self.server.databases()

    def run(self, *statements: str) -> None:
        """As every dump of this server is poured in, which passes over keys."""
        self.server.run(self.name, _ASLEEP, *statements)

    @contextmanager
    def application(self, patience: float = 0.5) -> Iterator[Callable[[str], Any]]:
        """A connection with keys enforced, as they always are; the server knows only whole seconds of patience."""
        with closing(self.server.connect(self.name, autocommit=False)) as connection, connection.cursor() as cursor:
            seconds = ceil(patience)
            cursor.execute(f"SET innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}")

            def run(statement: str) -> Any:
                cursor.execute(statement)
                return list(cursor.fetchall())

            yield run
            connection.commit()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.server.run(self.name, sql)

    def listing(self) -> dict[str, list[Any]]:
        """The bytes of every value, as the server keeps text and prints the rest."""
        if not self.exists():
            return {}
        with closing(self._raw()) as connection, connection.cursor() as cursor:
            found = {}
            for table in _tables(cursor):
                cursor.execute(f"SELECT * FROM `{table}`")
                found[table] = sorted(map(repr, cursor.fetchall()))
            return found

    def traces(self) -> Any:
        """How many rows of each table were ever changed, for nothing and undone too, and which table it is."""
        return self.ask(_CHANGED), self.ask(_SHAPE)

    def put_back(self, change: Change, columns: tuple[str, ...]) -> None:
        """By the values of the row's locator, as bytes that the server reads."""
        which = " AND ".join(f"`{column}` = %s" for column in columns)
        names, marks = ", ".join(f"`{name}`" for name in change.columns), ", ".join("%s" for _ in change.columns)
        with closing(self._raw()) as connection, connection.cursor() as cursor:
            gone = cursor.execute(f"DELETE FROM `{change.table}` WHERE {which}", list(map(_told, change.row)))
            assert gone == (change.after is not None)
            into = f"INSERT INTO `{change.table}` ({names}) VALUES ({marks})"
            if change.before is not None:
                cursor.execute(into, list(map(_told, change.before)))

    def copied(self) -> "MariadbBase":
        """Table by table, as the server says that it would make them."""
        copy = MariadbBase(self.server, f"{self.name[:20]}_{secrets.token_hex(5)}")
        made = [f"CREATE DATABASE {copy.name} {_LIKE_OTHERS}", f"USE {copy.name}", _ASLEEP]
        with closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            for table in _tables(cursor):
                cursor.execute(f"SHOW CREATE TABLE `{table}`")
                made.append(cursor.fetchone()[1])
            for statement in made:
                cursor.execute(statement)
        copy.become(self)
        return copy

    def become(self, other: ServedBase) -> None:
        """Table by table, in one transaction."""
        assert isinstance(other, MariadbBase)
        with closing(self.server.connect(self.name, autocommit=False)) as connection, connection.cursor() as cursor:
            cursor.execute(f"{_ASLEEP}, sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'")
            for table in _tables(cursor):
                cursor.execute(_COLUMNS, (table,))
                names = ", ".join(f"`{name}`" for (name,) in cursor.fetchall())
                cursor.execute(f"DELETE FROM `{table}`")
                cursor.execute(f"INSERT INTO `{table}` ({names}) SELECT {names} FROM `{other.name}`.`{table}`")
            connection.commit()

    def drop(self) -> None:
        """Whoever is connected."""
        self.server.run(None, f"DROP DATABASE {self.name}")

    def scratches(self, root: Path) -> set[str]:
        """Databases of the server that are named for this one."""
        del root
        ours = f"_{hashlib.sha256(self.name.encode()).hexdigest()[:6]}_"
        return {name for name in self.server.databases() if name.startswith("upkeep_scratch_") and ours in name}

    def _raw(self) -> Any:
        """A connection that converts nothing, with keys asleep."""
        settings = f"{_ASLEEP}, character_set_results = NULL, sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'"
        return self.server.connect(self.name, use_unicode=False, conv=encoders, init_command=settings)


def _tables(cursor: Any) -> list[str]:
    cursor.execute(_TABLES)
    return [name.decode() if isinstance(name, bytes) else name for (name,) in cursor.fetchall()]


def _told(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


@dataclass(frozen=True)
class MariadbEngine:
    """One server."""

    server: MariadbServer

    name: ClassVar[str] = "MariaDB"
    cannot: ClassVar[dict[str, str]] = {
        "say which run is at work": "a connection has no place where it could say what it holds its lock for",
        "restore in one piece": "each table is committed by itself: a killed restore leaves a database that is marked",
    }
    odd: ClassVar[tuple[str, ...]] = (
        "CREATE TABLE odd (id BIGINT AUTO_INCREMENT PRIMARY KEY, parent INTEGER, t TIMESTAMP(6) NULL, d DATETIME,"
        " n DECIMAL(40, 10), f DOUBLE, b LONGBLOB, v VARBINARY(9), j JSON, u BIGINT UNSIGNED, s SET('a', 'b'),"
        " e ENUM('', 'x'), m TIME(3), y YEAR, g BIT(9), x TEXT, c CHAR(4), l VARCHAR(9) CHARACTER SET latin1,"
        " twice BIGINT AS (parent * 2) STORED, FOREIGN KEY (parent) REFERENCES parents (id))",
        "SET time_zone = '+00:00'",
        "INSERT INTO odd (parent, t, d, n, f, b, v, j, u, s, e, m, y, g, x, c, l) VALUES"
        """ (99, '1970-01-01 00:00:01', '0000-00-00', 0, -0e0, x'00ff27', x'0000', '{"b": 1.0}', ~0, 'a,b', 'x',"""
        " '-838:59:59', 0, b'100000001', 'a\tb\\\\', 'a', 'ä'),"
        " (99, NULL, '9999-12-31', 123456789012345678901234567890.1, 1e-320, '', x'ff', '[]', 0, '', '', '0', 2155, 0,"
        " '', '', ''),"
        " (99, NULL, NULL, NULL, 0.1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'it''s', NULL, NULL),"
        " (1, NULL, '2024-02-29', -1, 1.7976931348623157e308, x'de', '', 'null', 9223372036854775808, 'b', 'x',"
        " '00:00:00.001', 1901, 1, 'ä', ' ä', 'x')",
    )

    def make(self, *tables: Table) -> MariadbBase:
        """A database whose keys are added before the rows, for the server looks at those that are there."""
        base = self.empty()
        base.run(
            *(table.statement() for table in tables),
            *(f"ALTER TABLE {table.name} ADD {key.clause}" for table in tables for key in table.keys),
            *(insert for table in tables for insert in table.inserts()),
        )
        return base

    def empty(self) -> MariadbBase:
        """A database that compares text as other engines do."""
        base = self.absent()
        self.server.run(None, f"CREATE DATABASE {base.name} {_LIKE_OTHERS}")
        return base

    def absent(self) -> MariadbBase:
        """A name."""
        return MariadbBase(self.server, f"fresh_{secrets.token_hex(5)}")

    def counting(self, *tables: str) -> tuple[str, ...]:
        """One for all."""
        return (f"ANALYZE TABLE {', '.join(tables)}",)

    def refusing(self, table: str) -> tuple[str, ...]:
        """A trigger that signals."""
        return self._trigger(
            table, "stays", "BEFORE", "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of ledger stay'"
        )

    def gossiping(self, table: str, column: str) -> tuple[str, ...]:
        """A trigger that signals."""
        said = f"SET @said = CONCAT('no leave for ', OLD.{column})"
        signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @said"
        return self._trigger(table, "stays", "BEFORE", f"BEGIN {said}; {signal}; END")

    def telling(self, table: str, log: str) -> tuple[str, ...]:
        """A trigger that inserts."""
        return self._trigger(table, "tells", "AFTER", f"INSERT INTO {log} (id) VALUES (OLD.id)")

    def stamping(self, table: str, column: str, value: str) -> tuple[str, ...]:
        """A trigger that sets it beforehand."""
        return (f"CREATE TRIGGER stamps BEFORE UPDATE ON {table} FOR EACH ROW SET NEW.{column} = {value}",)

    @staticmethod
    def _trigger(table: str, name: str, when: str, does: str) -> tuple[str, ...]:
        return (f"CREATE TRIGGER {name} {when} DELETE ON {table} FOR EACH ROW {does}",)
