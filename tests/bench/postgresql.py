"""PostgreSQL as an engine of the bench: a server of its own, reached over its socket and so without any password."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.bench.clinic_on_postgresql import put_clinic
from tests.bench.engines import Command
from tests.bench.processes import act
from tests.bench.tables import Into
from tests.servers.postgresql import PostgresServer


class Postgresql:
    """Databases of one server; by hand its own programs."""

    ways: Mapping[str, str] = {"plain SQL, four NOT EXISTS": "plain_postgresql"}
    aims: Mapping[str, float] = {"backup": 1.15, "plain SQL, four NOT EXISTS": 1.1}
    works_here = False
    modes: tuple[str, ...] = ("postgresql",)
    exchanges = False

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        ((version,),) = server.run("postgres", "SELECT split_part(current_setting('server_version'), ' ', 1)")
        self.title = f" on PostgreSQL {version}"
        self.programs: Path | None = server.programs

    def notes(self, url: str, folder: Path) -> tuple[str, ...]:
        used = act("workers", folder, database=url).said
        return (f"parallel workers for the four keys: {used['ours']} ours, {used['by_hand']} by hand",)

    def url(self, folder: Path, name: str) -> str:
        del folder
        return f"postgresql+psycopg://{self._server.user}@/{name}?host={self._server.sockets}&port={self._server.port}"

    def made(self, folder: Path, name: str, fill: Callable[[Into], None]) -> str:
        self._server.run("postgres", f'CREATE DATABASE "{name}"')
        with self._server.connect(name) as connection:
            connection.execute("SET session_replication_role = replica")
            with connection.transaction():
                fill(_IntoPostgresql(connection))
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        return self.url(folder, name)

    def clear(self, folder: Path, name: str) -> None:
        del folder
        self._server.run("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def backup_by_hand(self, folder: Path, name: str) -> tuple[str, Command]:
        by_hand = '"$1" -h "$2" -p "$3" -U "$4" -Fc -Z none "$5" | zstd -q -3 -f -o "$6/by-hand.zst"'
        return "pg_dump -Fc -Z none | zstd -3", [*self._shell(by_hand, "pg_dump"), name, folder]

    def restores_by_hand(self, folder: Path, dump: str, name: str) -> Mapping[str, Command]:
        del folder
        made = f'"{self._server.programs}/createdb" -h "$2" -p "$3" -U "$4" -T template0 "$5"'
        gone = f'"{self._server.programs}/dropdb" -h "$2" -p "$3" -U "$4" --if-exists "$5"'
        by_hand = f'{gone} && {made} && zstd -d -q -c "$6" | "$1" -h "$2" -p "$3" -U "$4" -d "$5" --exit-on-error'
        return {"zstd -d | pg_restore": [*self._shell(by_hand, "pg_restore"), name, dump]}

    def clinic(self, file: Path, mode: str, at: Path) -> str:
        del mode
        return self.url(at, put_clinic(self._server, file))

    def count(self, url: str, table: str) -> int:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            row = connection.execute(sql.SQL("SELECT COUNT(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return int(row[0])

    def _shell(self, script: str, program: str) -> list[str | Path]:
        server = self._server
        where: list[str | Path] = [server.sockets, str(server.port), server.user]
        return ["sh", "-c", script, "sh", server.programs / program, *where]


class _IntoPostgresql:
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def fill(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        into = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)

    def later(self, column: str, minutes: int) -> str:
        return f"to_char({column}::timestamp + interval '{minutes} minutes', 'YYYY-MM-DD HH24:MI:SS')"
