"""PostgreSQL: a table that was dropped with CASCADE comes back with all that it was, and the keys of its children."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.clinics import Night, perform_at, rehearse_at
from tests.engines.postgresql import PostgresqlBase
from tests.servers.postgresql import PostgresServer
from tests.shell import upkeep
from tests.surgeries import ServerPlace, Surgery, Ward, comes_back_and_goes_again, missed_of, on_postgresql
from upkeep.equipment import Equipment
from upkeep.errors import Refused
from upkeep.policy import Action, Policy
from upkeep.remaking import CannotMake, as_if_made
from upkeep.wording.sentences import whole_tables

RESTORES = Policy.model_validate(
    {
        "reference": [{"from": f"{child}.doctor_id", "to": "doctors.id"} for child in ("visits", "notes")],
        "rule": [{"child": "*", "orphan": ["restore", "nullify"]}],
    }
)
SURGERY = r"""
    CREATE TYPE grade AS ENUM ('junior', 'senior');
    CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
    CREATE TABLE log (what text);
    CREATE FUNCTION hire() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN INSERT INTO log VALUES ('hired ' || NEW.id); RETURN NEW; END $$;
    CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nobody is fired here'; END $$;
    CREATE TABLE wings (id int PRIMARY KEY);
    CREATE TABLE doctors (
        id serial PRIMARY KEY,
        number int GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 5 MAXVALUE 5000 CACHE 2 CYCLE),
        name varchar(30) COLLATE "C" NOT NULL CONSTRAINT "a 100% name" CHECK (name <> ''),
        mail mail UNIQUE DEFERRABLE,
        grade grade DEFAULT 'junior',
        chief int REFERENCES doctors (id),
        wing int REFERENCES wings ON DELETE SET NULL,
        "odd ""one" bytea DEFAULT '\x00ff',
        dropped int,
        shouted text GENERATED ALWAYS AS (upper(name)) STORED,
        shift int4range,
        tags text[] DEFAULT ARRAY['x', 'it''s'],
        pay numeric(9, 2),
        EXCLUDE USING gist (shift WITH &&)
    ) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
    ALTER TABLE doctors DROP COLUMN dropped, ADD UNIQUE (id, name) WITH (fillfactor = 60);
    CREATE INDEX by_chief ON doctors (chief) WHERE chief IS NOT NULL;
    CREATE UNIQUE INDEX "By Name" ON doctors (lower(name) DESC) INCLUDE (id) WITH (fillfactor = 50);
    CREATE STATISTICS wings_by_chief ON wing, chief FROM doctors;
    CREATE TABLE visits (
        id int PRIMARY KEY, doctor_id int CONSTRAINT "of whom" REFERENCES doctors (id) ON DELETE SET NULL
    );
    CREATE TABLE notes (id int PRIMARY KEY, doctor_id int);
    CREATE TABLE badges (id int, name varchar(30), FOREIGN KEY (id, name) REFERENCES doctors (id, name) DEFERRABLE);
    COMMENT ON CONSTRAINT "of whom" ON visits IS 'who it''s by';
    INSERT INTO wings VALUES (1);
    INSERT INTO doctors (id, name, mail, chief, wing, shift, pay) VALUES
        (1, 'Ada', 'a@b', NULL, 1, '[1,3)', -5), (2, 'Bob', NULL, 1, NULL, NULL, 'NaN'),
        (7, E'Cy\tx', 'c@d', 2, 1, 'empty', 1.10);
    SELECT setval('doctors_id_seq', 40);
    INSERT INTO visits VALUES (10, 1), (11, 2), (12, NULL);
    INSERT INTO notes VALUES (20, 2), (21, 99);
    INSERT INTO badges VALUES (7, E'Cy\tx');
    ALTER TABLE notes ADD CONSTRAINT noted FOREIGN KEY (doctor_id) REFERENCES doctors NOT VALID;
    ALTER TABLE doctors ADD CONSTRAINT paid CHECK (pay > 0) NOT VALID;
    ALTER TABLE doctors ALTER tags SET STORAGE EXTERNAL, ALTER tags SET STATISTICS 50, ALTER wing SET (n_distinct = 5);
    ALTER TABLE doctors CLUSTER ON doctors_pkey, REPLICA IDENTITY FULL;
    CREATE TRIGGER hired AFTER INSERT ON doctors FOR EACH ROW EXECUTE FUNCTION hire();
    CREATE TRIGGER fired BEFORE DELETE ON doctors FOR EACH ROW EXECUTE FUNCTION fire();
    CREATE TRIGGER asleep BEFORE UPDATE OF name ON doctors FOR EACH ROW WHEN (OLD.id > 1) EXECUTE FUNCTION fire();
    ALTER TABLE doctors DISABLE TRIGGER asleep, ENABLE ALWAYS TRIGGER hired;
    CREATE RULE quiet AS ON UPDATE TO doctors WHERE OLD.id < 0 DO INSTEAD NOTHING;
    CREATE POLICY own ON doctors AS RESTRICTIVE FOR UPDATE USING (id > 0) WITH CHECK (name <> 'x');
    ALTER TABLE doctors ENABLE ROW LEVEL SECURITY;
    COMMENT ON TABLE doctors IS 'those who {cure}, 100%';
    COMMENT ON COLUMN doctors."odd ""one" IS 'odd';
    COMMENT ON CONSTRAINT "a 100% name" ON doctors IS 'a name';
    COMMENT ON INDEX "By Name" IS 'by name';
    COMMENT ON SEQUENCE doctors_id_seq IS 'numbers';
    COMMENT ON TRIGGER hired ON doctors IS 'tells';
    COMMENT ON POLICY own ON doctors IS 'own';
"""
"""Nobody points at row 7 but a badge, by a key that the policy does not state; note 21 is an orphan from the first."""


@pytest.fixture
def server(postgresql: PostgresServer) -> PostgresServer:
    """Both servers."""
    return postgresql


def test_p109_a_table_dropped_with_cascade_comes_back_as_it_was_and_an_undo_takes_it_away_again(
    server: PostgresServer,
) -> None:
    surgery = on_postgresql(server, SURGERY)
    whole = surgery.content()
    surgery.night()
    surgery.run("DROP TABLE doctors CASCADE")
    damaged = surgery.content()
    plan = surgery.planned(RESTORES)
    assert surgery.content() == damaged, "what is drawn up as if the table were there leaves nothing"
    assert [(one.table, one.backup, plan.rows_of(one.table)) for one in plan.tables] == [("doctors", "00", 3)]
    mended = surgery.performed(plan, RESTORES)
    repaired = surgery.content()
    nobody = [line.replace("21\t99", "21\t\\N") for line in whole]
    assert repaired == sorted(nobody), "note 21 misses a doctor that the table never had, so the rule goes on"
    assert [check.holds for check in surgery.checks] == [True], "keys that rows keep are believed again"
    assert surgery.planned(RESTORES).is_empty, "run it twice: the second run finds nothing to do (promise 2)"

    undo = surgery.undo_of(plan, mended, RESTORES)
    assert undo.undo is not None
    assert undo.undo.conflicts == ()
    undone = surgery.performed(undo, RESTORES)
    assert surgery.content() == damaged, "what forbids a deletion goes before the rows do"
    assert surgery.undo_of(plan, mended, RESTORES).is_empty
    redo = surgery.undo_of(undo, undone, RESTORES)
    surgery.performed(redo, RESTORES)
    assert surgery.content() == repaired
    assert surgery.undo_of(undo, undone, RESTORES).is_empty


def clinic(server: PostgresServer, more: str = "") -> Surgery:
    """Few tables, a night, and the doctors are gone."""
    surgery = on_postgresql(
        server,
        "CREATE TABLE doctors (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text);"
        "CREATE TABLE visits (id int PRIMARY KEY, doctor_id int REFERENCES doctors);"
        "CREATE TABLE notes (id int PRIMARY KEY, doctor_id int);"
        f"INSERT INTO doctors VALUES (1, 'Ada'), (2, 'Bob'); INSERT INTO visits VALUES (10, 1), (11, 2);{more}",
    )
    surgery.night()
    surgery.run("DROP TABLE doctors CASCADE")
    return surgery


def test_a_key_of_which_an_orphan_stays_comes_back_not_valid(system_postgresql: PostgresServer) -> None:
    surgery = clinic(system_postgresql)
    surgery.run("INSERT INTO visits VALUES (12, 99)")  # no key forbids it any more
    by = RESTORES.model_copy(update={"rule": (RESTORES.rule[0].model_copy(update={"orphan": (Action.RESTORE,)}),)})
    surgery.performed(surgery.planned(by), by)
    assert surgery.ask("SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f'") == [
        ("visits_doctor_id_fkey", False)
    ]
    assert surgery.checks == (), "nothing is claimed of it"
    with pytest.raises(Exception, match="violates foreign key"):
        surgery.run("INSERT INTO visits VALUES (13, 98)")


def test_what_does_not_come_back_with_a_table_is_told(system_postgresql: PostgresServer) -> None:
    surgery = clinic(system_postgresql, "CREATE VIEW known AS SELECT name FROM doctors;")
    (told,) = whole_tables(surgery.planned(RESTORES))
    assert told.startswith("table doctors comes back with 2 rows from backup 00, without its grants")
    assert told.endswith("without the view known, which is gone too")


def test_a_table_belongs_to_whom_those_beside_it_do(system_postgresql: PostgresServer) -> None:
    role = system_postgresql.make_role()
    surgery = clinic(
        system_postgresql, "".join(f"ALTER TABLE {name} OWNER TO {role};" for name in ("doctors", "visits", "notes"))
    )
    surgery.performed(surgery.planned(RESTORES), RESTORES)
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert surgery.ask(f"{owners} AND relkind IN ('r', 'S')") == [(role,)]


def test_tables_that_point_at_each_other_in_a_circle_come_back_together(system_postgresql: PostgresServer) -> None:
    by = Policy.model_validate(
        {
            "reference": [{"from": "beds.ward", "to": "wards.id"}],
            "rule": [{"child": "*", "orphan": ["restore"]}],
        }
    )
    surgery = on_postgresql(
        system_postgresql,
        "CREATE TABLE wards (id int PRIMARY KEY, head int); CREATE TABLE staff (id int PRIMARY KEY, ward int NOT NULL);"
        "INSERT INTO wards VALUES (1, 5), (2, 6); INSERT INTO staff VALUES (5, 2), (6, 1);"
        "ALTER TABLE wards ADD FOREIGN KEY (head) REFERENCES staff; ALTER TABLE staff ADD FOREIGN KEY (ward) REFERENCES"
        " wards; CREATE TABLE beds (id int PRIMARY KEY, ward int REFERENCES wards); INSERT INTO beds VALUES (9, 1);",
    )
    whole = surgery.content()
    surgery.night()
    surgery.run("DROP TABLE wards, staff CASCADE")
    comes_back_and_goes_again(surgery, by, whole, {"wards", "staff"})


ODDLY = """ "W 'x"."Do'c%I%s{oid}{full}""rs" """
ODD_NAMES = f"""
    CREATE SCHEMA "W 'x"; CREATE SCHEMA other;
    CREATE FUNCTION other.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION other.t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TABLE {ODDLY} (
        "I'd%" serial PRIMARY KEY, "{{s}}%s" text DEFAULT '%s{{oid}}' CHECK ("{{s}}%s" <> '%'), u int
    );
    CREATE UNIQUE INDEX "i'x%" ON {ODDLY} (other.f("I'd%"));
    ALTER TABLE {ODDLY} ALTER "{{s}}%s" SET STORAGE EXTERNAL, ADD CONSTRAINT "c'%" UNIQUE (u);
    COMMENT ON TABLE {ODDLY} IS E'a%s''b{{oid}}\n--'; COMMENT ON COLUMN {ODDLY}."I'd%" IS '%I';
    CREATE STATISTICS other."st'%" ON "I'd%", u FROM {ODDLY};
    CREATE TRIGGER "tr'%" BEFORE INSERT ON {ODDLY} FOR EACH ROW EXECUTE FUNCTION other.t('%', 'x''y');
    CREATE POLICY "p'%" ON {ODDLY} USING ("{{s}}%s" <> 'x%');
    CREATE TABLE other."Vi sits" (id int PRIMARY KEY, "d'%" int CONSTRAINT "f""k'%" REFERENCES {ODDLY});
    INSERT INTO {ODDLY} (u) VALUES (5), (6); INSERT INTO other."Vi sits" VALUES (1, 1), (2, 2);
"""


def test_p121_a_table_comes_back_by_whatever_names(system_postgresql: PostgresServer) -> None:
    to = "W 'x.Do'c%I%s{oid}{full}\"rs(I'd%)"
    by = Policy.model_validate(
        {"reference": [{"from": "other.Vi sits(d'%)", "to": to}], "rule": [{"child": "*", "orphan": ["restore"]}]}
    )
    surgery = on_postgresql(system_postgresql, ODD_NAMES)
    whole = surgery.content()
    surgery.night()
    surgery.run(f"DROP TABLE {ODDLY} CASCADE")
    comes_back_and_goes_again(surgery, by, whole, {to.rpartition("(")[0]})


def test_a_table_that_no_plan_makes_is_told_with_what_to_type(system_postgresql: PostgresServer) -> None:
    surgery = on_postgresql(
        system_postgresql,
        "CREATE TABLE doctors (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE few PARTITION OF doctors FOR VALUES FROM (0) TO (9); INSERT INTO doctors VALUES (1);"
        "CREATE TABLE visits (id int PRIMARY KEY, doctor_id int); INSERT INTO visits VALUES (10, 1);"
        "CREATE TABLE notes (id int PRIMARY KEY, doctor_id int);",
    )
    surgery.night()
    surgery.run("DROP TABLE doctors")
    assert surgery.lost(RESTORES).why_not == {
        "doctors": "the table is gone: doctors is partitioned, so that no plan makes it; restore the backup to another "
        "database, and bring the table over with pg_dump -t"
    }


def test_a_table_whose_type_is_gone_too_cannot_be_made_and_nothing_stays(system_postgresql: PostgresServer) -> None:
    surgery = clinic(system_postgresql, "CREATE TYPE grade AS ENUM ('a'); ALTER TABLE doctors ADD COLUMN grade grade;")
    surgery.run("DROP TYPE grade")
    damaged = surgery.content()
    comebacks = [one.comeback for one in surgery.lost(RESTORES).found]
    with (
        pytest.raises(CannotMake, match=r'type "public\.grade" does not exist') as refused,
        as_if_made(surgery.database, comebacks),
    ):
        pytest.fail("it was made")
    assert refused.value.table == "doctors"
    assert surgery.content() == damaged


def test_an_undo_drops_no_table_that_others_use_by_now(system_postgresql: PostgresServer) -> None:
    surgery = clinic(system_postgresql)
    plan = surgery.planned(RESTORES)
    mended = surgery.performed(plan, RESTORES)
    undo = surgery.undo_of(plan, mended, RESTORES)
    surgery.run("CREATE VIEW known AS SELECT name FROM doctors")
    before = surgery.content()
    with pytest.raises(Refused, match="PostgreSQL refuses to make or drop it: cannot drop table"):
        surgery.performed(undo, RESTORES)
    assert surgery.content() == before


@pytest.fixture
def dropped(system_postgresql: PostgresServer, tmp_path: Path) -> Ward:
    """A ward with a backup, whose doctors were dropped since with CASCADE; no policy states a key."""
    name = system_postgresql.make_database(
        "CREATE TABLE doctors (id int PRIMARY KEY, name text)",
        "CREATE TABLE visits (id int PRIMARY KEY, doctor_id int REFERENCES doctors)",
        "CREATE TABLE notes (id int PRIMARY KEY, doctor_id int)",
        "INSERT INTO doctors VALUES (1, 'Ada'), (2, 'Bob')",
        "INSERT INTO visits VALUES (10, 1), (11, 2), (12, NULL)",
    )
    (tmp_path / "ward").mkdir()
    ward = Ward(tmp_path / "ward", ServerPlace(PostgresqlBase(system_postgresql, name)))
    os.environ.update(ward.environment)
    assert upkeep("backup").code == 0
    ward.place.run("DROP TABLE doctors CASCADE")
    return ward


def rehearsed(ward: Ward, rule: str, folder: Path) -> tuple[Equipment, Night]:
    """As a run rehearses it."""
    limits = "[limits]\nshare = 1.0\n"
    (ward.folder / "policy.toml").write_text(f"{limits}[[rule]]\n{rule}\n", encoding="utf-8")
    folder.mkdir()
    equipment = ward.equipment().with_lost_keys()
    night = rehearse_at(equipment, folder, migrate=False)
    night.scratch.discard()
    assert night.rehearsed.verdict.passed, night.rehearsed.verdict.failed
    return equipment, night


def test_p109_a_key_that_went_with_its_table_is_told_by_the_backup_that_last_had_it(dropped: Ward) -> None:
    (backup,) = (path.parent.name for path in dropped.store.glob("backups/*/manifest.json"))
    said = upkeep("check", "--json")
    (finding,) = said.document["findings"]
    assert (said.code, finding["diagnosis"], finding["orphans"]) == (1, "parent table missing", 2)
    assert finding["causes"][0]["evidence"] == (
        "the whole table doctors is gone: 2 rows of visits point into it by 2 keys; "
        f"the key went with it, and backup {backup} is the last that has them"
    )
    dropped.place.run("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('r2')")
    assert upkeep("check", "--json").document["findings"] == [], "a migration may have dropped it"


def test_what_a_backup_alone_knows_is_done_by_a_rule_for_that_very_key_and_no_other(
    dropped: Ward, tmp_path: Path
) -> None:
    for n, rule in enumerate(("child = '*'\norphan = ['restore', 'nullify']", f"{VERY}\norphan = ['delete']")):
        plan = rehearsed(dropped, rule, tmp_path / f"kept-{n}")[1].rehearsed.plan
        assert (plan.tables, plan.repairs, plan.kept[0].rows) == ((), (), 2)
    equipment, night = rehearsed(dropped, f"{VERY}\norphan = ['restore']", tmp_path / "rehearsed")
    perform_at(equipment, tmp_path, night)
    assert dropped.place.ask("SELECT * FROM doctors") == [(1, "Ada"), (2, "Bob")]
    keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f'"
    assert dropped.place.ask(keys) == [("visits_doctor_id_fkey", True)]
    assert upkeep("check").code == 0


@pytest.mark.exhaustive
@pytest.mark.usefixtures("prefect_here")
def test_a_run_brings_a_table_back_says_so_and_is_undone(dropped: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as on SQLite, with the foreign key that went with the table."""
    monkeypatch.chdir(dropped.folder)
    damaged = dropped.place.written()
    (dropped.folder / "policy.toml").write_text(f"[[rule]]\n{VERY}\norphan = ['restore']\n", encoding="utf-8")
    said = upkeep("maintain", "--no-migrate", "--perform", "within_limits")
    assert said.code == 0, said.out + said.err
    words = " ".join(said.out.split())
    assert "table doctors comes back with 2 rows from backup" in words
    assert "without its grants" in words
    assert dropped.place.ask("SELECT convalidated FROM pg_constraint WHERE contype = 'f'") == [(True,)]
    (run,) = {path.parent.name for path in dropped.store.glob("repairs/*/outcome.json")}
    undo = upkeep("undo", run, "--json").document
    assert undo["verdict"]["passed"], undo["verdict"]
    approval = ("--approve", undo["plan"]["digest"][:12], "--by", "tester", "--reason", "to see")
    done = upkeep("undo", run, *approval, "--json").document
    assert done["verdict"]["passed"], done["verdict"]
    assert dropped.place.written() == damaged
    assert upkeep("ledger", "verify").code == 0


VERY = "child = 'visits.doctor_id'\nparent = 'doctors'"
numbers = st.integers(1, 6)
KINDS = ("integer", "serial", "integer GENERATED ALWAYS AS IDENTITY", "text", "numeric(4, 1)")
ODD = (
    "ALTER TABLE {0} ADD more text DEFAULT now()::text",
    "ALTER TABLE {0} ADD CHECK (id IS NOT NULL)",
    "CREATE INDEX ON {0} (id) WHERE id IS NOT NULL",
    "ALTER TABLE {0} ADD twice text GENERATED ALWAYS AS (id::text || 'x') STORED",
    "COMMENT ON TABLE {0} IS 'it''s {0}'",
    "ALTER TABLE {0} ADD own bigserial UNIQUE",
    "CREATE TRIGGER stays BEFORE INSERT OR DELETE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    "ALTER TABLE {0} SET UNLOGGED",
)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(
    max_examples=int(os.environ.get("LOST_EXAMPLES", "3")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_whatever_tables_are_dropped_the_database_is_afterwards_what_it_was(
    server: PostgresServer, data: st.DataObject
) -> None:
    """The oracle is the database itself before it was hurt, as pg_dump writes it down."""
    ids = {name: sorted(data.draw(st.sets(numbers, min_size=1))) for name in "ab"}

    def pointer(name: str) -> str:
        return data.draw(st.sampled_from([*(f"'{number}'" for number in ids[name]), "NULL"]))

    kind = data.draw(st.sampled_from(KINDS))
    plain = {"serial": "integer", KINDS[2]: "integer"}.get(kind, kind)
    above = data.draw(st.sampled_from("ab"))  # b may point at itself
    ends = st.sampled_from(["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED", " ON DELETE CASCADE", " MATCH FULL"])
    odd = data.draw(st.lists(st.sampled_from(ODD), max_size=3, unique=True))
    is_unlogged = ODD[-1] in odd
    script = [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
        f"CREATE TABLE a (id {kind} PRIMARY KEY, b integer)",
        f"CREATE TABLE b (id {kind} PRIMARY KEY, up {plain})",
        f"CREATE TABLE c (id integer PRIMARY KEY, a {plain}, b {plain})",
        *(f"INSERT INTO a OVERRIDING SYSTEM VALUE VALUES ('{one}', {number})" for number, one in enumerate(ids["a"])),
        *(f"INSERT INTO b OVERRIDING SYSTEM VALUE VALUES ('{one}', {pointer(above)})" for one in ids["b"]),
        *(f"INSERT INTO c VALUES ({one}, {pointer('a')}, {pointer('b')})" for one in range(data.draw(numbers))),
        # A sequence that is behind its column would not be left so (P-69).
        *(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {ids[name][-1]})" for name in "ab"),
        *(f"ALTER TABLE {name} SET UNLOGGED" for name in "cba" if is_unlogged),
        f"ALTER TABLE b ADD FOREIGN KEY (up) REFERENCES {above} (id){data.draw(ends)}",
        *(f"ALTER TABLE c ADD FOREIGN KEY ({one}) REFERENCES {one} (id){data.draw(ends)}" for one in "ab"),
        *(statement.format(name) for name in "ab" for statement in odd if statement != ODD[-1]),
    ]
    by = Policy.model_validate(
        {
            "reference": [
                {"from": "c.a", "to": "a.id"},
                {"from": "c.b", "to": "b.id"},
                {"from": "b.up", "to": f"{above}.id"},
            ],
            "rule": [{"child": "*", "orphan": ["restore"]}],
        }
    )
    surgery = on_postgresql(server, ";".join(script))
    whole = surgery.content()
    surgery.night()
    gone = data.draw(st.sets(st.sampled_from("ab"), min_size=1))
    surgery.run(f"DROP TABLE {', '.join(sorted(gone))} CASCADE")
    missed = missed_of(surgery, gone, above)
    plan = comes_back_and_goes_again(surgery, by, whole if missed == gone else None, missed)
    event(f"tables {len(plan.tables)}, rows {min(plan.rows, 5)}")
