"""Object lock: what a bucket says of objects that nobody may change, and of what they were before (P-101)."""

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

from upkeep.holds import Hold, Version
from upkeep.stores.names import is_name
from upkeep.stores.s3_answers import NoLock
from upkeep.stores.s3_bucket import Bucket, Sums

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MODES = {True: "COMPLIANCE", False: "GOVERNANCE"}


def unlockable(bucket: Bucket) -> str:
    """Why the bucket can hold no object; '' if it can."""

    def ask(client: "S3Client", _sums: Sums) -> dict[str, Any]:
        return dict(client.get_object_lock_configuration(Bucket=bucket.name))

    try:
        said = bucket.ask("object lock", ask)
    except NoLock:
        said = {}
    is_on = said.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
    return "" if is_on else "its bucket was made without object lock"


def as_arguments(hold: Hold | None) -> dict[str, Any]:
    """What a PUT says so that the object is held from its first moment on."""
    if hold is None:
        return {}
    return {"ObjectLockMode": _MODES[hold.is_final], "ObjectLockRetainUntilDate": hold.until}


def held(bucket: Bucket, key: str, name: str) -> Hold | None:
    """What the store itself says of the object that is there now; None if it is not held."""

    def ask(client: "S3Client", _sums: Sums) -> dict[str, Any]:
        return dict(client.get_object_retention(Bucket=bucket.name, Key=key))

    try:
        said = bucket.ask(name, ask).get("Retention", {})
    except NoLock:
        return None
    if said.get("Mode") not in _MODES.values() or "RetainUntilDate" not in said:
        return None
    return Hold(said["RetainUntilDate"].astimezone(UTC), said["Mode"] == _MODES[True])


def versions(bucket: Bucket, root: str, prefix: str) -> Iterator[Version]:
    """Every state of the names below ``prefix`` that the bucket keeps; ``root`` is where the store begins."""
    token: dict[str, Any] = {}
    while True:

        def ask(client: "S3Client", _sums: Sums, more: dict[str, Any] = token) -> dict[str, Any]:
            return dict(client.list_object_versions(Bucket=bucket.name, Prefix=root + prefix, **more))

        page = bucket.ask("listing", ask)
        for kind, is_removal in (("Versions", False), ("DeleteMarkers", True)):
            for one in page.get(kind, []):
                name = one["Key"].removeprefix(root)
                if is_name(name):
                    yield Version(name, is_removal)
        if not page.get("IsTruncated"):
            return
        token = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
