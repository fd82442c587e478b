"""The first five lines of a check: how bad, why, since when, what next, in eighty columns whatever there is to say."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.clinic import ALL_KINDS, build
from tests.shell import upkeep
from upkeep.catalog import ForeignKey
from upkeep.detected import Detected
from upkeep.diagnosis import Diagnosis
from upkeep.facts import Facts, Share, Trait
from upkeep.findings import Finding
from upkeep.history import History, Moment, Point, Record, SeenKey, Trail
from upkeep.wording.check import what_was_found

HOUSE = Path(__file__).parents[1]
BORN = datetime(2020, 1, 1, tzinfo=UTC)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzäß_. -", min_size=1, max_size=63).map(str.strip).filter(bool)
NUMBERS = st.integers(1, 10**10)
MOMENTS = st.integers(0, 2000).map(
    lambda day: Moment(run="run", taken=BORN + timedelta(days=day), backup="20261125T205503Z-b41d5e")
)


@st.composite
def findings(draw: st.DrawFn, number: int) -> Finding:
    """Any key with any orphans of any likeness, or one that cannot be asked or used."""
    child, column, parent = (draw(NAMES) for _ in range(3))
    fault = draw(st.sampled_from([None, None, None, "the parent's column is not unique"]))
    plain = ForeignKey(child, (f"{column}{number}",), parent, ("id",), fault=fault)
    meant = ForeignKey(child, plain.columns, draw(NAMES), ("id",), declared=False, stated_by="the models")
    key = draw(st.sampled_from([plain, ForeignKey(child, plain.columns, parent, ("id",), meant=meant)]))
    if draw(st.integers(0, 9)) == 0:
        return Finding(key, None, unasked="nobody knows why")
    likely = [trait for trait in Trait if trait is not Trait.ELSEWHERE or key.meant]
    traits = draw(st.sets(st.sampled_from(likely), max_size=4))
    shares = {trait: Share(draw(NUMBERS), 1) for trait in traits}
    return Finding(key, sum(share.orphans for share in shares.values()), len(shares), facts=Facts(shares))


@st.composite
def histories(draw: st.DrawFn, found: tuple[Finding, ...]) -> History | None:
    """Nothing remembered, nobody before, or trails of any length."""
    if draw(st.booleans()):
        return None
    seen = []
    for finding in found:
        points = [Point(moment=draw(MOMENTS), orphans=draw(NUMBERS))] if draw(st.booleans()) else []
        trail = Trail(clean=draw(st.none() | MOMENTS), points=tuple(points))
        key = finding.key
        seen.append(
            SeenKey(
                key=str(key),
                child=key.child,
                columns=key.columns,
                orphans=finding.orphans or 0,
                missing_keys=0,
                diagnosis="suspect",
                trail=trail,
            )
        )
    now = Record(database="main", salt="s", mark="m", seen=tuple(seen))
    return History(now, draw(st.none() | st.builds(now.at, MOMENTS)))


@st.composite
def looks(draw: st.DrawFn) -> Detected:
    """What a look at any database may have found."""
    found = tuple(draw(findings(number)) for number in range(draw(st.integers(0, 6))))
    rows = {one.value: draw(NUMBERS) for one in Diagnosis}
    return Detected(
        draw(NUMBERS),
        draw(NUMBERS),
        found,
        draw(NUMBERS),
        rows_by_cause=rows,
        history=draw(histories(found)),
        unremembered=draw(st.sampled_from(["", "the store s3://" + "a" * 90 + " does not answer"])),
    )


@given(
    looks(),
    st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True),
    st.sampled_from(["sqlite", "postgresql", "mariadb"]),
    st.lists(st.text("abcdefg ", min_size=1, max_size=300).filter(str.strip), max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_the_head_is_five_lines_of_eighty_columns_whatever_there_is_to_say(
    detected: Detected, name: str, engine: str, complaints: list[str]
) -> None:
    lines = what_was_found(name, engine, detected, tuple(complaints), 5).splitlines()
    troubled = any(one.orphans or one.orphans is None or one.key.fault for one in detected.findings)
    said = [line.partition(": ")[0] for line in lines]
    next_line = said.index("next")
    head = next_line + 1
    while head < len(lines) and lines[head].startswith("      ") and lines[head].strip():
        head += 1
    assert head <= 5
    assert max(map(len, lines[:head])) <= 80
    assert said[0] == f"{name} ({engine})"
    assert ("why" in said[:head]) is troubled
    assert ("since" in said[:head]) is bool(detected.orphans and detected.history)
    assert ("the engine's own check complains" in said[:head]) is bool(complaints)
    whole = " ".join(" ".join(lines).split())
    for toll in detected.causes:
        assert f"{toll.diagnosis.value} {toll.orphans:,}" in whole, "what the head leaves out is said below"
    assert f"{detected.rows:,} rows" in whole


@pytest.mark.parametrize("metadata", ["examples.clinic.models:Base.metadata", ""])
def test_the_head_of_the_clinic_says_all_four_things(tmp_path: Path, metadata: str) -> None:
    truth = build(tmp_path, kinds=ALL_KINDS, nights=1)
    os.environ.update(
        DATABASE_URL=f"sqlite:///{tmp_path / 'clinic.db'}",
        UPKEEP_DATABASE="clinic",
        UPKEEP_STORE=(tmp_path / "store").as_uri(),
        UPKEEP_SCRATCH=str(tmp_path / "scratch"),
        UPKEEP_POLICY=str(HOUSE / "examples/clinic/policy.toml"),
        UPKEEP_ALEMBIC_INI=str(HOUSE / "examples/clinic/alembic.ini"),
        UPKEEP_METADATA=metadata,
    )
    lines = upkeep("check").out.splitlines()[:5]
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"clinic (sqlite): {len(truth.orphans):,} orphans in ")
    assert [line.partition(":")[0] for line in lines[1:] if ": " in line] == ["why", "since", "next"]
