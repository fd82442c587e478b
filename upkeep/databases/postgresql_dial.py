"""A bare socket to a PostgreSQL server, where and as libpq would reach it: encrypted if it would be."""

import socket
import ssl
import struct
from pathlib import Path

from psycopg import ConnectionInfo

from upkeep.errors import Refused, Unreachable

_SSL_PLEASE = struct.pack("!II", 8, 80877103)
_SECONDS = 10
_HOME = Path("~/.postgresql")


def dial(there: ConnectionInfo, *, encrypted: bool) -> socket.socket:
    """A socket on which nothing was said yet, to the server that the connection of ``there`` has found."""
    try:
        if there.host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{there.host}/.s.PGSQL.{there.port}")
        else:
            server = socket.create_connection((there.hostaddr or there.host, there.port), _SECONDS)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if encrypted:
            server = _encrypted(server, there)
    except OSError as fault:
        raise Unreachable(
            f"the server at {there.host}:{there.port} does not answer once more: {fault}", "try again"
        ) from None
    server.settimeout(None)
    return server


def _encrypted(server: socket.socket, there: ConnectionInfo) -> socket.socket:
    server.sendall(_SSL_PLEASE)
    if server.recv(1) != b"S":
        raise Refused("the server encrypts one connection and refuses to encrypt the next", "look at its pg_hba.conf")
    return _context(there.get_parameters()).wrap_socket(server, server_hostname=there.host)


def _context(given: dict[str, str]) -> ssl.SSLContext:
    """What libpq makes of sslmode and its files: by default it encrypts and trusts whoever answers."""
    mode, root = given.get("sslmode", "prefer"), given.get("sslrootcert", "")
    context = ssl.create_default_context(cafile=None if root in ("", "system") else root)
    default = (_HOME / "root.crt").expanduser()
    if not root and default.exists():
        context.load_verify_locations(default)
    trusted = mode.startswith("verify") or root or default.exists()
    context.check_hostname = mode == "verify-full" or root == "system"
    context.verify_mode = ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE
    certificate = Path(given.get("sslcert") or _HOME / "postgresql.crt").expanduser()
    if certificate.exists():
        key = Path(given.get("sslkey") or _HOME / "postgresql.key").expanduser()
        context.load_cert_chain(certificate, key, given.get("sslpassword"))
    return context
