"""That a whole run tells no value of a person, no secret and no URL wherever somebody may look for one (P-100)."""

import html
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from examples.clinic import DEMO_KINDS, build
from tests.damaged_clinic import ROOT, Clinic
from tests.engines.postgresql import PostgresqlBase
from tests.every_byte import telling
from tests.prefect_server import Served, serving
from tests.servers.postgresql import PostgresServer
from upkeep.cli.backing_up import back_up
from upkeep.encryption.files import make_identity_file

pytestmark = pytest.mark.slow

ODD = "Zoë Ångström-Plåntéd & Søns"
LOOKS = 100  # at a process; it may become another program after it was made
SECRET_KEY, AWS_SECRET = "the-applications-own-secret", "the-key-of-a-bucket"


@dataclass(frozen=True)
class Guarded(Clinic):
    """A clinic on a server whose settings name every kind of secret, and the words that nobody is to be told."""

    more: dict[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return super().environment | self.more

    @property
    def words(self) -> tuple[str, ...]:
        """As they are, and as JSON, a page or a URL writes them."""
        plain = (*self.people, *self.secrets)
        forms = [(word, json.dumps(word)[1:-1], html.escape(word), quote(word), quote(word, safe="")) for word in plain]
        return tuple(dict.fromkeys(form for several in forms for form in several))


@pytest.fixture
def guarded(system_postgresql: PostgresServer, tmp_path: Path) -> Guarded:
    """The damaged clinic with three encrypted nights in its store, out of which rows come back."""
    folder, keys = tmp_path / "clinic", tmp_path / "keys"
    for place in (folder / "store", keys):
        place.mkdir(parents=True)
    shutil.copy(ROOT / "examples/clinic/policy.toml", folder)
    shutil.copytree(ROOT / "expectations/suites/clinic", folder / "suites")
    base = PostgresqlBase(system_postgresql, system_postgresql.make_database())
    public = make_identity_file(keys / "identity.txt")
    signing = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (keys / "ledger.pem").write_text(signing)
    more = {
        "SECRET_KEY": SECRET_KEY,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "UPKEEP_RECIPIENTS": public,
        "UPKEEP_IDENTITY_FILE": str(keys / "identity.txt"),
        "UPKEEP_LEDGER_KEY_FILE": str(keys / "ledger.pem"),
    }

    def nightly(when: datetime) -> None:
        back_up(Guarded(folder, base, more).equipment(), "example", when)

    truth = build(tmp_path / "truth", url=base.url, seed=7, kinds=DEMO_KINDS, nights=3, nightly=nightly)
    base.run(f"UPDATE patients SET full_name = '{ODD}' WHERE id = (SELECT min(id) FROM patients)")
    identity = (keys / "identity.txt").read_text().split()[-1]
    secrets = (system_postgresql.password, base.url, SECRET_KEY, AWS_SECRET, identity, signing.split("\n")[1])
    return Guarded(folder, base, more, (*truth.planted, ODD), secrets)


@contextmanager
def process_list() -> Iterator[set[bytes]]:
    """What anybody sees of each process that runs meanwhile, in its first seconds: its name and its arguments."""
    seen: set[bytes] = set()
    looks: Counter[Path] = Counter()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                looks[process] += 1
                if looks[process] <= LOOKS:
                    with suppress(OSError):  # it has ended since
                        seen.add((process / "cmdline").read_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def asked_and_approved(served: Served, name: str, **parameters: object) -> tuple[str, str]:
    """Have a deployment run with the settings of the worker, and approve what it plans; the run and its form."""
    run = served.run(name, None, parameters)
    assert (waits := served.wait(run, "PAUSED"))["type"] == "PAUSED", waits["message"]
    _, form = served.form(run)
    served.answer(run, answer="approve", digest=form.split("`")[1], name="an-approver", reason="the-reason-given")
    state = served.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", "performed and verified")
    return run, form


def test_a_repair_and_its_undo_tell_nobody_of_a_person_nor_a_secret_p24_p100_p106(
    guarded: Guarded, tmp_path: Path
) -> None:
    folder = tmp_path / "served"
    with process_list() as seen, serving(folder, guarded) as served:
        _, form = asked_and_approved(served, "remediate", migrate=False)
        assert "| table | delete | nullify | restore |" in form, "rows of people come back"
        (repair,) = [path.parent.name for path in guarded.store.glob("repairs/*/outcome.json")]
        asked_and_approved(served, "undo", run=repair)
    told = {str(process) for process in seen for word in guarded.words if word.encode() in process}
    assert told == set(), "the process list"
    assert telling(folder, guarded.words) == [], (
        "Prefect's database with logs, artifacts and parameters; the worker's log"
    )
    assert telling(guarded.folder, guarded.words) == [], (
        "the store with ledger, pages and Data Docs; the scratch folder"
    )

    # The same search finds what is there.
    assert {name for name in (b"pg_dump", b"pg_restore", b"worker") if any(name in one for one in seen)} == {
        b"pg_dump",
        b"pg_restore",
        b"worker",
    }
    found = telling(folder, ("an-approver", "the-reason-given", "Task run 'detect'", "queue_entries"))
    assert {line.partition(" in ")[0] for line in found if "prefect.db" in line} == {
        "an-approver",
        "the-reason-given",
        "queue_entries",
    }
    assert "Task run 'detect' in serve.log" in found
    kinds = {path.suffix for path in guarded.store.rglob("*") if path.is_file()}
    assert {".json", ".html", ".pdf", ".zip", ".age"} <= kinds
    names = {name for (name,) in guarded.ask("SELECT full_name FROM patients")}
    assert ODD in names
    assert len(names & {*guarded.people}) > 20
