"""The example clinic from its mergepoint to its head, from a shell: refused, explained, then all in one run."""

import pytest

from tests.damaged_clinic import Clinic
from tests.shell import upkeep

MERGEPOINT, HEAD = "a47243be82f0", "0e315951c2f5"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_here")]


def test_refused_while_orphans_are_there_and_performed_with_their_remediation_in_one_run(damaged: Clinic) -> None:
    """The same on PostgreSQL: tests/test_clinic_on_postgresql.py. Where nothing is pending no orphan matters."""
    before = damaged.path.read_bytes()
    code, sentence, hint = upkeep("migrate", "--perform", "within_limits").complaint
    assert code == 2
    assert sentence.startswith("nothing is migrated while there are orphans: ")
    assert "foreign keys, the most of " in sentence
    assert hint == (
        "`upkeep maintain` cleans up and migrates in one run; rows that shall stay need a rule that keeps them"
    )
    assert damaged.path.read_bytes() == before
    done = upkeep("maintain", "--perform", "within_limits", "--json")
    assert done.code == 0, done
    assert (done.document["performed"], done.document["verdict"]["passed"]) == (True, True)
    assert (done.document["from"], done.document["to"]) == ([MERGEPOINT], [HEAD])
    assert done.document["taken"] == []
    assert damaged.ask("SELECT version_num FROM alembic_version") == [(HEAD,)]
    said = upkeep("migrate", "--explain")
    assert said.code == 0, said
    assert f"nothing to migrate: the database is at {HEAD}, the head" in said.out
