"""The databases that the figures are measured on, made anew for each run and the same for each seed."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol

WORDS = tuple(
    re.findall(
        r"\w+",
        """
        patient reports mild pain since yesterday evening no fever blood pressure normal prescribed ibuprofen twice
        daily after meals return if symptoms persist referred to cardiology for follow up lab results pending allergic
        to penicillin previous surgery in childhood sleeps badly works at night smokes occasionally weight stable""",
    )
)
BLOCK = 50
"""MiB that are made row by row; larger databases repeat them, far beyond what zstd looks back at level 3."""


class Into(Protocol):
    """A database that is being made: how an engine is told, and how it is filled fast."""

    def run(self, sql: str) -> None:
        """One statement."""

    def fill(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Put whole rows into a table, foreign keys not enforced."""

    def later(self, column: str, minutes: int) -> str:
        """SQL for a moment so much later than the one that stands in a column as text."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that makes a file fast; it is whole when the context ends well."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        yield connection
        connection.commit()


def make_references(into: Into, rows: int) -> None:
    """A table of ``rows`` children with four foreign keys to parents of many sizes; one in 10,000 points at nothing."""
    parents = {"patients": rows // 10, "visits": rows // 3, "doctors": max(rows // 3000, 3), "services": rows // 100}
    rng = Random(7)  # noqa: S311 (the same database each time)
    for name, count in parents.items():
        into.run(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT)")
        into.fill(name, ((i, f"{name} {i}") for i in range(1, count + 1)))
    columns = ", ".join(f"{name}_id INTEGER REFERENCES {name} (id)" for name in parents)
    into.run(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, {columns})")
    into.fill(
        "orders",
        ((i, "an order", *(_reference(rng, count) for count in parents.values())) for i in range(1, rows + 1)),
    )


def make_many_keys(into: Into) -> None:
    """A hundred foreign keys, four in each of 25 tables, each of which holds one row with one orphan."""
    parents = range(20)
    for parent in parents:
        into.run(f"CREATE TABLE parent{parent} (id INTEGER PRIMARY KEY)")
    for child in range(25):
        keys = [f"ref{i} INTEGER REFERENCES parent{(child + i) % len(parents)} (id)" for i in range(4)]
        into.run(f"CREATE TABLE child{child} (id INTEGER PRIMARY KEY, {', '.join(keys)})")
        into.fill(f"child{child}", [(1, 5, None, None, None)])


def _reference(rng: Random, count: int) -> int | None:
    chance = rng.random()
    if chance < 0.0001:
        return count + 1 + int(rng.random() * 1000)
    return None if chance > 0.95 else 1 + int(rng.random() * count)


def make_records(into: Into, mib: int) -> None:
    """Rows as applications keep them (text, numbers, timestamps, an index), ``mib`` MiB of them more or less."""
    block, patients = min(mib, BLOCK), 200 * mib
    into.run("CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT, born TEXT, phone TEXT)")
    into.run(
        "CREATE TABLE records (id INTEGER PRIMARY KEY, patient_id INTEGER REFERENCES patients (id), "
        "written_at TEXT, weight REAL, priority INTEGER, remark TEXT)"
    )
    rng = Random(7)  # noqa: S311 (as above)
    into.fill(
        "patients",
        (
            (i, f"Name {rng.randrange(10**6)}", f"19{i % 90 + 10}-0{i % 9 + 1}-11", f"+4930{rng.randrange(10**7)}")
            for i in range(1, patients + 1)
        ),
    )
    into.fill("records", _records(rng, block * 4500, patients))
    for number in range(1, mib // block):
        shift = number * block * 4500
        into.run(
            f"INSERT INTO records SELECT id + {shift}, (patient_id * 7 + {shift}) % {patients} + 1, "
            f"{into.later('written_at', number * 61)}, weight + {number / 7}, priority, remark "
            f"FROM records WHERE id <= {block * 4500}"
        )
    into.run("CREATE INDEX records_patient ON records (patient_id)")


def _records(rng: Random, count: int, patients: int) -> Iterator[tuple[int, int, str, float, int, str]]:
    for number in range(1, count + 1):
        moment = f"20{number % 20 + 10}-{number % 12 + 1:02}-{number % 28 + 1:02} {number % 24:02}:{number % 60:02}:07"
        remark = " ".join(rng.choices(WORDS, k=rng.randrange(5, 45)))
        yield number, rng.randrange(patients) + 1, moment, round(rng.gauss(75, 15), 2), rng.randrange(5), remark


def make_damaged(path: Path, rows: int, repairs: int, *, indexed: bool) -> None:
    """Four tables of ``rows`` rows in all, where a plan of ``repairs`` repairs is due over three waves.

    A quarter of them are visits whose patient is gone: they go, each with its service, and its payment loses it; the
    last quarter are payments of visits that never were.
    """
    patients, quarter = rows // 10, repairs // 4
    visits = (rows - patients) // 3
    with opened(path) as connection:
        connection.executescript(
            "CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patients (id));"
            "CREATE TABLE visit_services (id INTEGER PRIMARY KEY, visit_id INTEGER NOT NULL REFERENCES visits (id));"
            "CREATE TABLE payments (id INTEGER PRIMARY KEY, visit_id INTEGER REFERENCES visits (id), amount REAL);"
        )
        counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
        each = visits // quarter
        for sql, parameters in (
            ("INSERT INTO patients SELECT i, 'patient ' || i FROM n", (patients,)),
            (
                "INSERT INTO visits SELECT i, CASE WHEN i % ?2 = 0 AND i / ?2 <= ?3 THEN ?4 + i ELSE i % ?4 + 1 END"
                " FROM n",
                (visits, each, quarter, patients),
            ),
            ("INSERT INTO visit_services SELECT i, i FROM n", (visits,)),
            ("INSERT INTO payments SELECT i, i, i / 7.0 FROM n", (visits,)),
            ("UPDATE payments SET visit_id = -id WHERE id % ?1 = 1 AND id / ?1 < ?2", (each, quarter)),
        ):
            connection.execute(f"{counted} {sql}" if sql.startswith("INSERT") else sql, parameters)
        for table, column in (("visits", "patient_id"), ("visit_services", "visit_id"), ("payments", "visit_id")):
            if indexed:
                connection.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")


def make_clinic(folder: Path, mib: int) -> Path:
    """The example clinic with its usual damage and an audit log that makes it ``mib`` MiB large, more or less."""
    from examples.clinic import DEMO_KINDS, build

    build(folder, kinds=DEMO_KINDS)
    path = folder / "clinic.db"
    with opened(path) as connection:
        rows = connection.execute("SELECT COUNT(*) FROM audit_log").fetchone()[0]
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO audit_log (user_id, entity_type, entity_id, action, remark, happened_at) "
            "SELECT (SELECT id FROM users WHERE id = a.user_id), "
            "a.entity_type, a.entity_id + n.i, a.action, hex(n.i * 7919) || ' ' || a.action, "
            "a.happened_at FROM n CROSS JOIN audit_log AS a",
            (max(1, mib * 10000 // rows),),
        )
    return path
