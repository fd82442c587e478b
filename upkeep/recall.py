"""What older backups were asked and had not, remembered beside each, so that an unchanged night opens none of them.

Only that a parent was *not* there is remembered, and whether its child pointed there already: what is there has to be
read anyway. No value stands in it but as a digest keyed by the application's own secret; without a secret a digest of
a name could be guessed, so then only whole numbers are remembered (P-103).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, ValidationError

from upkeep.databases import Reading
from upkeep.documents import put_document
from upkeep.manifests import folder
from upkeep.sightings import Missed
from upkeep.stores import Store
from upkeep.values import digest, encode
from upkeep.vanishing import Secret

MOST = 20_000
"""Of a backup that was asked for more than these nothing is remembered: to open it costs little beside them."""


class _Page(BaseModel):
    """What one backup is known not to hold: by digest, whether the child stood there and pointed. ``of``: of whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    of: str
    absent: dict[str, bool] = {}


@dataclass
class Recall:
    """The memories of one database's backups, for its schema and revision as they are today.

    With another schema a key may compare otherwise, and an older backup may come to something else: then all is asked
    again.
    """

    store: Store
    database: str
    asked_by: str
    secret: str = ""
    _known: dict[Missed, str] = field(default_factory=dict)

    @classmethod
    def in_(cls, store: Store, database: str, reading: Reading, secret: str) -> "Recall":
        """As ``reading`` shows the database."""
        asked_by = digest([list(reading.revision()), reading.catalog().schema_digest])
        return cls(store, database, asked_by, secret)

    def memory(self, backup: str) -> "Memory":
        """That of one backup; it is read when it is first asked."""
        return Memory(self, f"{folder(self.database, backup)}/absent.json")

    @property
    def of(self) -> str:
        """By which it is known that a page was written with the same secret and for the same schema."""
        return self._keyed.digest(["absent", self.asked_by])

    def known(self, missed: Missed) -> str | None:
        """The digest by which it is remembered; None for what is not to be."""
        if not self.secret and not all(isinstance(value, int) for value in missed.values):
            return None
        if missed not in self._known:
            said = [missed.key, *map(encode, missed.row), "->", *map(encode, missed.values)]
            self._known[missed] = self._keyed.digest(said)
        return self._known[missed]

    @property
    def _keyed(self) -> Secret:
        return Secret(self.database, self.secret)


class Memory:
    """What one backup is known not to have."""

    def __init__(self, recall: Recall, name: str) -> None:
        self._recall, self._name = recall, name
        self._absent: dict[str, bool] | None = None

    def points(self, missed: Missed) -> bool | None:
        """Did the child point there, at a parent that was not there? None where nobody has asked."""
        known = self._recall.known(missed)
        return None if known is None else self._read().get(known)

    def keep(self, answers: Mapping[Missed, bool]) -> None:
        """Remember these too; what was there is not among them."""
        known = {self._recall.known(missed): points for missed, points in answers.items()}
        absent = self._read() | {name: points for name, points in known.items() if name is not None}
        if absent != self._read() and len(absent) <= MOST:
            page = _Page(of=self._recall.of, absent=absent)
            put_document(self._recall.store, self._name, page.model_dump())
            self._absent = absent

    def _read(self) -> dict[str, bool]:
        if self._absent is None:
            self._absent = self._page()
        return self._absent

    def _page(self) -> dict[str, bool]:
        """Nothing where nothing was written, or what was is of another schema or secret: it will be asked again."""
        if not self._recall.store.exists(self._name):
            return {}
        with self._recall.store.get(self._name) as file:
            content = file.read()
        try:
            page = _Page.model_validate_json(content)
        except ValidationError:
            return {}
        return page.absent if page.of == self._recall.of else {}
