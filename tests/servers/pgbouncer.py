"""A real PgBouncer before a PostgreSQL server, for as long as a with statement lasts."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.servers.ports import free_port
from tests.servers.postgresql import PostgresServer

_SECONDS = 20
_UNPRIVILEGED = "nobody"


def pgbouncer_program() -> str | None:
    """Where the program is; None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(server: PostgresServer, mode: str) -> Iterator[int]:
    """The port of a pooler in this mode, by which the server's superuser gets in."""
    program, port = pgbouncer_program(), free_port()
    assert program is not None
    folder = Path(tempfile.mkdtemp(prefix="upkeep-pgbouncer-"))
    user = pwd.getpwnam(_UNPRIVILEGED)
    (folder / "users").write_text(f'"{server.user}" "{server.password}"\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users\npool_mode = {mode}\n"
    )
    as_somebody = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    if as_somebody:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, _UNPRIVILEGED)
    process = subprocess.Popen(
        [program, str(folder / "ini")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_somebody,  # type: ignore[call-overload]  # who it runs as depends on who we are
    )
    try:
        _wait(server, port, process)
        yield port
    finally:
        process.kill()
        process.wait(_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: PostgresServer, port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user=server.user, password=server.password, dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
