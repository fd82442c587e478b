"""What a bucket's server keeps to, and what killed writers left there."""

import io
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from upkeep.errors import Refused, Taken
from upkeep.stores.s3_bucket import Bucket, Sums
from upkeep.stores.s3_parts import Parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListMultipartUploadsOutputTypeDef, MultipartUploadTypeDef


def keeps_conditions(bucket: Bucket, prefix: str) -> bool:
    """Does the server keep to If-None-Match at the end of an upload in parts?

    Ceph 16 keeps to it in a single PUT and ignores it here without a word, so it has to be tried.
    """
    key = f"{prefix}.probe-{secrets.token_hex(8)}"
    bucket.ask("probe", lambda client, sums: client.put_object(Bucket=bucket.name, Key=key, Body=b"first", **sums))
    try:
        parts = Parts(bucket, key, "probe", {})
        try:
            _, crc = parts.send_all(io.BytesIO(b"second"), io.BytesIO(), None)
            parts.complete(crc, {"IfNoneMatch": "*"})
        except BaseException as error:
            parts.abort(error)
            raise
    except Taken:
        return True
    finally:
        bucket.ask("probe", lambda client, _sums: client.delete_object(Bucket=bucket.name, Key=key))
    return False


def sweep(bucket: Bucket, prefix: str, begun_before: datetime) -> None:
    """Abort the uploads below ``prefix`` that were begun before then and never completed."""

    def unfinished(client: "S3Client", _sums: Sums) -> "Sequence[ListMultipartUploadsOutputTypeDef]":
        return [*client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket.name, Prefix=prefix)]

    try:
        pages = bucket.ask("sweeping", unfinished)
    except (
        Refused
    ):  # keys that may not look there leave it to the bucket's lifecycle rule (AbortIncompleteMultipartUpload)
        return
    for upload in (upload for page in pages for upload in page.get("Uploads", [])):
        if upload["Initiated"] < begun_before:
            _abort(bucket, upload)


def _abort(bucket: Bucket, upload: "MultipartUploadTypeDef") -> None:
    where: Any = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
    bucket.ask("sweeping", lambda client, _sums: client.abort_multipart_upload(Bucket=bucket.name, **where))
