"""What can be said of a chain of receipts: intact, complete, signed, anchored, each on its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from upkeep.anchors import NOT_HELD, Anchor
from upkeep.ledger import ENDS, STAGES, START, Evidence, Kind, Link, Receipt, link_of, number_of, opened

_CLOCKS_DIFFER = timedelta(hours=1)
Signed = Callable[[str | None, str, str | None], bool]
"""Is this, by the key of this name, the signature of a receipt with this hash?"""


@dataclass(frozen=True)
class Demand:
    """What the verifier asks beyond the chain itself.

    ``signed`` judges a signature; None asks for none. ``signed_from`` is the first receipt that must have one.
    ``head`` is the hash of a receipt that somebody wrote down elsewhere.
    """

    signed: Signed | None = None
    signed_from: int = 1
    head: str | None = None


@dataclass(frozen=True)
class Named:
    """Evidence as receipt ``number`` has it."""

    evidence: Evidence
    number: int


@dataclass(frozen=True)
class Mark:
    """What calls a backup verified, as receipt ``number`` has it: its SHA-256, None where nothing may."""

    sha256: str | None
    number: int


@dataclass(frozen=True)
class Dump:
    """What a backup brings back, as receipt ``number`` has it: its name beside the manifest, and its size there."""

    file: str
    bytes: int
    number: int


@dataclass
class Books:
    """What a chain has said so far, receipt by receipt."""

    database: str
    demand: Demand
    number: int = 0
    head: str = START
    first_written: str = ""
    last_written: str = ""
    set_back: list[tuple[int, str, str]] = field(default_factory=list)
    anchored_to: int = 0
    ill_signed: int = 0
    open: dict[str, Kind] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)
    named: dict[str, Named] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    dumps: dict[str, Dump] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _knows_open: bool = True

    def add(self, name: str, content: bytes) -> Link | None:
        """Judge the next object of the ledger; None where it is no receipt at all."""
        number = number_of(self.database, name)
        if number is None or number <= self.number:
            self.broken.append(f"{name} is no name of a receipt")
            return None
        if number > self.number + 1:
            last = f" to {number - 1} are" if number > self.number + 2 else " is"
            self.broken.append(f"receipt {self.number + 1}{last} missing")
            self._lose(number - 1)
        try:
            link = link_of(content)
        except ValueError as fault:
            self._say(number, str(fault))
            self._lose(number)
            return None
        self._judge(link, number)
        return link

    def _judge(self, link: Link, number: int) -> None:
        receipt = link.receipt
        if receipt.number != number or receipt.database != self.database:
            self._say(number, f"is receipt {receipt.number} of {receipt.database}, put where it does not belong")
        if self.head and receipt.before != self.head:
            self._say(number, "does not follow the one before it: its chain is another")
        if receipt.id in self._ids:
            self._say(number, "was there before: it is replayed")
        self._judge_signature(link, number)
        self._follow(receipt, number)
        self._ids.add(receipt.id)
        self.number, self.head = number, link.hash
        if _is_set_back(self.last_written, receipt.written):
            self.set_back.append((number, receipt.written, self.last_written))
        self.first_written, self.last_written = self.first_written or receipt.written, receipt.written
        if link.hash == self.demand.head:
            self.anchored_to = number

    def _judge_signature(self, link: Link, number: int) -> None:
        name, signature = link.receipt.signed_by, link.signature
        before = len(self.broken)
        if (name is None) != (signature is None):
            self._say(number, "names a key and has no signature, or the other way round")
        elif self.demand.signed is None or number < self.demand.signed_from:
            return  # a key that is not trusted any more has signed it, or none
        elif signature is None:
            self._say(number, "is not signed")
        elif not self.demand.signed(name, link.hash, signature):
            self._say(number, f"is not signed by a key that is trusted (it names {name})")
        self.ill_signed += len(self.broken) - before

    def _follow(self, receipt: Receipt, number: int) -> None:
        kind, run = receipt.kind, receipt.run
        if self._knows_open:
            if kind == "begun" and run in self.runs:
                self._say(number, f"begins run {run} a second time")
            elif kind in (*STAGES, *ENDS) and kind != "begun" and run not in self.runs:
                self._say(number, f"goes on with run {run}, which never began")
            if receipt.open != opened(self.open, kind, run):
                self._say(number, "does not say which runs are open as the receipts before it do")
        self.open, self._knows_open = dict(receipt.open), True
        self.runs |= {run, *receipt.open}
        if kind == "pruning":
            self._prune(receipt.contents.get("removed"), number)
        self._follow_backup(receipt, number)
        for one in receipt.evidence:
            self._name(one, number)

    def _follow_backup(self, receipt: Receipt, number: int) -> None:
        """The last receipt that speaks of a backup says whether it is called verified: one may be found damaged."""
        backup, proof = receipt.contents.get("backup"), receipt.contents.get("proof")
        said = backup if isinstance(backup, dict) else {"id": backup}
        name, file, size = said.get("id"), said.get("location"), said.get("stored_bytes")
        if not isinstance(name, str):
            return
        if isinstance(file, str) and isinstance(size, int):
            self.dumps[name] = Dump(file.rpartition("/")[2], size, number)
        if isinstance(backup, dict) or isinstance(proof, dict):  # a receipt of its use says nothing of its proof
            self._mark(name, proof.get("verified_sha256") if isinstance(proof, dict) else None, number)

    def _mark(self, backup: str, sha256: object, number: int) -> None:
        before, mark = self.marks.get(backup), Mark(sha256 if isinstance(sha256, str) else None, number)
        if before and None not in (before.sha256, mark.sha256) and before.sha256 != mark.sha256:
            self._say(number, f"calls backup {backup} verified otherwise than receipt {before.number}")
        self.marks[backup] = mark

    def _prune(self, removed: object, number: int) -> None:
        if isinstance(removed, list) and all(isinstance(backup, str) for backup in removed):
            self.pruned |= set(removed)
        else:
            self._say(number, "does not say by their names which backups were removed")

    def _name(self, one: Evidence, number: int) -> None:
        before = self.named.get(one.name)
        if before and before.evidence.sha256 != one.sha256:
            self._say(number, f"names {one.name} otherwise than receipt {before.number}")
        self.named[one.name] = Named(one, number)

    def _lose(self, number: int) -> None:
        """Of a receipt that is gone nothing is known: neither its hash, nor who signed, nor which runs were open."""
        self.number, self.head, self._knows_open = number, "", False
        self.ill_signed += 1

    def _say(self, number: int, what: str) -> None:
        self.broken.append(f"receipt {number} {what}")


@dataclass(frozen=True)
class LedgerVerdict:
    """What was found of one ledger and of the evidence that it names.

    ``head`` is the hash of the last receipt. ``signed`` is None where nobody asked for signatures. ``anchored_to`` is
    the number of the last receipt whose hash somebody had written down elsewhere, or that the store itself lets nobody
    change (``held``), 0 without one: what came up to it cannot have been written anew. ``open`` are the runs that have
    begun and not ended, ``told`` what a person should know.
    """

    receipts: int
    head: str
    broken: tuple[str, ...]
    open: tuple[str, ...]
    signed: bool | None
    anchored_to: int
    told: tuple[str, ...]
    held: Anchor = NOT_HELD

    @property
    def intact(self) -> bool:
        """Is every receipt and every piece of evidence as it was written? An empty ledger says nothing."""
        return self.receipts > 0 and not self.broken

    @property
    def complete(self) -> bool:
        """Is it intact, and has every run that began also ended, or was it settled?"""
        return self.intact and not self.open

    @property
    def anchored(self) -> bool:
        """Does the chain hold a head that was written down elsewhere, or a receipt that nobody can have changed?"""
        return self.anchored_to > 0


def verdict_of(
    books: Books, evidence: Iterable[str], held: Anchor = NOT_HELD, told: Iterable[str] = ()
) -> LedgerVerdict:
    """The verdict on a chain that was read to its end; ``evidence`` is what is wrong with the files that it names.

    ``told`` is what else a person should know of the store. ``held`` is how far the store itself holds it: what it says
    of a receipt that cannot be read counts for nothing.
    """
    demand = books.demand
    broken = [*books.broken, *evidence]
    if demand.head and not books.anchored_to:
        broken.append(
            f"no receipt has the hash {demand.head}: the ledger was cut off or written anew since it was noted"
        )
    held = held if held.number <= books.number else Anchor(is_possible=held.is_possible, unasked=held.unasked)
    return LedgerVerdict(
        receipts=books.number,
        head=books.head,
        broken=tuple(broken),
        open=tuple(sorted(books.open)),
        signed=None if demand.signed is None else books.number > 0 and not books.ill_signed,
        anchored_to=max(books.anchored_to, held.number),
        told=(*told, *_told(books, held)),
        held=held,
    )


def _is_set_back(before: str, after: str) -> bool:
    """Was the clock set back between two receipts? Those of two machines may differ a little."""
    try:
        return datetime.fromisoformat(before) - datetime.fromisoformat(after) > _CLOCKS_DIFFER
    except (ValueError, TypeError):
        return False


def _told(books: Books, held: Anchor) -> Iterable[str]:
    for number, written, before in books.set_back:
        yield (
            f"receipt {number} was written on {written} by its clock, and the one before it on {before}: a clock was "
            "wrong or set back, and a page of a period goes by these days"
        )
    if books.demand.signed is None:
        yield (
            "signatures were not asked for (--keys): without them who can write to the store could write the whole "
            "chain anew"
        )
    if held.hold:
        yield f"the store holds receipt {held.number}, and by its chain all before it: {held.hold}"
    elif held.unasked:
        yield f"whether the store holds receipts against change could not be asked: {held.unasked}"
    elif held.is_possible:
        yield "the store could hold receipts against change and holds none: set UPKEEP_LEDGER_LOCK"
    if not books.demand.head and not held.number:
        yield (
            "not anchored: no head was given (--head), so receipts cut off at the end are noticed only by what else "
            "is in the store"
        )
    elif 0 < (anchored := max(books.anchored_to, held.number)) < books.number:
        yield f"anchored up to receipt {anchored} of {books.number}; what came later is not"
