"""`.env.example` and the settings say the same: every name, what it means, and its default."""

import os
import re
import sys
from pathlib import Path

import pytest

from upkeep.environment import load_settings
from upkeep.settings import Settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"
LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$")
FIELDS = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def written() -> dict[str, tuple[bool, str, str]]:
    """Each name of the example: is it only shown, not set? What is written for it, and the comment above it."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    found = [(LINE.match(line), lines[number - 1]) for number, line in enumerate(lines)]
    return {hit[2]: (bool(hit[1]), hit[3], above) for hit, above in found if hit}


def test_every_setting_stands_in_the_example_and_the_example_has_no_other_but_boto3s() -> None:
    assert {name for name in written() if not name.startswith("AWS_")} == set(FIELDS)


def test_every_name_stands_there_once_with_a_comment_above() -> None:
    names = [hit[2] for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if (hit := LINE.match(line))]
    assert len(names) == len(set(names))
    assert [name for name, (_, _, above) in written().items() if not above.startswith("# ") or LINE.match(above)] == []


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_says_what_the_hint_of_a_wrong_setting_says(name: str) -> None:
    _, value, above = written()[name]
    assert above == f"# {FIELDS[name].description}"
    assert [value] == FIELDS[name].examples


def test_the_example_as_it_is_sets_nothing_but_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nothing_set = load_settings()
    assert load_settings(EXAMPLE) == nothing_set
    assert nothing_set.database == "main"


def test_a_name_is_only_shown_where_it_has_no_default_of_its_own() -> None:
    fixed = {name for name, (only_shown, _, _) in written().items() if not only_shown}
    optional = {
        name for name, field in FIELDS.items() if field.get_default() in (None, ()) and not field.default_factory
    }
    assert fixed | optional | {"UPKEEP_STORE", "UPKEEP_SCRATCH", "UPKEEP_APP_PYTHON"} == set(FIELDS)
    assert not fixed & optional


def test_the_example_loads_with_every_name_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = re.sub(r"^# (?=[A-Z][A-Z0-9_]*=)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for name in ("alembic.ini", "identity.txt", "ledger.pem", "ledger.pub"):
        (tmp_path / name).touch()
    (tmp_path / "suites").mkdir()
    (tmp_path / ".env").write_text(text.replace("/srv/clinic/.venv/bin/python", sys.executable), encoding="utf-8")
    settings = load_settings()
    assert settings.model_fields_set == set(Settings.model_fields)
    assert settings.url_of_database() == "sqlite:////srv/clinic/clinic.db"
    assert os.environ["AWS_ENDPOINT_URL_S3"] == "https://s3.example"
