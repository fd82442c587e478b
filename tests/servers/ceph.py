"""A real S3 server, Ceph's, for as long as a with statement lasts."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3.session

from tests.servers.certificate import certificate_for_loopback
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SCRIPT = Path(__file__).with_name("ceph-s3.sh")
_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool", "curl")
_ATTEMPTS = 3


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server is and with which keys; for HTTPS also the file with the certificate to trust."""

    endpoint: str
    access_key: str
    secret_key: str
    authority: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """boto3's own variables for this server, and none of the machine's."""
        variables = {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        return variables if self.authority is None else {**variables, "AWS_CA_BUNDLE": str(self.authority)}

    def make_bucket(self, *, locking: bool = False) -> str:
        """Make a bucket that nobody else has, with object lock if it is to have it; its name."""
        name = f"bucket-{secrets.token_hex(6)}"
        client_for(self).create_bucket(Bucket=name, ObjectLockEnabledForBucket=locking)
        return name


@cache
def client_for(server: S3Server) -> "S3Client":
    """A client beside the store under test, to make what it uses and to see what it does not show; made once: 0.3 s."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        verify=None if server.authority is None else str(server.authority),
    )


def why_no_ceph() -> str | None:
    """Why Ceph cannot be started on this machine; None if it can."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install ceph-mon ceph-osd radosgw)"
    return None


@contextmanager
def ceph_s3(*, tls: bool = False) -> Iterator[S3Server]:
    """Start a server of one's own on free ports of loopback, and stop it; takes about two seconds.

    Another process may take a port between our look and Ceph's: then the start is tried again with other ports.
    """
    with tempfile.TemporaryDirectory(prefix="upkeep-ceph-", ignore_cleanup_errors=True) as temporary:
        certificate = certificate_for_loopback(Path(temporary) / "tls.pem") if tls else None
        for attempt in range(1, _ATTEMPTS + 1):
            folder = Path(temporary) / f"ceph{attempt}"
            port = free_port()
            started = _run("start", folder, str(port), str(free_port(port)), certificate)
            if started.returncode == 0:
                break
            if attempt == _ATTEMPTS:
                raise RuntimeError(f"Ceph does not start: {started.stderr}")
        try:
            yield S3Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}", "testkey", "testsecret", certificate)
        finally:
            _run("stop", folder)


def _run(command: str, folder: Path, *arguments: str | Path | None) -> subprocess.CompletedProcess[str]:
    *ports, certificate = arguments or (None,)
    environment = {**os.environ, "OWNER": str(os.getpid()), "TLS": str(certificate or "")}
    words = [str(_SCRIPT), command, str(folder), *(str(port) for port in ports)]
    # Files, not pipes: the daemons inherit standard error, and a pipe would be read until they end.
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, timeout=180
        )
        errors.seek(0)
        return subprocess.CompletedProcess(words, done.returncode, "", errors.read())
