"""Receipts in the store: written one after the other by whoever comes, and read back with the evidence they name."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from upkeep.anchors import anchor_of
from upkeep.clock import as_written
from upkeep.errors import Damaged, Taken, Unreachable
from upkeep.holds import Hold
from upkeep.ledger import START, Evidence, Kind, Link, Receipt, link_of, name_of, opened
from upkeep.ledger_verdict import Books, Demand, LedgerVerdict, verdict_of
from upkeep.signatures import Signer
from upkeep.stores import Store
from upkeep.stores.names import is_name

_TRIES = 100
_FOLDERS = ("evidence", "repairs")


def write_receipt(
    store: Store,
    database: str,
    kind: Kind,
    *,
    run: str,
    now: datetime,
    contents: dict[str, Any],
    evidence: Iterable[Evidence] = (),
    signer: Signer | None = None,
    hold: Hold | None = None,
) -> Link:
    """Put the next receipt at the end of the chain; who loses the race for a number takes the next one.

    ``hold``: the store lets nobody change it. Raises Damaged where the last receipt cannot be read: nothing is built on
    it.
    """
    chance = secrets.token_hex(16)
    named = sorted(evidence, key=lambda one: one.name)
    for _ in range(_TRIES):
        last = last_receipt(store, database)
        receipt = Receipt(
            number=last.receipt.number + 1 if last else 1,
            before=last.hash if last else START,
            id=chance,
            database=database,
            kind=kind,
            run=run,
            written=as_written(now),
            contents=contents,
            evidence=named,
            open=opened(last.receipt.open if last else {}, kind, run),
            signed_by=signer.name if signer else None,
        )
        link = Link(receipt, signer.sign(receipt.hash) if signer else None)
        if _put(store, link, hold):
            return link
    raise Unreachable(f"{_TRIES} receipts of others came first in the ledger of {database}", "try again")


def _put(store: Store, link: Link, hold: Hold | None) -> bool:
    """Was it written, or was another before it? One's own, by chance unlike any other, may be there (P-126)."""
    name = name_of(link.receipt.database, link.receipt.number)
    try:
        store.put(name, BytesIO(link.content), only_if_absent=True, hold=hold)
    except Taken:
        with store.get(name) as there:
            return there.read() == link.content
    return True


def last_receipt(store: Store, database: str) -> Link | None:
    """The end of the chain; None where there is no ledger yet."""
    name = None
    for entry in store.list(f"{database}/ledger/"):
        name = entry.name
    if name is None:
        return None
    link = _read(store, name)
    if name != name_of(database, link.receipt.number):
        raise _not_whole(_end(name), f"is receipt {link.receipt.number} of {link.receipt.database}")
    return link


def receipts_of(store: Store, database: str, run: str) -> tuple[Link, ...]:
    """The receipts of a run that is still open, in their order, read from the end back to where it began.

    What cannot be read ends the search: whether the chain is whole is the verifier's to say, who reads all of it.
    """
    link = last_receipt(store, database)
    found: list[Link] = []
    while link and run in link.receipt.open:
        if link.receipt.run == run:
            found.append(link)
        link = None if link.receipt.kind == "begun" and link.receipt.run == run else _before(store, link)
    return tuple(reversed(found))


def _before(store: Store, link: Link) -> Link | None:
    name = name_of(link.receipt.database, link.receipt.number - 1)
    if not store.exists(name):
        return None
    with store.get(name) as file:
        content = file.read()
    try:
        return link_of(content)
    except ValueError:
        return None


def receipts_since(store: Store, database: str, run: str) -> Iterator[Link]:
    """All receipts from the end of the chain to where a run began, the last one first."""
    for name in reversed([entry.name for entry in store.list(f"{database}/ledger/")]):
        link = _read(store, name)
        yield link
        if link.receipt.run == run and link.receipt.kind == "begun":
            break


def receipt_at(store: Store, name: str) -> Receipt:
    """The receipt of this name; raises Damaged where it cannot be read."""
    return _link_at(store, name, name).receipt


def _read(store: Store, name: str) -> Link:
    return _link_at(store, name, _end(name))


def _link_at(store: Store, name: str, called: str) -> Link:
    with store.get(name) as file:
        content = file.read()
    try:
        return link_of(content)
    except ValueError as fault:
        raise _not_whole(called, str(fault)) from None


def _end(name: str) -> str:
    return f"the end of the ledger, {name},"


def _not_whole(called: str, what: str) -> Damaged:
    return Damaged(f"{called} {what}", "stop; run `upkeep ledger verify` and find out who did it")


def evidence_of(store: Store, database: str, run: str) -> tuple[Evidence, ...]:
    """Everything that the store holds of a run, as it is given back now."""
    return tuple(
        attested(store, entry.name) for folder in _FOLDERS for entry in store.list(f"{database}/{folder}/{run}/")
    )


def attested(store: Store, name: str) -> Evidence:
    """One object of the store, read to its end."""
    sha256, size = hashlib.sha256(), 0
    with store.get(name) as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            size += len(piece)
    return Evidence(name=name, bytes=size, sha256=sha256.hexdigest())


def receipts(store: Store, database: str) -> Iterator[tuple[str, bytes]]:
    """The objects of the ledger in their order, each with its bytes."""
    for entry in store.list(f"{database}/ledger/"):
        with store.get(entry.name) as file:
            yield entry.name, file.read()


def verify_ledger(store: Store, database: str, demand: Demand) -> tuple[LedgerVerdict, tuple[Link, ...]]:
    """Judge the chain and every piece of evidence that it names; the verdict, and the receipts that can be read.

    What is there of runs is listed before the chain is read, so that a run that begins meanwhile is not a stranger.
    """
    listed = {one.name: one.size for place in (*_FOLDERS, "backups") for one in store.list(f"{database}/{place}/")}
    there = list(listed)
    books = Books(database, demand)
    links = [link for name, content in receipts(store, database) if (link := books.add(name, content))]
    anchor, written_over = anchor_of(store, database, datetime.now(UTC))
    strangers = (
        *_strangers(books, there),
        *_strange_backups(store, books, there),
        *_strange_marks(store, books, listed),
        *_strange_dumps(store, books, listed),
    )
    wrong = [*written_over, *_wrong_evidence(store, books, set(there)), *strangers]
    return verdict_of(books, wrong, anchor, _unrecorded(store, books, there)), tuple(links)


def _wrong_evidence(store: Store, books: Books, there: set[str]) -> Iterator[str]:
    for name, named in sorted(books.named.items()):
        said = f"that receipt {named.number} names"
        if not is_name(name):
            yield f"{name[:80]!r}, {said}, is no name for evidence"
        elif name not in there and not store.exists(name):
            if name.split("/")[1:2] != ["backups"] or name.split("/")[2] not in books.pruned:
                yield f"{name}, {said}, is gone"
        elif attested(store, name) != named.evidence:
            yield f"{name}, {said}, was changed"


def _strangers(books: Books, there: list[str]) -> Iterator[str]:
    """Runs that left something in the store and of which the ledger says nothing: their receipts were cut off.

    What is older than the ledger is left in peace. Of runs that have ended, files that no receipt names.
    """
    began = _began(books)
    unknown: set[str] = set()
    for name in there:
        folder, run = name.split("/")[1:3]
        if folder == "backups" or run[:16] < began:
            continue
        if run not in books.runs:
            unknown.add(run)
        elif run not in books.open and name not in books.named:
            yield f"{name} is named by no receipt"
    yield from (f"the store holds what run {run} left, and the ledger says nothing of it" for run in sorted(unknown))


def _began(books: Books) -> str:
    """When the ledger began, as the names of runs and of backups say it."""
    return books.first_written.replace("-", "").replace(":", "")


def _strange_backups(store: Store, books: Books, there: list[str]) -> Iterator[str]:
    """Backups of runs that the ledger knows nothing of: all else of them was cut off."""
    began = _began(books)
    for name, run in _unnamed(store, books, there):
        if run[:1].isdigit() and run[:16] >= began and run not in books.runs:
            yield f"{name} was made by run {run}, and the ledger says nothing of it"


def _unrecorded(store: Store, books: Books, there: list[str]) -> Iterator[str]:
    """Backups of commands, and of runs that the ledger knows: one that was killed before its receipt leaves such a one.

    So does whoever puts a backup there in the name of one.
    """
    for name, run in _unnamed(store, books, there):
        if (run in books.runs or not run[:1].isdigit()) and run not in books.open:
            backup = name.split("/")[2]
            yield (
                f"backup {backup} stands in no receipt: what made it was killed, or somebody else put it there; "
                f"`upkeep verify {backup}` puts it on record"
            )


def _unnamed(store: Store, books: Books, there: list[str]) -> Iterator[tuple[str, str]]:
    """Manifests since the ledger began that no receipt names, each with the run that it names."""
    began = _began(books)
    for name in there:
        if name.endswith("/manifest.json") and name.split("/")[2][:16] >= began and name not in books.named:
            yield name, _run_of(store, name)


def _strange_marks(store: Store, books: Books, listed: Mapping[str, int]) -> Iterator[str]:
    """What calls a backup verified otherwise than the last receipt that speaks of it, or does so no more.

    Where no receipt tells of a backup, the run that took it was killed before it could write one.
    """
    for backup, mark in sorted(books.marks.items()):
        name = f"{books.database}/backups/{backup}/verified.json"
        if name not in listed and (mark.sha256 is None or backup in books.pruned or _is_there(store, name)):
            continue
        if name not in listed:
            yield f"{name}, that receipt {mark.number} tells of, is gone"
        elif mark.sha256 is None:
            yield f"{name} calls verified what is not, as receipt {mark.number} says"
        elif attested(store, name).sha256 != mark.sha256:
            yield f"{name} is not what receipt {mark.number} says of that proof"


def _strange_dumps(store: Store, books: Books, listed: Mapping[str, int]) -> Iterator[str]:
    """Dumps that are gone, or have another size: they are large, so they are not read."""
    for backup, dump in sorted(books.dumps.items()):
        name = f"{books.database}/backups/{backup}/{dump.file}"
        if name in listed and listed[name] != dump.bytes:
            yield f"{name} has {listed[name]} bytes, and receipt {dump.number} says {dump.bytes}"
        elif name not in listed and backup not in books.pruned and not _is_there(store, name):
            yield f"{name}, that receipt {dump.number} tells of, is gone"


def _is_there(store: Store, name: str) -> bool:
    """Did it come after what is there was listed?"""
    return is_name(name) and store.exists(name)


def _run_of(store: Store, name: str) -> str:
    """Which run made a backup; "" where its manifest cannot be read."""
    with store.get(name) as file:
        content = file.read()
    try:
        return str(json.loads(content)["run"])
    except (ValueError, KeyError, TypeError):
        return ""
