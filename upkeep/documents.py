"""One JSON document written to the store, the same way wherever it comes from."""

import json
from io import BytesIO
from typing import Any

from upkeep.errors import Taken
from upkeep.stores import Store


def put_document(store: Store, name: str, document: Any, *, only_if_absent: bool = False) -> None:
    """Write a JSON document under ``name``, keys sorted, whole or not at all.

    With ``only_if_absent`` raises Taken where the name holds anything else. The same document is no other: a write
    whose acknowledgement was lost is answered as if somebody had been there before (P-126).
    """
    content = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    try:
        store.put(name, BytesIO(content), only_if_absent=only_if_absent)
    except Taken:
        with store.get(name) as there:
            if there.read() != content:
                raise
