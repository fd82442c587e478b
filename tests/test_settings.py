"""Settings: embedded defaults, all faults at once, no secret shown, a scrubbed environment for the application."""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from upkeep.environment import load_settings
from upkeep.errors import Refused
from upkeep.settings import Settings

SECRET = "s3cr3t-of-the-clinic"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(text: str = "") -> Refused:
    """What is said of an env file with this text."""
    Path(".env").write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        load_settings()
    return caught.value


def test_with_nothing_set_everything_has_a_default(folder: Path) -> None:
    settings = load_settings()
    assert settings.database == "main"
    assert settings.store == f"file://{folder}/upkeep-store"
    assert settings.policy == folder / "policy.toml"
    assert settings.scratch == Path(tempfile.gettempdir()) / f"upkeep-{os.getuid()}"
    assert settings.app_python == Path(sys.executable)
    assert (settings.backup_retention_days, settings.auto_backup_enabled) == (30, True)
    assert (settings.approval_hours, settings.lock_seconds) == (24, 30)


def test_without_a_database_the_hint_says_what_to_set() -> None:
    with pytest.raises(Refused) as caught:
        load_settings().url_of_database()
    assert caught.value.message == "no database is set"
    assert caught.value.hint.startswith("set DATABASE_URL in .env or in the environment, or run `upkeep demo`")


def test_the_environment_wins_over_the_file_and_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("UPKEEP_DATABASE=filed\nBACKUP_RETENTION_DAYS=7\nUPKEEP_METADATA=\n", encoding="utf-8")
    monkeypatch.setenv("UPKEEP_DATABASE", "surrounding")
    monkeypatch.setenv("BACKUP_RETENTION_DAYS", "")
    settings = load_settings()
    assert (settings.database, settings.backup_retention_days, settings.metadata) == ("surrounding", 7, None)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().database = "other"  # type: ignore[misc]  # that it cannot be set is what is tested


def test_all_faults_are_refused_at_once_each_with_what_to_write_instead() -> None:
    said = refusal("BACKUP_RETENTION_DAYS=0\nAUTO_BACKUP_ENABLED=maybe\nUPKEEP_DATABASE=My Clinic\nUPKEEP_STOR=x\n")
    assert said.message == (
        "4 settings are wrong: AUTO_BACKUP_ENABLED is neither true nor false; BACKUP_RETENTION_DAYS is less than 1; "
        "UPKEEP_DATABASE is no short name; UPKEEP_STOR is no setting"
    )
    assert said.hint == (
        "write AUTO_BACKUP_ENABLED=true (does the schedule run every night: true or false); "
        "write BACKUP_RETENTION_DAYS=30 (days that a backup is kept, 1 or more); "
        "write UPKEEP_DATABASE=main (its short name: at most 40 lower-case letters, digits and dashes); "
        "write UPKEEP_STORE"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BACKUP_RETENTION_DAYS=a month", "BACKUP_RETENTION_DAYS is no whole number"),
        ("BACKUP_RETENTION_DAYS=1.5", "BACKUP_RETENTION_DAYS is no whole number"),
        (f"BACKUP_RETENTION_DAYS={'9' * 5000}", "BACKUP_RETENTION_DAYS cannot be used"),
        ("UPKEEP_APPROVAL_HOURS=soon", "UPKEEP_APPROVAL_HOURS is no number"),
        ("UPKEEP_APPROVAL_HOURS=inf", "UPKEEP_APPROVAL_HOURS is no finite number"),
        ("UPKEEP_LOCK_SECONDS=0", "UPKEEP_LOCK_SECONDS is not more than 0"),
        ("UPKEEP_DATABASE=-clinic", "UPKEEP_DATABASE is no short name"),
        (f"UPKEEP_DATABASE={'a' * 41}", "UPKEEP_DATABASE is no short name"),
        ("UPKEEP_STORE=/srv/store", "UPKEEP_STORE is no URL of a store"),
        ("UPKEEP_ALEMBIC_INI=nowhere.ini", "UPKEEP_ALEMBIC_INI is not there, or no file"),
        ("UPKEEP_SUITES=nowhere", "UPKEEP_SUITES is not there, or no folder"),
        ("UPKEEP_APP_PYTHON=/", "UPKEEP_APP_PYTHON is no program"),
        ("UPKEEP_METADATA=app.models", "UPKEEP_METADATA names no module and attribute"),
        ("UPKEEP_APP_ENV=TZ, DATABASE_URL", "UPKEEP_APP_ENV would hand DATABASE_URL to the application's code"),
        ("UPKEEP_STORE: file:///srv", "line 1 of .env is no setting"),
        ("UPKEEP_DATABASE", "line 1 of .env is no setting"),
    ],
)
def test_a_wrong_setting_is_told_in_words(line: str, said: str) -> None:
    assert refusal(line + "\n").message == f"one setting is wrong: {said}"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("UPKEEP_POLICIES", "write UPKEEP_POLICY"),
        ("upkeep_store", "write UPKEEP_STORE"),
        ("UPKEEP_BACKUP_RETENTION_DAYS", "write BACKUP_RETENTION_DAYS"),
        ("UPKEEP_QUX", "remove UPKEEP_QUX: .env.example has every name"),
    ],
)
def test_a_mistyped_name_of_ours_is_refused_with_the_nearest(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    said = refusal()
    assert (said.message, said.hint) == (f"one setting is wrong: {name} is no setting", hint)


def test_names_of_others_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("UPKEEP_TEST_REQUIRE_SERVERS", "1")
    monkeypatch.setenv("store", "not ours")
    Path(".env").write_text("ACCESS_TOKEN_EXPIRE_MINUTES=soon\ndatabase=not ours\n", encoding="utf-8")
    assert load_settings().database == "main"


@pytest.mark.parametrize(
    "line",
    [
        f"DATABASE_URL=postgresql://clinic:{SECRET}@db:port/clinic",
        f"DATABASE_URL={SECRET}",
        f"UPKEEP_STORE=s3://key:{SECRET}@bucket/prefix",
        f"UPKEEP_DATABASE=postgresql://clinic:{SECRET}@db/clinic",
        f"BACKUP_RETENTION_DAYS={SECRET}",
        f"AUTO_BACKUP_ENABLED={SECRET}",
        f"UPKEEP_PASSWORD={SECRET}",
        f"UPKEEP_METADATA={SECRET}",
        f"UPKEEP_STORE '{SECRET}",
    ],
)
def test_a_refusal_shows_no_value(line: str) -> None:
    said = refusal(line + "\n")
    assert SECRET not in f"{said!r} {said.message} {said.hint} {said.__cause__!r}"


def test_no_secret_stands_in_what_the_settings_show_of_themselves() -> None:
    Path(".env").write_text(
        f"DATABASE_URL=postgresql://clinic:{SECRET}@db/clinic\nSECRET_KEY={SECRET}\nSENTRY_DSN=https://{SECRET}@x/1\n"
        f"AWS_SECRET_ACCESS_KEY={SECRET}\n",
        encoding="utf-8",
    )
    settings = load_settings()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.url_of_database() == f"postgresql://clinic:{SECRET}@db/clinic"


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    Path(".env").write_bytes(b"SECRET_KEY=\xff\n")
    with pytest.raises(Refused, match=r"\.env cannot be read: UnicodeDecodeError"):
        load_settings()
    with pytest.raises(Refused, match="there is no settings file"):
        load_settings(folder / "absent.env")


def test_the_stores_keys_in_the_file_reach_boto3_and_do_not_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    Path(".env").write_text("AWS_ACCESS_KEY_ID=key\nAWS_DEFAULT_REGION=us-east-1\n", encoding="utf-8")
    load_settings()
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_DEFAULT_REGION"]) == ("key", "eu-west-1")


def test_the_applications_code_sees_no_secret_and_no_live_url_p88(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "SENTRY_DSN", "SMTP_PASSWORD", "PYTHONPATH"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://clinic:{SECRET}@db/clinic")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    environment = load_settings().application_environment({"DATABASE_URL": "sqlite:////scratch.db"})
    assert environment["DATABASE_URL"] == "sqlite:////scratch.db"
    assert (environment["PATH"], environment["LC_TIME"]) == (os.environ["PATH"], "C.UTF-8")
    assert set(environment) <= {
        "DATABASE_URL",
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LC_TIME",
        "TZ",
        "VIRTUAL_ENV",
    }
    ran = subprocess.run([sys.executable, "-c", "import os; print(os.environ)"], env=environment, capture_output=True)
    assert ran.returncode == 0
    assert SECRET.encode() not in ran.stdout


def test_what_the_applications_code_needs_is_named_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_MODE", "test")
    Path(".env").write_text("UPKEEP_APP_ENV=CLINIC_MODE, CLINIC_LANGUAGE\nCLINIC_LANGUAGE=de\n", encoding="utf-8")
    environment = load_settings().application_environment({})
    assert (environment["CLINIC_MODE"], environment["CLINIC_LANGUAGE"]) == ("test", "de")


def test_pickled_settings_carry_no_more_of_the_environment_than_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    settings = load_settings()
    assert SECRET.encode() not in pickle.dumps(settings)
    assert isinstance(settings, Settings)
