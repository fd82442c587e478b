"""A store in a bucket of Amazon S3, or of a server that speaks its language."""

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)

from upkeep.errors import Damaged, Refused, Taken, Unreachable, UpkeepError
from upkeep.holds import Hold, Version
from upkeep.stores import Entry, cannot_hold
from upkeep.stores.names import checked_name, checked_prefix, is_name
from upkeep.stores.s3_answers import REFUSES_CHECKSUMS, verdict
from upkeep.stores.s3_bucket import Answer, Request, Sums, facts_of
from upkeep.stores.s3_download import Download
from upkeep.stores.s3_holds import as_arguments, held, unlockable, versions
from upkeep.stores.s3_probe import keeps_conditions, sweep
from upkeep.stores.s3_sizes import part_size
from upkeep.stores.s3_upload import Upload

if TYPE_CHECKING:
    from botocore.config import _RetryDict
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

_ABANDONED = timedelta(days=7)  # after which nobody can still be sending parts
_WITHOUT_KEYS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)


class AskedBucket:
    """One bucket and the client that asks for it; boto3's own variables say where it is and with which keys."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self._client = self._connected()
        self._sums: Sums = {}
        choices: Any = self._client.meta.config  # the stubs do not know what it offers
        if choices.request_checksum_calculation == "when_supported":
            self._sums = {"ChecksumAlgorithm": "CRC32"}
        self._plain: S3Client | None = None
        self._learning = Lock()

    def ask(self, what: str, request: Request[Answer]) -> Answer:
        """Send a request; where the server refuses boto3's default checksums do without them from now on (P-122)."""
        client, sums = self._client, self._sums
        with self.refusals(what):
            try:
                return request(client, sums)
            except ClientError as error:
                if not sums or _code(error) not in REFUSES_CHECKSUMS:
                    raise
            plain = self._without_checksums()
            answer = request(plain, {})
            self._client, self._sums = plain, {}
            return answer

    @contextmanager
    def refusals(self, what: str) -> Iterator[None]:
        """Turn the errors of boto3 that are raised inside into ours."""
        try:
            yield
        except ClientError as error:
            raise verdict(_code(error), _status(error), self.url, what) from error
        except BotoCoreError as error:
            raise self._trouble(error, what) from error

    def _trouble(self, error: BotoCoreError, what: str) -> UpkeepError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Refused(
                f"the certificate of the store {self.url} is not trusted", "name the authority in AWS_CA_BUNDLE"
            )
        if isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError):
            return Unreachable(f"the store {self.url} does not answer", "check the network and AWS_ENDPOINT_URL_S3")
        if isinstance(error, FlexibleChecksumError):
            return Damaged(f"{what} arrives otherwise than it was stored in {self.url}", "read another backup")
        if isinstance(error, _WITHOUT_KEYS):
            return Refused(
                f"there are no keys for the store {self.url}", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return Refused(
            f"the store {self.url} cannot be used: {type(error).__name__}", "check the variables of boto3 (AWS_...)"
        )

    def _without_checksums(self) -> "S3Client":
        with self._learning:  # the parts of an upload learn it all at once
            if self._plain is None:
                self._plain = self._connected(request_checksum_calculation="when_required")
            return self._plain

    def _connected(self, request_checksum_calculation: Literal["when_required"] | None = None) -> "S3Client":
        retries: _RetryDict = {"mode": "standard", "total_max_attempts": 4}
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries=retries,
            max_pool_connections=32,
            request_checksum_calculation=request_checksum_calculation,
        )
        hint = "write AWS_ENDPOINT_URL_S3 like https://host:port, with the keys in their own variables"
        with self.refusals("connecting"):
            try:
                client: S3Client = boto3.session.Session().client("s3", config=config)
            except ValueError:
                raise Refused(f"the endpoint or the region for the store {self.url} cannot be read", hint) from None
        if "@" in urlsplit(client.meta.endpoint_url).netloc:
            raise Refused(f"the endpoint of the store {self.url} must not hold a password", hint)
        return client


class S3Store:
    """Objects below a prefix of one bucket.

    Uploads are our own loop over the plain client and not boto3's transfer manager: that one takes a short read for
    the end (P-123), cannot carry If-None-Match to the end of an upload in parts, and its CRT ignores the endpoint
    (P-128). No ETag is ever compared with a digest (P-25).
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.prefix = f"{checked_name(prefix)}/" if prefix else ""
        self.bucket = AskedBucket(bucket, f"s3://{bucket}/{prefix}".rstrip("/"))
        self._keeps_conditions: bool | None = None
        self._unlockable: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "S3Store":
        """The store at ``s3://bucket/prefix``; raises Refused where the URL says more than that."""
        parts = urlsplit(url)
        if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc or parts.query or parts.fragment:
            hint = "write it like s3://bucket/prefix; endpoint and keys are boto3's variables, AWS_..."
            raise Refused("the URL of an S3 store is a bucket and a prefix", hint)
        return cls(parts.netloc, parts.path.strip("/"))

    @property
    def url(self) -> str:
        """Where the store is: the bucket and the prefix."""
        return self.bucket.url

    def put(
        self,
        name: str,
        source: BinaryIO,
        *,
        only_if_absent: bool = False,
        expected_size: int | None = None,
        hold: Hold | None = None,
    ) -> int:
        """Write all of ``source`` under ``name``, whole or not at all; see Store.put."""
        if hold and self.unlockable:
            raise cannot_hold(self)
        upload = Upload(
            self.bucket, self._key(name), name, only_if_absent, self._refuse_if_careless, as_arguments(hold)
        )
        return upload.send(source, expected_size)

    @contextmanager
    def get(self, name: str, *, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        """Open the bytes of ``name``; raises Damaged if there is no such object."""
        end = None if length is None else start + length
        with io.BufferedReader(Download(self.bucket, self._key(name), name, start, end), 1 << 17) as reader:
            yield reader

    def exists(self, name: str) -> bool:
        """Is there an object of this name?"""
        if facts_of(self.bucket, self._key(name), name) is not None:
            return True
        next(
            self.list(name), None
        )  # a HEAD that finds nothing does not say whether the bucket is there; a listing does
        return False

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose name begins with ``prefix``, in the order of their names, a page of 1,000 at a time."""
        beginning, token = self.prefix + checked_prefix(prefix), None
        while True:
            page = self._page(beginning, token)
            for found in page.get("Contents", []):
                name = found["Key"].removeprefix(self.prefix)
                if is_name(name):
                    yield Entry(name, found["Size"], found["LastModified"].astimezone(UTC))
            if not page["IsTruncated"]:
                return
            token = page["NextContinuationToken"]

    def delete(self, name: str) -> None:
        """Remove the object; a name that is not there is no error. A versioned bucket keeps what it held (P-27)."""
        key = self._key(name)
        self.bucket.ask(name, lambda client, _sums: client.delete_object(Bucket=self.bucket.name, Key=key))

    @property
    def unlockable(self) -> str:
        """Was the bucket made without object lock? It is asked once: that is chosen when a bucket is made."""
        if self._unlockable is None:
            self._unlockable = unlockable(self.bucket)
        return self._unlockable

    def held(self, name: str) -> Hold | None:
        """The retention of the object that is there now."""
        return held(self.bucket, self._key(name), name)

    def versions(self, prefix: str) -> Iterator[Version]:
        """What the bucket lists of versions and of marks of removal."""
        yield from versions(self.bucket, self.prefix, checked_prefix(prefix))

    def probe(self) -> None:
        """Write, read back, list and delete a small object, see that If-None-Match is kept, abort old uploads."""
        name, words = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(64)
        self.put(name, io.BytesIO(words), only_if_absent=True)
        try:
            with self.get(name) as reader:
                if reader.read() != words or name not in [entry.name for entry in self.list(name)]:
                    raise Damaged(
                        f"the store {self.url} gives back other bytes than it was given", "use another server"
                    )
            self._refuse_if_overwritten(name)
        finally:
            self.delete(name)
        sweep(self.bucket, self.prefix, datetime.now(UTC) - _ABANDONED)

    def _page(self, beginning: str, token: str | None) -> "ListObjectsV2OutputTypeDef":
        more: Any = {} if token is None else {"ContinuationToken": token}
        name = self.bucket.name
        return self.bucket.ask(
            "listing", lambda client, _sums: client.list_objects_v2(Bucket=name, Prefix=beginning, **more)
        )

    def _refuse_if_overwritten(self, name: str) -> None:
        try:
            self.put(name, io.BytesIO(b"second"), only_if_absent=True)
        except Taken:
            return
        hint = "use a server that knows conditional writes (If-None-Match), or a directory"
        raise Refused(f"the store {self.url} lets a second writer overwrite a name that must be free", hint)

    def _refuse_if_careless(self) -> None:
        if self._keeps_conditions is None:
            self._keeps_conditions = keeps_conditions(self.bucket, self.prefix)
        if not self._keeps_conditions:
            most = part_size(1, None) >> 20
            hint = f"keep the object below {most} MiB, or use a server that knows If-None-Match for uploads in parts"
            raise Refused(f"the store {self.url} cannot write a large object only if its name is free", hint)

    def _key(self, name: str) -> str:
        return self.prefix + checked_name(name)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code") or str(_status(error))


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
