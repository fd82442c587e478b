"""The damaged example clinic on a PostgreSQL server: schema by Alembic, rows as SQLite has them, orphans too."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from examples import clinic as example
from tests.servers.postgresql import PostgresServer

_COLUMNS = """
    SELECT a.attname, a.atttypid::regtype::text FROM pg_attribute a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""


def put_clinic(server: PostgresServer, file: Path) -> str:
    """Copy a clinic to a new database of the server; its name.

    Foreign keys are passed over as a restore from a foreign tool passes over them: they say that they are valid.
    """
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
        with server.connect(name) as target, target.transaction():
            target.execute("SET LOCAL session_replication_role = replica")
            for (table,) in source.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
            ):
                _copy(source, target, table)
    return name


def _copy(source: sqlite3.Connection, target: "psycopg.Connection[Any]", table: str) -> None:
    columns = target.execute(_COLUMNS, (f'"{table}"',)).fetchall()
    names = [name for name, _ in columns]
    asked = ", ".join(f'"{name}"' for name in names)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with target.cursor() as cursor, cursor.copy(into) as copy:
        for row in source.execute(f'SELECT {asked} FROM "{table}"'):
            copy.write_row([_told(value, kind) for value, (_, kind) in zip(row, columns, strict=True)])
    if "id" in names:
        target.execute(
            sql.SQL("SELECT setval(s, m) FROM (SELECT pg_get_serial_sequence({}, 'id') s, MAX(id) m FROM {}) x").format(
                sql.Literal(f'"{table}"'), sql.Identifier(table)
            )
        )


def _told(value: Any, kind: str) -> Any:
    """The value as a column of this type can hold it: SQLite keeps words in a column of numbers, PostgreSQL cannot."""
    if isinstance(value, str) and kind in ("integer", "bigint", "smallint"):
        return 900_000_000 + sum(map(ord, value))
    return bool(value) if kind == "boolean" and value is not None else value
