"""What squawk says of pending SQL is a hint, by statement; what it was not asked is said."""

import sys
from pathlib import Path

import pytest

from tests.pending import pending_at
from tests.shell import upkeep
from upkeep.databases.postgresql_lint import lint

LONG = "CREATE TABLE visits (\n    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    note TEXT\n)"
STATEMENTS = (
    LONG,
    "DROP TABLE pets",
    "ALTER TABLE people\n    ADD COLUMN born DATE NOT NULL",
    "UPDATE people SET name = 'a;\nb'",
    "ALTER TABLE people ALTER COLUMN name TYPE TEXT;",
    "CREATE INDEX people_name ON people (name)",
    "ALTER TABLE pets ADD CONSTRAINT f FOREIGN KEY (person) REFERENCES people (id)",
)
VERSION = "15.18 (Debian 15.18-0+deb12u1)"


def test_each_hint_names_the_statement_that_it_is_about(tmp_path: Path) -> None:
    """The oracle asks for one statement at a time."""
    asked = [lint([statement], VERSION, tmp_path) for statement in STATEMENTS]
    expected = [
        hint.replace("(statement 1)", f"(statement {n})") for n, one in enumerate(asked, 1) for hint in one.hints
    ]
    whole = lint(STATEMENTS, VERSION, tmp_path)
    assert sorted(whole.hints) == sorted(expected)
    assert {hint.partition(":")[0] for hint in whole.hints} >= {"ban-drop-table", "adding-required-field"}
    assert [one.unasked for one in (whole, *asked)] == [""] * (len(STATEMENTS) + 1)


def test_what_upkeep_sees_to_itself_and_what_the_project_leaves_out_is_no_hint(tmp_path: Path) -> None:
    assert lint(["CREATE INDEX people_name ON people (name)"], VERSION, tmp_path).hints == ()
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]\n')
    assert lint(["DROP TABLE pets"], VERSION, tmp_path).hints == ()


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (hint, *_) = lint(["DROP TABLE pets", "ALTER TABEL pets"], VERSION, tmp_path).hints[1:]
    assert hint.startswith("syntax-error: ")
    assert hint.endswith("(statement 2)")


def test_without_squawk_it_is_said_that_nothing_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    told = lint(["DROP TABLE pets"], VERSION, tmp_path)
    assert (told.hints, told.unasked) == ((), "squawk is not installed here: `pip install squawk-cli`")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo no JSON; echo broken >&2; exit 3", "squawk could not be run (exit 3): broken"),
        ("exit 4", "squawk could not be run (exit 4): it said nothing"),
    ],
)
def test_a_squawk_that_fails_was_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    file = tmp_path / "squawk"
    file.write_text(f"#!/bin/sh\n{program}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lint(["DROP TABLE pets"], VERSION, tmp_path).unasked == said


def test_a_revision_that_tells_no_sql_beforehand_was_not_asked(tmp_path: Path) -> None:
    assert lint([], VERSION, tmp_path).unasked == "its SQL is not known before it runs"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_here")
def test_hints_stand_in_the_explanation_and_stop_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    pending = pending_at("system", tmp_path / "own", request)
    pending.equipment()
    said = upkeep("migrate", "--explain")
    assert said.code == 0, said
    assert "  hint          changing-column-type: " in said.out
    report = upkeep("migrate", "--json").document
    assert report["verdict"]["passed"] is True
    assert [one["lint"]["unasked"] for one in report["revisions"]] == [None] * 5
    assert any(one["lint"]["hints"] for one in report["revisions"])
