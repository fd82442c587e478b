"""What is kept on disk says the same as the plain lists and sets that it stands for, whatever its size and values."""

import gc
import json
import pickle
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.processes import act
from tests.test_bad_input import mounted
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.documents import put_in_parts, read_in_parts
from upkeep.errors import Damaged, Refused
from upkeep.gathered import Gathered
from upkeep.plan import Healed, Kept, Plan, Repair, beyond
from upkeep.policy import Action, Limits
from upkeep.repair import HEALED, REPAIRS
from upkeep.spilled import Spill, Spilled, arranged, keep_in
from upkeep.stores.directory import DirectoryStore
from upkeep.undo import CONFLICTS, Conflict, Undo
from upkeep.values import Row, digest
from upkeep.vanishing import ROW_BY_ROW

FRACTIONS = st.floats(allow_nan=False).filter(lambda number: not number.is_integer())
"""To Python 1 and 1.0 are one row; of one table no engine has both."""
VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False).filter(lambda number: not number.is_integer())
    | st.binary(max_size=4)
)
TEXTS = st.text(max_size=4) | st.just("not \udcff UTF-8")
ROWS = st.tuples(VALUES | TEXTS) | st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"]))
NAMES = st.sampled_from(["visits", "patients", "Ärzte"])
KEYS = st.sampled_from(["visits(patient) -> patients(id)", "visits(doctor) -> doctors(id)"])
ACTIONS = st.sampled_from([Action.NULLIFY, Action.DELETE, Action.RESTORE, Action.REASSIGN])


@st.composite
def repairs(draw: st.DrawFn) -> Repair:
    """A repair as a plan may have it; of the row nothing is promised."""
    action = draw(ACTIONS)
    sets = action in (Action.RESTORE, Action.REASSIGN)
    columns = () if action is Action.DELETE else ("patient", "note")[: draw(st.integers(1, 2))]
    values = tuple(draw(VALUES | TEXTS) for _ in columns) if sets else ()
    row, key, rule, wave = draw(ROWS), draw(KEYS), draw(st.integers(0, 2)), draw(st.integers(0, 3))
    return Repair(draw(NAMES), row, action, columns, key, rule, wave, draw(st.sampled_from("ab")), values)


HEALINGS = st.builds(Healed, KEYS, NAMES, ROWS, st.tuples(NAMES, ROWS))


OBSTACLES = st.builds(Conflict, NAMES, ROWS, TEXTS)


def plan_of(repairs: Any, healed: Any, conflicts: Any) -> Plan:
    """A plan of so much."""
    undo = None if conflicts is None else Undo("run", conflicts, 2, (("k", 1),))
    return Plan("clinic", repairs, (Kept("k", 3, "silence"),), healed=healed, triggers=("t",), undo=undo)


@given(st.lists(repairs(), max_size=12), st.lists(HEALINGS, max_size=4), st.none() | st.lists(OBSTACLES, max_size=4))
def test_a_plan_on_disk_is_the_plan_in_memory_in_document_digest_and_counts(
    several: list[Repair], healed: list[Healed], conflicts: list[Conflict] | None
) -> None:
    staying = None if conflicts is None else Spilled(conflicts, CONFLICTS)
    plan = plan_of(Spilled(several, REPAIRS), Spilled(healed, HEALED), staying)
    model = plan_of(tuple(several), tuple(healed), None if conflicts is None else tuple(conflicts))
    assert plan == model
    assert plan.document() == model.document()
    assert plan.document()["repairs"] == [repair.document() for repair in several]
    assert plan.digest == digest(model.document())
    whole, parts = in_a_store(plan)
    assert whole == model.document()
    assert parts == list(in_parts(whole))
    assert list(plan.repairs) == several
    assert [repr(one) for one in plan.repairs] == [repr(one) for one in several], "types and bits too"
    rows = {(one.table, one.row) for one in several}
    assert plan.rows == len(rows)
    assert {name: plan.rows_of(name) for name in ("visits", "none")} == {
        "visits": sum(table == "visits" for table, _ in rows),
        "none": 0,
    }
    assert plan.by_table() == Counter((t, a) for t, a, _ in {(one.table, one.action, one.row) for one in several})
    assert plan.errands.by_rule == Counter(
        told[:3] for told in {(one.rule, one.table, one.action.value, one.row) for one in several}
    )
    assert plan.by_key() == by_key(several, healed)
    assert pickle.loads(pickle.dumps(plan)) == model  # noqa: S301  # our own
    counted = Counter(table for table, _ in rows)
    told = beyond(plan, Limits(rows=1, share=0.5), dict.fromkeys(counted, 2))
    coming = Counter(table for table, _ in {(one.table, one.row) for one in several if one.action is Action.RESTORE})
    assert len(told) == (len(rows) > 1) + sum(2 * number > 2 + coming[table] for table, number in counted.items())


def in_a_store(plan: Plan) -> tuple[Any, list[tuple[str, Any]]]:
    """A plan written to a store part by part, read as one document and item by item."""
    with TemporaryDirectory() as folder:
        store = DirectoryStore(Path(folder))
        put_in_parts(store, "plan", plan.in_parts())
        with store.get("plan") as file:
            whole = json.loads(file.read())
        with store.get("plan") as file:
            return whole, list(read_in_parts(file, ROW_BY_ROW, "plan"))


def in_parts(document: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The parts of a document that is in memory."""
    for inner, value in document.items():
        name = above + inner
        if name in ROW_BY_ROW and isinstance(value, list):
            yield from ((name, item) for item in value)
        elif name == "undo" and isinstance(value, dict):
            yield from in_parts(value, "undo.")
        else:
            yield name, value


def by_key(several: Iterable[Repair], healed: Iterable[Healed]) -> dict[str, dict[str, int]]:
    """What becomes of the orphans of each key, counted in plain Python."""
    counts = Counter((one.key, one.action.value) for one in several if one.action is not Action.RESTORE)
    changed = {(one.key, one.row) for one in several if one.action is not Action.RESTORE}
    counts += Counter((one.key, "heal") for one in healed if (one.key, one.row) not in changed)
    return {key: {word: n for (of, word), n in sorted(counts.items()) if of == key} for key in {of for of, _ in counts}}


@given(st.integers(0, 2500), st.integers(-3, 2600), st.integers(-3, 2600))
def test_a_slice_and_an_item_of_a_long_sequence_are_those_of_the_list(length: int, start: int, stop: int) -> None:
    healed = [Healed("k", "t", (number,), ("p", (number,))) for number in range(length)]
    spilled = Spilled(healed, HEALED)
    assert len(spilled) == length
    assert list(spilled[start:stop]) == healed[start:stop]
    assert list(spilled[start:stop][1:-1]) == healed[start:stop][1:-1]
    if -length <= start < length:
        assert spilled[start] == healed[start]
    else:
        with pytest.raises(IndexError):
            spilled[start]


@given(st.lists(st.tuples(NAMES, ROWS), max_size=20), st.lists(ROWS, max_size=5))
def test_rows_by_name_are_a_dict_of_sets(pairs: list[tuple[str, Row]], others: list[Row]) -> None:
    gathered = Gathered(pairs)
    model = {name: {repr(row) for of, row in pairs if of == name} for name, _ in pairs}
    assert {name: {repr(row) for row in rows} for name, rows in gathered.items()} == model
    assert gathered.rows == sum(map(len, model.values()))
    for row in [*others, *(row for _, row in pairs)]:
        assert [gathered.holds(name, row) for name in model] == [repr(row) in rows for rows in model.values()]
    assert not gathered.holds("nobody", (1,))


@given(st.lists(HEALINGS, max_size=20))
def test_what_is_arranged_is_sorted_and_what_is_alike_stays_in_its_order(healed: list[Healed]) -> None:
    def key(one: Healed) -> tuple[int, str]:
        return len(one.row), repr(one.row)

    assert list(arranged(healed, key, 2, HEALED)) == sorted(healed, key=key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SOME = st.lists(JSON, max_size=4) | JSON
WITHIN = st.fixed_dictionaries({}, optional={"run": JSON, "conflicts": SOME, "there": JSON})
DOCUMENTS = st.fixed_dictionaries(
    {}, optional={"repairs": SOME, "healed": SOME, "kept": SOME, 'a "b"': SOME, "undo": WITHIN | JSON}
)


class Dripping(BytesIO):
    """A file that gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        """At most three."""
        return super().read(3 if size is None or size < 0 else min(size, 3))


@given(DOCUMENTS, st.sampled_from([None, 1]))
def test_a_document_is_read_part_by_part_as_it_is_read_whole_however_it_is_spaced(
    document: dict[str, Any], indent: int | None
) -> None:
    parts = read_in_parts(Dripping(json.dumps(document, indent=indent).encode()), ROW_BY_ROW, "it")
    assert list(parts) == list(in_parts(document))


def test_a_document_is_written_part_by_part_and_half_of_it_is_damaged(tmp_path: Path) -> None:
    several = [[1, "é"], [2, None]]
    document: dict[str, Any] = {"b": 1, "a": {"x": [1, 2]}, "list": several, "none": [], "in": {"it": several, "n": 1}}
    store = DirectoryStore(tmp_path)
    within = {"it": iter(several), "n": 1}
    put_in_parts(store, "it", document | {"list": iter(several), "none": iter(()), "in": within})
    with store.get("it") as file:
        written = file.read()
    assert json.loads(written) == document
    assert [written.count(line) for line in (b"\n  [", b"\n   [")] == [2, 2], "each item stands in a line of its own"
    for end in range(len(written) - 1):
        with pytest.raises(Damaged, match="it is no document"):
            list(read_in_parts(BytesIO(written[:end]), ("list", "in.it"), "it"))


def open_files() -> Iterator[Path]:
    """What this process has open."""
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # another thread has closed it since
            yield path.readlink()


def test_p106_what_is_kept_on_disk_lies_in_the_folder_that_was_named_and_leaves_no_name_there(tmp_path: Path) -> None:
    keep_in(tmp_path)
    rows = Gathered(("t", (f"{number:0>100}",)) for number in range(50_000))
    files = list(open_files())
    assert any(file.parent == tmp_path and "(deleted)" in file.name for file in files)
    assert list(tmp_path.iterdir()) == []
    assert rows.rows == 50_000


def test_a_full_disk_is_refused_by_its_name_whoever_asks_another_database_meanwhile(tmp_path: Path) -> None:
    tiny, other = tmp_path / "tiny", tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    told = rf"the disk of {tiny} is full: .*free some, or set UPKEEP_SCRATCH"
    with mounted(tiny, "size=1m"), SqliteDatabase("other", other).writing() as writing:
        keep_in(tiny)
        with pytest.raises(Refused, match=told):
            Gathered(("t", (f"{number:0>100}",)) for number in range(50_000))
        assert list(writing.rows("SELECT * FROM t")) == []
        spill = Spill("CREATE TABLE numbers (n)")
        spill.run_for_each("INSERT INTO numbers VALUES (?)", ((number,) for number in range(3000)))
        found = spill.rows("SELECT DISTINCT one.n * 3000 + two.n FROM numbers AS one, numbers AS two")
        with pytest.raises(Refused, match=told):
            list(found)
        del spill, found
        keep_in(tmp_path)
        gc.collect()  # the traceback of the error still knew the file


_MANY = pytest.param((100_000, 1_000_000), marks=[pytest.mark.exhaustive, pytest.mark.timeout(7200)])


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(6_000, 18_000), _MANY])
def test_promise_12_a_much_larger_plan_needs_no_more_memory(sizes: tuple[int, int], tmp_path: Path) -> None:
    ran = [act("large_plan", tmp_path, path=tmp_path / f"{rows}.db", rows=rows) for rows in sizes]
    small, large = (one.said["peak_mib"] for one in ran)  # not counted by us: we are larger than they are
    assert large < 1.3 * small, (small, large)
