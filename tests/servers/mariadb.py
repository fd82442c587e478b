"""A real MariaDB server for as long as a with statement lasts."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.servers.ports import free_port

_FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-file-per-table=0",
    "--sync-frm=0",
    "--innodb-stats-persistent=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--max-connections=60",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--skip-name-resolve",
    "--userstat",  # counts the rows of each table that anybody changed
)
_ALONE = ("--skip-log-bin",)
_SECONDS = 30
_UNPRIVILEGED = "nobody"
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")


@dataclass(frozen=True)
class MariadbServer:
    """A server on loopback and on a socket, which asks for the password."""

    port: int
    folder: Path
    password: str
    user: str = "root"

    @property
    def socket(self) -> Path:
        """Where it is reached without a port."""
        return self.folder / "socket"

    def url(self, database: str, user: str = "", password: str | None = None) -> str:
        """The SQLAlchemy URL of a database, over loopback."""
        secret = self.password if password is None else password
        return f"mysql+pymysql://{user or self.user}:{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None, **more: Any) -> Any:
        """A connection of the superuser's, which commits each statement."""
        return pymysql.connect(
            unix_socket=str(self.socket),
            user=self.user,
            password=self.password,
            database=database,
            charset="utf8mb4",
            ssl_disabled=True,  # its socket needs none, and the driver reads all certificates of the machine for it
            **{"autocommit": True} | more,
        )

    def run(self, database: str | None, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, as the application would; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    def make_database(self, *statements: str) -> str:
        """Make a database that nobody else has and run statements in it; its name."""
        name = f"base_{secrets.token_hex(5)}"
        self.run(None, f"CREATE DATABASE {name}")
        self.run(name, *statements)
        return name

    def make_role(self, *grants: str) -> str:
        """Make a role that may log in from here, with the server's password; its name."""
        name = f"role_{secrets.token_hex(5)}"
        host = "127.0.0.1"
        self.run(None, f"CREATE USER {name}@'{host}' IDENTIFIED BY '{self.password}'")
        for grant in grants:
            self.run(None, f"GRANT {grant} TO {name}@'{host}'")
        return name

    def databases(self) -> set[str]:
        """The names of all databases."""
        return {row[0] for row in self.run(None, "SHOW DATABASES")}


def why_no_mariadb() -> str | None:
    """Why there is none; None where the system's packages brought it."""
    wanted = ("mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump")
    missing = [name for name in wanted if _program(name) is None]
    return f"not installed: {', '.join(missing)} (apt-get install mariadb-server)" if missing else None


@contextmanager
def mariadb_server(*options: str) -> Iterator[MariadbServer]:
    """Start a server of one's own, and stop it; takes about two seconds. As root it runs as another user: it must.

    Unless there are ``options`` it keeps no binary log.
    """
    folder = Path(tempfile.mkdtemp(prefix="upkeep-mariadb-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _UNPRIVILEGED)
        _install(folder)
        server = MariadbServer(free_port(), folder, f"{secrets.token_urlsafe(12)}-x")  # no sooner: it may be taken
        process = _started(server, options or _ALONE)
        try:
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb_replica(primary: MariadbServer, number: int) -> Iterator[MariadbServer]:
    """A server that follows one that keeps a binary log, from now on."""
    with mariadb_server(*replicating(number)) as replica:
        ((position,),) = primary.run(None, "SELECT @@gtid_binlog_pos")
        replica.run(
            None,
            "RESET MASTER",
            f"SET GLOBAL gtid_slave_pos = '{position}'",
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'root',"
            f" MASTER_PASSWORD = '{primary.password}', MASTER_USE_GTID = slave_pos",
            "START REPLICA",
        )
        yield replica


def replicating(number: int) -> tuple[str, ...]:
    """The options of a server that others can follow, and that can follow another."""
    return f"--server-id={number}", "--log-bin=log", "--binlog-format=row"


def _install(folder: Path) -> None:
    made = subprocess.run(
        [
            _program("mariadb-install-db") or "",
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        **_as_somebody(),
    )
    if made.returncode:
        raise RuntimeError(f"mariadb-install-db failed: {made.stdout}{made.stderr}")


def _started(server: MariadbServer, options: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    first = server.folder / "first.sql"
    first.write_text(
        f"ALTER USER root@localhost IDENTIFIED BY '{server.password}';\n"
        f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{server.password}';\n"
        "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    where = [f"--datadir={server.folder / 'data'}", f"--socket={server.socket}", f"--port={server.port}"]
    where += ["--bind-address=127.0.0.1", f"--pid-file={server.folder / 'pid'}", f"--init-file={first}"]
    temporary = server.folder / "tmp"  # a server that begins removes what others have in the machine's own
    temporary.mkdir()
    if os.geteuid() == 0:
        shutil.chown(temporary, _UNPRIVILEGED)
    where.append(f"--tmpdir={temporary}")
    with (server.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_program("mariadbd") or "", "--no-defaults", *where, *_FAST, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=server.folder,
            **_as_somebody(),
        )
    until = time.monotonic() + _SECONDS
    while True:
        try:
            server.connect().close()
        except pymysql.MySQLError:
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise RuntimeError(f"MariaDB does not start: {(server.folder / 'log').read_text()}") from None
            time.sleep(0.05)
        else:
            return process


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_FOLDERS))


def _as_somebody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
