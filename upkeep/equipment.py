"""What one run works with: the settings, and the database, store and policy that they name."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upkeep.adopting import NOT_LOOKED_BACK, LookedBack
from upkeep.clock import utc_now
from upkeep.databases import Database, Reading
from upkeep.databases.opening import backend_of, open_database
from upkeep.encryption import PLAIN, Keyring
from upkeep.encryption.files import keyring_from
from upkeep.environment import load_settings
from upkeep.errors import Refused, UpkeepError
from upkeep.findings import Finding
from upkeep.history import History, Record
from upkeep.holds import Hold, hold_for
from upkeep.ledger import Evidence, Kind, Link
from upkeep.lost_keys import lost_keys
from upkeep.manifests import list_backups, newest_first
from upkeep.marks import Marks
from upkeep.models import SILENT, Models
from upkeep.policy import Policy
from upkeep.policy_file import load_policy
from upkeep.recall import Recall
from upkeep.receipts import write_receipt
from upkeep.remembering import record_of, remember
from upkeep.settings import Settings
from upkeep.signatures import Signer, signer_from
from upkeep.spilled import keep_in
from upkeep.stores import Store, cannot_hold, open_store
from upkeep.vanishing import Secret
from upkeep.workplaces import workplace


@dataclass(frozen=True)
class Equipment:
    """Settings that were checked, and what they name, opened. ``models`` are silent until somebody has read them.

    ``keyring`` has a key that is made with it and lives as long: what one run has stored no other reads without an
    identity file.
    """

    settings: Settings
    database: Database
    store: Store
    policy: Policy
    replica: Database | None = None
    signer: Signer | None = None
    models: Models = SILENT
    keyring: Keyring = PLAIN

    @property
    def observable(self) -> Database:
        """What is looked at on a night without a restore: the replica where the settings name one."""
        return self.replica or self.database

    def remember(self, reading: Reading, findings: tuple[Finding, ...], back: LookedBack = NOT_LOOKED_BACK) -> History:
        """What is found now beside what the last run found and older backups told."""
        return remember(reading, findings, self.store, self.settings.database, self._secret, back)

    def key_of(self, record: Record | None) -> Secret:
        """The key of the digests of a record."""
        return Secret.like(record, self._secret)

    def see(self, reading: Reading, findings: tuple[Finding, ...]) -> History:
        """What is found now, without a look into the store."""
        return History(record_of(reading, self.settings.database, findings, None, self._secret))

    def recall(self, reading: Reading) -> Recall:
        """What older backups are known not to have, for the database as ``reading`` shows it."""
        return Recall.in_(self.store, self.settings.database, reading, self._secret)

    def with_lost_keys(self) -> "Equipment":
        """The same, with what its backups know of keys that went with their parent table, if the engine drops any."""
        if not self.database.drops_keys:
            return self
        manifests = newest_first(list_backups(self.store, self.settings.database))
        if not any(one.census.keys for one in manifests):
            return self
        with self.database.reading() as reading:
            lost = lost_keys(reading.catalog(), reading.revision(), manifests)
        return replace(self, models=self.models.model_copy(update={"lost": lost}))

    @property
    def _secret(self) -> str:
        return self.settings.secret_key.get_secret_value() if self.settings.secret_key else ""

    def attest(self, kind: Kind, run: str, contents: dict[str, Any], evidence: Iterable[Evidence] = ()) -> Link:
        """Write the next receipt of this database's ledger, signed where the settings name a key."""
        return write_receipt(
            self.store,
            self.settings.database,
            kind,
            run=run,
            now=utc_now(),
            contents=contents,
            evidence=evidence,
            signer=self.signer,
            hold=self.hold,
        )

    @property
    def hold(self) -> Hold | None:
        """Until when the store is to hold a receipt that is written now; None where the settings ask for nothing."""
        return hold_for(self.settings.ledger_lock, self.settings.ledger_lock_days, utc_now())

    def refuse_without_holds(self) -> None:
        """Raises Refused where receipts are to be held and the store holds nothing."""
        if self.settings.ledger_lock and self.store.unlockable:
            raise cannot_hold(self.store)

    def new_secret(self) -> Secret:
        """A key for digests of values, of the application's own secret and of chance."""
        return Secret.like(None, self._secret)

    def known_secret(self, marks: Marks) -> Secret | None:
        """The key of the digests that a run has left; None where the application's secret is another by now."""
        return marks.known_by(self._secret)

    @contextmanager
    def workplace(self, label: str) -> Iterator[Path]:
        """A folder of one's own, gone at the end with the scratches that were made for it."""
        try:
            with workplace(self.settings.scratch, self.settings.database, label) as folder:
                keep_in(self.settings.scratch)
                yield folder
        except BaseException:
            with suppress(UpkeepError):  # what went wrong says more; what is left the next run removes
                self.database.sweep()
            raise
        self.database.sweep()


def equip(database: str = "") -> Equipment:
    """Open what the settings name; raises Refused where ``database`` is a name that they do not know."""
    settings = load_settings()
    if database and database != settings.database:
        raise Refused(
            f"there is no database {database} in the settings", f"it is called {settings.database}: see UPKEEP_DATABASE"
        )
    url = settings.url_of_database()
    live = open_database(
        settings.database,
        url,
        settings.lock_seconds,
        settings.programs_of(backend_of(url)),
        settings.scratch_url.get_secret_value() if settings.scratch_url else None,
    )
    signer = signer_from(settings.ledger_key_file) if settings.ledger_key_file else None
    return Equipment(
        settings,
        live,
        open_store(settings.store),
        load_policy(settings.policy),
        live.replica(settings.replica_url.get_secret_value()) if settings.replica_url else None,
        signer,
        keyring=keyring_from(settings.recipients, settings.identity_file),
    )
