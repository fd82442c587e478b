"""A plan on MariaDB, where no cascade acts and triggers do, does what it says and nothing beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, event, given, settings
from sqlalchemy.engine import make_url

from tests.mariadb_schemas import SomeDatabase, clear, databases, run
from tests.servers.mariadb import MariadbServer
from tests.test_engine_contract_undo import deed_of
from tests.test_mariadb_detection import looked
from upkeep.changes import Mended, RowsRefused
from upkeep.databases import Reading
from upkeep.databases.mariadb import MariadbDatabase
from upkeep.databases.mariadb_writing import MariadbWriting
from upkeep.errors import Busy, Refused, RowRefused, Unreachable
from upkeep.finding import find, keys_of
from upkeep.mending import mend
from upkeep.plan import Plan
from upkeep.planning import Planner
from upkeep.policy import Policy
from upkeep.sightings import parents_of
from upkeep.undoing import draw_back

ER_LOCK_WAIT_TIMEOUT = 1205
BY_DELETION = Policy.model_validate({"rule": [{"child": "*", "parent": "*", "orphan": ["delete"]}]})
BY_NULL = Policy.model_validate({"rule": [{"child": "*", "parent": "*", "orphan": ["nullify", "delete"]}]})
FAMILY = (
    "CREATE TABLE patients (id int PRIMARY KEY)",
    "CREATE TABLE visits (id int PRIMARY KEY, patient int,"
    " FOREIGN KEY (patient) REFERENCES patients (id) ON DELETE {action})",
    "CREATE TABLE notes (id int PRIMARY KEY, visit int, FOREIGN KEY (visit) REFERENCES visits (id) ON DELETE {action})",
    "INSERT INTO patients VALUES (1)",
    "INSERT INTO visits VALUES (10, 1), (11, 99)",
    "INSERT INTO notes VALUES (100, 10), (110, 11), (111, 11)",
)


def made(server: MariadbServer, *statements: str, action: str = "NO ACTION") -> str:
    """A database in which the statements were run with keys asleep; its name."""
    return server.make_database("SET foreign_key_checks = 0", *(s.replace("{action}", action) for s in statements))


def opened(server: MariadbServer, database: str) -> MariadbDatabase:
    """The database as Upkeep opens it; it waits a second for a lock."""
    return MariadbDatabase.from_url("live", make_url(server.url(database)), 1)


@contextmanager
def writing_in(server: MariadbServer, database: str) -> Iterator[MariadbWriting]:
    """A transaction that commits if all goes well."""
    with opened(server, database).writing() as writing:
        yield writing


def planned(reading: Reading, by: Policy, refusals: RowsRefused | None = None) -> Plan:
    keys = keys_of(reading, by)
    findings = tuple(find(reading, key, limit=0) for key in keys)
    return Planner(reading, keys, by, refusals.refusals if refusals else ()).plan("live", findings, None)


def mended(server: MariadbServer, database: str, by: Policy = BY_DELETION) -> Mended:
    """What the plan for all orphans did to the database."""
    with looked(server, database) as reading:
        plan = planned(reading, by)
    with writing_in(server, database) as writing:
        return mend(writing, plan, keys_of(writing, by))


@pytest.fixture
def any_database(mariadb: MariadbServer) -> Iterator[tuple[MariadbServer, str, Any]]:
    """A database in which every example is made and removed, and the application's connection to it."""
    name = mariadb.make_database()
    with closing(mariadb.connect(name)) as connection:
        yield mariadb, name, connection


@settings(
    max_examples=int(os.environ.get("REPAIR_EXAMPLES", "12")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(database=databases())
def test_any_database_is_mended_as_planned_and_then_again_there_is_nothing_to_do(
    any_database: tuple[MariadbServer, str, Any], database: SomeDatabase
) -> None:
    server, name, connection = any_database
    clear(connection)
    database.make(connection)
    for by in (BY_NULL, BY_DELETION):
        _mend_to_the_end(server, name, by)


def _mend_to_the_end(server: MariadbServer, name: str, by: Policy) -> None:
    refused: RowsRefused | None = None
    for _ in range(5):
        with looked(server, name) as reading:
            plan = planned(reading, by, refused)
            rows = {table: reading.count(table, digest=True) for table in reading.catalog().tables}
        try:
            with writing_in(server, name) as writing:
                done = mend(writing, plan, keys_of(writing, by))
        except RowsRefused as fault:
            refused = RowsRefused((*(refused.refusals if refused else ()), *fault.refusals))
            with looked(server, name) as reading:
                assert {table: reading.count(table, digest=True) for table in rows} == rows, "all of it is undone"
            event("rows refused")
            continue
        assert {change.row for change in done.changes} == {repair.row for repair in plan.repairs}
        assert done.changed_in_all == len(done.changes), "nothing here has a trigger, and nothing cascades"
        gone = {table: sum(c.table == table and c.after is None for c in done.changes) for table in rows}
        with looked(server, name) as after:
            counted = {table: after.count(table, digest=False).rows + gone[table] for table in rows}
            assert counted == {table: count.rows for table, count in rows.items()}
            assert planned(after, by, refused).repairs == ()
        event(f"mended {bool(done.changes)}")
        return
    raise AssertionError("the plan never comes to an end")


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
def test_p58_no_cascade_acts_and_every_row_that_goes_is_named(mariadb: MariadbServer, action: str) -> None:
    database = made(mariadb, *FAMILY, action=action)
    done = mended(mariadb, database)
    assert [(change.table, change.row) for change in done.changes] == [
        ("notes", ("110",)),
        ("notes", ("111",)),
        ("visits", ("11",)),
    ]
    assert done.beside_the_plan == 0
    assert mariadb.run(database, "SELECT (SELECT COUNT(*) FROM visits), (SELECT COUNT(*) FROM notes)") == [(1, 1)]


def test_p58_what_triggers_change_beside_the_plan_is_counted(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        *FAMILY,
        "CREATE TABLE audit (said text, at timestamp(6) DEFAULT CURRENT_TIMESTAMP(6))",
        "CREATE TABLE counters (n int)",
        "INSERT INTO counters VALUES (0)",
        "CREATE TRIGGER noted AFTER DELETE ON notes FOR EACH ROW"
        " BEGIN INSERT INTO audit (said) VALUES ('x'), ('y'); UPDATE counters SET n = n + 1; END",
        "CREATE TRIGGER late AFTER DELETE ON visits FOR EACH ROW DELETE FROM audit",
    )
    assert mended(mariadb, database).beside_the_plan == 2 * 2 + 2 + 4


def test_p58_a_statement_that_was_refused_and_undone_counts_for_nothing(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        "CREATE TABLE t (id int PRIMARY KEY, CONSTRAINT small CHECK (id < 9))",
        "INSERT INTO t VALUES (1), (2), (3)",
    )
    with writing_in(mariadb, database) as writing:
        with pytest.raises(RowRefused) as refused:
            writing.change("UPDATE `t` SET id = id * 4 ORDER BY id DESC")
        assert "12" not in str(refused.value), "the values of a row are for nobody's log"
        assert writing.changed_in_all() == 0
        assert writing.change("DELETE FROM `t` WHERE id < 3") == writing.changed_in_all() == 2
    assert mariadb.run(database, "SELECT id FROM t") == [(3,)]


def test_p119_a_trigger_that_refuses_or_fails_is_a_refusal_of_that_row_and_no_value_is_told(
    mariadb: MariadbServer,
) -> None:
    database = made(
        mariadb,
        *FAMILY,
        "CREATE TABLE log (id int PRIMARY KEY)",
        "CREATE TRIGGER kept BEFORE DELETE ON notes FOR EACH ROW BEGIN IF OLD.id = 110 THEN"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'notes are for ever';"
        " ELSEIF OLD.id = 111 THEN INSERT INTO log VALUES (5), (5); END IF; END",
    )
    with pytest.raises(RowsRefused) as refused:
        mended(mariadb, database)
    assert [(one.row, one.said) for one in refused.value.refusals] == [
        (("110",), "notes are for ever"),
        (("111",), "another row has the same value where it must be unique"),
    ]
    assert mariadb.run(database, "SELECT (SELECT COUNT(*) FROM notes), (SELECT COUNT(*) FROM log)") == [(3, 0)]
    with looked(mariadb, database) as reading:
        plan = planned(reading, BY_DELETION, refused.value)
    assert plan.repairs == ()
    assert len([kept for kept in plan.kept if "delete is impossible" in kept.reason]) > 0


def test_rows_and_tables_that_point_at_each_other_in_a_circle_go_together(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE t (id int PRIMARY KEY, p int, chief int, FOREIGN KEY (p) REFERENCES p (id),"
        " FOREIGN KEY (chief) REFERENCES t (id))",
        "INSERT INTO t VALUES (1, 9, 2), (2, NULL, 1), (3, NULL, 2), (4, NULL, NULL)",
        "CREATE TABLE a (id int PRIMARY KEY, p int, b int, FOREIGN KEY (p) REFERENCES p (id),"
        " FOREIGN KEY (b) REFERENCES b (id))",
        "CREATE TABLE b (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id))",
        "INSERT INTO a VALUES (1, 9, 1)",
        "INSERT INTO b VALUES (1, 1)",
    )
    assert len(mended(mariadb, database).changes) == 5
    assert mariadb.run(database, "SELECT id FROM t") == [(4,)]


def test_a_row_of_two_parents_alike_stays_while_one_of_them_does(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        "CREATE TABLE g (id int PRIMARY KEY)",
        "CREATE TABLE p (id int PRIMARY KEY, code int, g int, KEY (code), FOREIGN KEY (g) REFERENCES g (id))",
        "CREATE TABLE c (id int PRIMARY KEY, code int, FOREIGN KEY (code) REFERENCES p (code) ON DELETE CASCADE)",
        "INSERT INTO p VALUES (1, 7, 99), (2, 7, NULL)",
        "INSERT INTO c VALUES (1, 7)",
    )
    done = mended(mariadb, database)
    assert [(change.table, change.row) for change in done.changes] == [("p", ("1",))]
    assert mariadb.run(database, "SELECT COUNT(*) FROM c") == [(1,)], "the engine itself would have let it go"


def test_what_no_transaction_can_undo_is_not_changed(mariadb: MariadbServer) -> None:
    policy = Policy.model_validate(
        {
            "reference": [{"from": "loose.p", "to": "p.id"}],
            "rule": [{"child": "loose.p", "parent": "p", "orphan": ["delete"]}],
        }
    )
    database = made(
        mariadb,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE loose (id int PRIMARY KEY, p int) ENGINE = Aria",
        "INSERT INTO loose VALUES (1, 5)",
    )
    with pytest.raises(Refused, match=r"loose is kept by Aria.*ALTER TABLE `loose` ENGINE = InnoDB"):
        mended(mariadb, database, policy)
    assert mariadb.run(database, "SELECT COUNT(*) FROM loose") == [(1,)]


def test_p120_a_change_holds_every_value_whole(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        *FAMILY,
        "ALTER TABLE visits ADD f float, ADD b blob, ADD u bigint unsigned",
        "UPDATE visits SET f = 16777217, b = x'00ff', u = 18446744073709551615",
    )
    (change,) = [change for change in mended(mariadb, database).changes if change.table == "visits"]
    assert change.columns == ("id", "patient", "f", "b", "u")
    assert change.before == ("11", "99", "16777216", b"\x00\xff", "18446744073709551615")


def test_p120_rows_are_known_by_what_the_server_prints_where_it_prints_more_than_the_value(
    mariadb: MariadbServer,
) -> None:
    database = made(
        mariadb,
        "CREATE TABLE p (id int unsigned zerofill PRIMARY KEY)",
        "CREATE TABLE z (id int unsigned zerofill PRIMARY KEY, p int unsigned zerofill,"
        " FOREIGN KEY (p) REFERENCES p (id))",
        "CREATE TABLE b (id bit(9) PRIMARY KEY, p int unsigned zerofill, FOREIGN KEY (p) REFERENCES p (id))",
        "INSERT INTO p VALUES (7)",
        "INSERT INTO z VALUES (1, 9), (2, 7)",
        "INSERT INTO b VALUES (b'100000001', 9)",
    )
    with writing_in(mariadb, database) as writing:
        keys = keys_of(writing, BY_NULL)
        (key,) = (key for key in keys if key.child == "z")
        found = parents_of(writing, key, [("0000000007",), ("0000000009",)])
        assert {values: image.spot.row for values, image in found.items()} == {("0000000007",): ("0000000007",)}
        plan = planned(writing, BY_NULL)
        done = mend(writing, plan, keys)
    with writing_in(mariadb, database) as writing:
        undo = draw_back(writing, "live", deed_of(plan, done), keys)
        assert undo.undo is not None
        assert undo.undo.conflicts == ()
        mend(writing, undo, keys)
    assert mariadb.run(database, "SELECT p FROM z ORDER BY id") == [(9,), (7,)]
    assert mariadb.run(database, "SELECT p FROM b") == [(9,)]


def test_p65_a_child_that_comes_after_the_rehearsal_is_neither_lost_nor_left_behind(mariadb: MariadbServer) -> None:
    database = made(mariadb, *FAMILY, action="CASCADE")
    with looked(mariadb, database) as reading:
        plan = planned(reading, BY_DELETION)
    mariadb.run(database, "INSERT INTO notes VALUES (112, 11)")
    with (
        pytest.raises(Refused, match="row 112 of notes has come to point at a row of visits"),
        writing_in(mariadb, database) as writing,
    ):
        mend(writing, plan, keys_of(writing, BY_DELETION))
    assert mariadb.run(database, "SELECT COUNT(*) FROM notes") == [(4,)]


def test_p65_what_was_read_before_the_locks_does_not_hide_what_came_meanwhile(mariadb: MariadbServer) -> None:
    database = made(mariadb, *FAMILY)
    with looked(mariadb, database) as reading:
        plan = planned(reading, BY_DELETION)
    with pytest.raises(Refused, match="has changed since the rehearsal"), writing_in(mariadb, database) as writing:
        change_and_mend(mariadb, database, writing, plan)


def change_and_mend(server: MariadbServer, database: str, writing: MariadbWriting, plan: Plan) -> None:
    """A look at the rows, a change of the application's, and then the plan."""
    assert writing.count("visits", digest=False).rows == 2
    server.run(database, "SET foreign_key_checks = 0", "UPDATE visits SET patient = 98 WHERE id = 11")
    mend(writing, plan, keys_of(writing, BY_DELETION))


def test_p65_who_wants_to_point_at_a_row_that_goes_waits_and_is_then_told(mariadb: MariadbServer) -> None:
    database = made(mariadb, *FAMILY, action="CASCADE")
    said: list[int] = []

    def late() -> None:
        try:
            mariadb.run(database, "INSERT INTO notes VALUES (112, 11)")
        except pymysql.MySQLError as fault:
            said.append(fault.args[0])

    with writing_in(mariadb, database) as writing:
        plan = planned(writing, BY_DELETION)
        writing.hold({"visits": {("11",)}}, {"patients"})
        other = threading.Thread(target=late)
        other.start()
        wait_for_lock(mariadb)
        with (
            pytest.raises(Unreachable, match="is locked by another program"),
            writing_in(mariadb, database),
        ):
            pass
        for table in ("notes", "visits"):
            for repair in [one for one in plan.repairs if one.table == table]:
                writing.change(f"DELETE FROM `{table}` WHERE id = {repair.row[0]!r}")
    other.join()
    assert said == [1452]


def test_a_missing_parent_cannot_come_back_while_its_orphans_go_and_others_can_come(mariadb: MariadbServer) -> None:
    database = made(mariadb, *FAMILY, "INSERT INTO patients VALUES (50), (150)")
    with writing_in(mariadb, database) as writing:
        writing.hold({"visits": {("11",)}}, {"patients"})
        with closing(mariadb.connect(database)) as other:
            run(other, "SET innodb_lock_wait_timeout = 1")
            for comes_back in ("INSERT INTO patients VALUES (99)", "UPDATE patients SET id = 99 WHERE id = 50"):
                with pytest.raises(pymysql.OperationalError, match="1205"):
                    run(other, comes_back)
            assert run(other, "SELECT COUNT(*) FROM patients") == [(3,)], "readers never wait"
            run(other, "INSERT INTO patients VALUES (2), (200)")
            run(other, "UPDATE notes SET visit = 10 WHERE id = 100")


def test_locks_grow_with_the_plan_and_not_with_the_table(mariadb: MariadbServer) -> None:
    database = made(
        mariadb,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))",
        "INSERT INTO p SELECT seq FROM seq_1_to_20000",
        "INSERT INTO c SELECT seq, seq FROM seq_1_to_20005",
        "ANALYZE TABLE p, c",
    )
    with looked(mariadb, database) as reading:
        plan = planned(reading, BY_DELETION)
    with writing_in(mariadb, database) as writing:
        mend(writing, plan, keys_of(writing, BY_DELETION))
        ((locked,),) = mariadb.run(
            None,
            "SELECT SUM(trx_rows_locked) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id ="
            f" {writing._conversation.connection.thread_id()}",
        )
        assert 5 <= int(locked) < 100
    assert mariadb.run(database, "SELECT COUNT(*) FROM c") == [(20000,)]


def test_p84_rows_beside_the_plan_are_free_also_in_a_small_table_which_is_read_whole_more_quickly(
    mariadb: MariadbServer,
) -> None:
    """Some go, some are nullified, some point elsewhere; before the commit the application changes their neighbours."""
    database = made(
        mariadb,
        "CREATE TABLE p (id int PRIMARY KEY, n int)",
        "CREATE TABLE c (id int PRIMARY KEY, p int, n int, FOREIGN KEY (p) REFERENCES p (id))",
        "INSERT INTO p SELECT seq, 0 FROM seq_1_to_5",
        "INSERT INTO c SELECT seq, seq, 0 FROM seq_1_to_30",
        "ANALYZE TABLE p, c",
    )
    with writing_in(mariadb, database) as writing:
        writing.hold({"c": [(str(n),) for n in range(6, 27)]}, ("p",))
        assert writing.delete("c", [("6",), ("7",)]) == 2
        assert writing.nullify("c", ("p",), [(str(n),) for n in range(8, 20)]) == 12
        assert writing.assign("c", ("p",), {(str(n),): ("1",) for n in range(20, 27)}) == 7
        mariadb.run(
            database,
            "SET innodb_lock_wait_timeout = 0",
            "UPDATE c SET n = 1 WHERE id IN (1, 5, 28, 30)",
            "UPDATE p SET n = 1",
        )
    assert mariadb.run(database, "SELECT p FROM c WHERE id BETWEEN 6 AND 30") == (
        [(None,)] * 12 + [(1,)] * 7 + [(27,), (28,), (29,), (30,)]
    )


def wait_for_lock(server: MariadbServer) -> None:
    """Until somebody waits for a lock; the server looks anew only where nobody has asked for a tenth of a second."""
    while not server.run(None, "SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"):
        time.sleep(0.15)


def test_promise_4_what_a_killed_run_had_sent_to_the_server_is_waited_for(mariadb: MariadbServer) -> None:
    """The server does not notice that its client is gone while a statement runs."""
    slow = "CREATE TRIGGER slow BEFORE DELETE ON notes FOR EACH ROW DO SLEEP(4)"
    base = made(mariadb, *FAMILY, slow)
    program = (
        "import os\nfrom upkeep.databases.opening import open_database\n"
        "with open_database('live', os.environ['URL'], 30).writing() as writing:\n"
        "    writing.change('DELETE FROM notes WHERE id = 100')\n"
    )
    at_work = f"SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = '{base}' AND STATE = 'User sleep'"
    with subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"URL": mariadb.url(base)}) as run:
        while not mariadb.run(None, at_work):
            assert run.poll() is None, "it ended before it was seen at work"
            time.sleep(0.02)
        run.kill()
    assert run.returncode == -signal.SIGKILL
    with pytest.raises(Busy, match="is locked by another program"), opened(mariadb, base).held("next"):
        pass
    assert mariadb.run(None, at_work), "the server goes on"
    with MariadbDatabase.from_url("live", make_url(mariadb.url(base)), 30).held("next"):
        assert mariadb.run(None, at_work) == []
        assert mariadb.run(base, "SELECT COUNT(*) FROM notes") == [(3,)]


def test_a_commit_that_another_backup_holds_up_is_undone_and_may_be_tried_again(mariadb: MariadbServer) -> None:
    base = made(mariadb, *FAMILY)
    with closing(mariadb.connect()) as other, other.cursor() as cursor:
        for stage in ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"):
            cursor.execute(f"BACKUP STAGE {stage}")
        with pytest.raises(Busy, match="is locked by another program"), writing_in(mariadb, base) as writing:
            assert writing.change("DELETE FROM notes") == 3
        cursor.execute("BACKUP STAGE END")
    assert mariadb.run(base, "SELECT COUNT(*) FROM notes") == [(3,)]
    with writing_in(mariadb, base) as writing:
        assert writing.change("DELETE FROM notes") == 3
    assert mariadb.run(base, "SELECT COUNT(*) FROM notes") == [(0,)]


def test_p84_who_waits_for_a_lock_holds_none_that_stops_the_application(mariadb: MariadbServer) -> None:
    """One row of the plan is in the application's hands for two seconds; meanwhile the others can be written to."""
    base = made(mariadb, *FAMILY)
    database = MariadbDatabase.from_url("live", make_url(mariadb.url(base)), 30)
    held: list[float] = []

    def hold() -> None:
        with database.writing() as writing:
            writing.hold({"notes": [("110",)], "visits": [("11",)]}, ("patients",))
            held.append(time.monotonic())

    waiting = threading.Thread(target=hold)
    tries: list[bool] = []
    with (
        closing(mariadb.connect(base, autocommit=False)) as other,
        other.cursor() as cursor,
        closing(mariadb.connect(base, init_command="SET SESSION innodb_lock_wait_timeout = 0")) as hasty,
    ):
        cursor.execute("SELECT 1 FROM visits WHERE id = 11 FOR UPDATE")
        waiting.start()
        until = time.monotonic() + 2
        while time.monotonic() < until:
            tries.append(changes_a_note(hasty))
            time.sleep(0.01)
        assert held == []
        other.commit()
    waiting.join(30)
    assert len(held) == 1
    assert sum(tries) > len(tries) / 2, "the row of notes was held while that of visits was waited for"


def changes_a_note(connection: Any) -> bool:
    """Can this connection, which waits for nobody, write to the row at this moment?"""
    with connection.cursor() as cursor:
        try:
            cursor.execute("UPDATE notes SET visit = 11 WHERE id = 110")
        except pymysql.OperationalError as fault:
            if fault.args[0] != ER_LOCK_WAIT_TIMEOUT:
                raise
            return False
    return True
