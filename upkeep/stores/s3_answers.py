"""What an S3 server's error codes mean for the caller, in our words and without the server's."""

from upkeep.errors import Damaged, Refused, Unreachable, UpkeepError
from upkeep.stores.names import taken

_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_MISSING = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"}
_BUSY = {
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "429",
}
_NO_ROOM = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageQuotaExceeded", "507"}
_NO_RIGHT = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "403", "401"}
_NO_BUCKET = {"NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "301"}
_ALTERED = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
_TOO_LARGE = {"EntityTooLarge", "413"}
_BAD_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "TokenRefreshRequired",
    "AuthorizationHeaderMalformed",
}

# What servers answer that do not know boto3's default checksums (P-26, P-122).
REFUSES_CHECKSUMS = {
    "MissingContentLength",
    "MissingContentMD5",
    "NotImplemented",
    "InvalidArgument",
    "InvalidRequest",
    "AuthorizationHeaderMalformed",
    "XAmzContentSHA256Mismatch",
    "SignatureDoesNotMatch",
    "411",
    "501",
}


class PastTheEnd(Damaged):
    """A range begins where the object has already ended."""


class NoLock(Refused):
    """The bucket, or the object, is under no object lock."""


_NO_LOCK = {
    "ObjectLockConfigurationNotFoundError",
    "ObjectLockConfigurationNotFound",
    "NoSuchObjectLockConfiguration",
}


def verdict(code: str, status: int, url: str, what: str) -> UpkeepError:
    """The error for a server at ``url`` that answered ``what`` with ``code`` and the HTTP ``status``."""
    if code in _TAKEN:
        return taken(what)
    if code in ("InvalidRange", "416"):
        return PastTheEnd(f"{what} is shorter than was asked for in the store {url}", "look at what the store holds")
    if code in _NO_LOCK:
        return NoLock(f"the store {url} has no lock on {what}: {code}", "make a bucket with object lock")
    if code in _MISSING:
        return Damaged(f"{what} is not in the store {url}", "look at what the store holds: it may be pruned")
    if code in _ALTERED:
        return Damaged(f"{what} was altered on its way to the store {url}: {code}", "check the network and its proxies")
    if code in _NO_ROOM:
        return Refused(f"the store {url} has no room left for {what}: {code}", "raise the quota, or prune old backups")
    if code in _BUSY or (status >= 500 and status != 501):
        return Unreachable(f"the store {url} cannot answer for {what} now: {code}", "try again in a few minutes")
    return _refusal(code, url, what)


def _refusal(code: str, url: str, what: str) -> Refused:
    if code in _NO_BUCKET:
        hint = "make the bucket, or correct UPKEEP_STORE, AWS_REGION or AWS_ENDPOINT_URL_S3"
        return Refused(f"there is no bucket for the store {url}: {code}", hint)
    if code in _BAD_KEYS:
        hint = "correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        return Refused(f"the store {url} does not accept these keys: {code}", hint)
    if code == "RequestTimeTooSkewed":
        return Refused(f"the store {url} refuses {what}: the clocks differ", "set the clock of this machine")
    if code in _NO_RIGHT:
        hint = "check the keys, and let them list the bucket and get, put and delete objects below the prefix"
        return Refused(f"the store {url} denies {what}: {code}", hint)
    if code in _TOO_LARGE:
        return Refused(f"the store {url} takes no object as large as {what}", "raise the server's limit for objects")
    if code == "InvalidObjectState":
        return Refused(
            f"{what} lies in the archive of the store {url}", "bring it back first: aws s3api restore-object"
        )
    return Refused(f"the store {url} refuses {what}: {code}", "look the code up in the manual of the S3 server")
