"""The damaged example clinic on a MariaDB server: schema by Alembic, rows as SQLite has them, orphans too."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from examples import clinic as example
from tests.servers.mariadb import MariadbServer

_COLUMNS = """
    SELECT COLUMN_NAME, DATA_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0) FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND EXTRA NOT LIKE '%%GENERATED%%' ORDER BY ORDINAL_POSITION
"""


def put_clinic(server: MariadbServer, file: Path) -> str:
    """Copy a clinic to a new database of the server; its name. Foreign keys are passed over, as any dump does."""
    name = server.make_database()
    with closing(sqlite3.connect(file)) as source:
        ((revision,),) = source.execute("SELECT version_num FROM alembic_version").fetchall()
        ini = Path(example.__file__).parent / "alembic.ini"
        subprocess.run(
            [sys.executable, "-m", "alembic", "-c", ini, "upgrade", revision],
            env=os.environ | {"DATABASE_URL": server.url(name)},
            check=True,
            capture_output=True,
        )
        with closing(server.connect(name)) as target, target.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0, sql_mode = 'STRICT_ALL_TABLES'")
            for (table,) in source.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
            ):
                _copy(source, cursor, table)
    return name


def _copy(source: sqlite3.Connection, cursor: Any, table: str) -> None:
    cursor.execute(_COLUMNS, (table,))
    columns = cursor.fetchall()
    names = ", ".join(f'"{name}"' for name, _, _ in columns)
    into = f"INSERT INTO `{table}` ({names.replace(chr(34), '`')}) VALUES ({', '.join('%s' for _ in columns)})"
    for row in source.execute(f'SELECT {names} FROM "{table}"'):
        cursor.execute(into, [_told(value, kind) for value, (_, kind, _) in zip(row, columns, strict=True)])


def _told(value: Any, kind: str) -> Any:
    """The value as a column of this type can hold it: SQLite keeps words in a column of numbers, MariaDB cannot."""
    if isinstance(value, str) and kind in ("int", "bigint", "smallint", "tinyint"):
        return 900_000_000 + sum(map(ord, value))
    return value
