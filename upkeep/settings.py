"""The settings, and the one door through which the environment and `.env` come in."""

import difflib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from upkeep.errors import Refused
from upkeep.setting_kinds import (
    OURS,
    Command,
    DatabaseUrl,
    ExistingFile,
    ExistingFolder,
    Lock,
    Metadata,
    PassedOn,
    Place,
    Program,
    Recipients,
    ShortName,
    StoreUrl,
    Variables,
    Words,
)

_PASSED_ON = re.compile(r"PATH|HOME|LANG|LC_[A-Z]+|TZ|VIRTUAL_ENV")
_POSITIVE = {"gt": 0, "allow_inf_nan": False}
_WORDING = {
    "bool_parsing": "is neither true nor false",
    "float_parsing": "is no number",
    "finite_number": "is no finite number",
    "int_parsing": "is no whole number",
    "greater_than": "is not more than {gt:g}",
    "greater_than_equal": "is less than {ge:g}",
    "less_than_equal": "is more than {le:g}",
}


def _setting(name: str, write: str, says: str, **more: Any) -> Any:
    """A field that is read from ``name``; ``write`` is what stands in `.env.example` and in the hint."""
    return Field(validation_alias=name, description=says, examples=[write], **more)


class Settings(BaseSettings):
    """Everything that can be set, checked and frozen; each field says which name sets it.

    Paths are absolute. Secrets show themselves only when they are asked for by ``get_secret_value``.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        case_sensitive=True,
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        hide_input_in_errors=True,
    )

    database_url: DatabaseUrl | None = _setting(
        "DATABASE_URL",
        "sqlite:////srv/clinic/clinic.db",
        "the database to look after, as SQLAlchemy writes it",
        default=None,
    )
    auto_backup_enabled: bool = _setting(
        "AUTO_BACKUP_ENABLED", "true", "does the schedule run every night: true or false", default=True
    )
    backup_retention_days: int = _setting(
        "BACKUP_RETENTION_DAYS", "30", "days that a backup is kept, 1 or more", default=30, ge=1
    )
    secret_key: SecretStr | None = _setting(
        "SECRET_KEY", "change-me", "the application's own secret; Upkeep never shows it", default=None
    )
    cors_origins: str | None = _setting(
        "CORS_ORIGINS", "https://clinic.example", "from where the application may be called", default=None
    )
    sentry_dsn: SecretStr | None = _setting(
        "SENTRY_DSN", "https://key@sentry.example/1", "where the application reports its errors", default=None
    )

    database: ShortName = _setting(
        "UPKEEP_DATABASE", "main", "its short name: at most 40 lower-case letters, digits and dashes", default="main"
    )
    store: StoreUrl = _setting(
        "UPKEEP_STORE",
        "file:///srv/upkeep-store",
        "where backups live: file:///folder or s3://bucket/prefix; unset, upkeep-store in the working folder",
        default_factory=lambda: (Path.cwd() / "upkeep-store").as_uri(),
    )
    policy: Place = _setting(
        "UPKEEP_POLICY",
        "policy.toml",
        "what may be done to which orphans; where the file is absent every row is kept",
        default_factory=lambda: Path.cwd() / "policy.toml",
    )
    scratch: Place = _setting(
        "UPKEEP_SCRATCH",
        "/srv/upkeep-scratch",
        "the folder for throw-away databases; unset, upkeep-<uid> among the system's temporary files",
        default_factory=lambda: Path(tempfile.gettempdir()) / f"upkeep-{os.getuid()}",
    )
    scratch_url: DatabaseUrl | None = _setting(
        "UPKEEP_SCRATCH_URL",
        "postgresql+psycopg://upkeep:change-me@scratch.example:5432/postgres",
        "a maintenance database of the server for throw-away databases; unset, the one of DATABASE_URL",
        default=None,
    )
    suites: ExistingFolder | None = _setting(
        "UPKEEP_SUITES", "suites", "a folder of hand-written Great Expectations suites", default=None
    )
    approval_hours: float = _setting(
        "UPKEEP_APPROVAL_HOURS", "24", "hours that a plan waits for approval, more than 0", default=24.0, **_POSITIVE
    )
    migration_backup_hours: float = _setting(
        "UPKEEP_MIGRATION_BACKUP_HOURS",
        "24",
        "hours that the proven backup may be old on which a migration rests, more than 0",
        default=24.0,
        **_POSITIVE,
    )
    quiesce_on: Command | None = _setting(
        "UPKEEP_QUIESCE_ON",
        "systemctl stop clinic",
        "the command that keeps the application quiet while its database is migrated; unset, nothing is done",
        default=None,
    )
    quiesce_off: Command | None = _setting(
        "UPKEEP_QUIESCE_OFF", "systemctl start clinic", "the command that lets it go on afterwards", default=None
    )
    quiesce_health: Command | None = _setting(
        "UPKEEP_QUIESCE_HEALTH",
        "curl --fail --silent http://localhost:8000/health",
        "the command that ends well when the application does; it is asked afterwards",
        default=None,
    )
    rehearse_downgrade: bool = _setting(
        "UPKEEP_REHEARSE_DOWNGRADE",
        "false",
        "in the rehearsal, is the migration taken back and done once more: true or false",
        default=False,
    )
    lock_seconds: float = _setting(
        "UPKEEP_LOCK_SECONDS", "30", "seconds to wait for the write lock, more than 0", default=30.0, **_POSITIVE
    )
    replica_url: DatabaseUrl | None = _setting(
        "UPKEEP_REPLICA_URL",
        "postgresql+psycopg://upkeep:secret@replica.example:5432/clinic",
        "a replica of the database, looked at on nights without a restore; unset, the database itself is",
        default=None,
    )
    look_seconds: float = _setting(
        "UPKEEP_LOOK_SECONDS",
        "600",
        "seconds that one question may take on such a night, more than 0",
        default=600.0,
        **_POSITIVE,
    )
    postgresql_bin: Place | None = _setting(
        "UPKEEP_POSTGRESQL_BIN",
        "/usr/lib/postgresql/17/bin",
        "the folder of pg_dump and pg_restore; unset, they are looked for",
        default=None,
    )
    mariadb_bin: Place | None = _setting(
        "UPKEEP_MARIADB_BIN",
        "/usr/bin",
        "the folder of mariadb-dump and mariadb, or of mysqldump and mysql; unset, they are looked for",
        default=None,
    )
    ledger_key_file: ExistingFile | None = _setting(
        "UPKEEP_LEDGER_KEY_FILE",
        "ledger.pem",
        "the private Ed25519 key that signs receipts; unset, they are not signed, and say so",
        default=None,
    )
    ledger_public_keys: ExistingFile | None = _setting(
        "UPKEEP_LEDGER_PUBLIC_KEYS",
        "ledger.pub",
        "the public keys that `upkeep ledger verify` trusts; unset, it asks for no signatures",
        default=None,
    )
    ledger_lock: Lock | None = _setting(
        "UPKEEP_LEDGER_LOCK",
        "governance",
        "the object lock of receipts in an S3 bucket that has it: governance, or compliance, which nobody can shorten; "
        "unset, none",
        default=None,
    )
    ledger_lock_days: int = _setting(
        "UPKEEP_LEDGER_LOCK_DAYS",
        "365",
        "days for which a receipt is locked, 1 to 3653: of compliance nobody can take any back",
        default=365,
        ge=1,
        le=3653,
    )
    recipients: Annotated[Recipients, NoDecode] = _setting(
        "UPKEEP_RECIPIENTS",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        "the public age keys, with commas, to which what holds rows is encrypted; unset or none, it is not",
        default=(),
    )
    identity_file: ExistingFile | None = _setting(
        "UPKEEP_IDENTITY_FILE",
        "identity.txt",
        "the private age keys that read older backups; unset, a run reads only what it has itself stored",
        default=None,
    )
    alembic_ini: ExistingFile | None = _setting(
        "UPKEEP_ALEMBIC_INI", "alembic.ini", "the application's own; unset, nothing is migrated", default=None
    )
    alembic_url_env: Annotated[Variables, NoDecode] = _setting(
        "UPKEEP_ALEMBIC_URL_ENV",
        "DATABASE_URL",
        "the variables, with commas, in which env.py looks for the URL of the database to migrate",
        default=("DATABASE_URL",),
    )
    alembic_url_x: Annotated[Words, NoDecode] = _setting(
        "UPKEEP_ALEMBIC_URL_X",
        "url",
        "the names, with commas, under which env.py looks for it among the arguments of alembic -x; unset, none",
        default=(),
    )
    app_python: Program = _setting(
        "UPKEEP_APP_PYTHON",
        "/srv/clinic/.venv/bin/python",
        "the application's interpreter, for Alembic and the models; unset, the one that runs Upkeep",
        default_factory=lambda: Path(sys.executable),
    )
    metadata: Metadata | None = _setting(
        "UPKEEP_METADATA", "app.models:Base.metadata", "the metadata of the application's models", default=None
    )
    app_env: Annotated[PassedOn, NoDecode] = _setting(
        "UPKEEP_APP_ENV", "PYTHONPATH", "more names, with commas, that the application's code may see", default=()
    )

    _passed_on: dict[str, str] = PrivateAttr(default_factory=dict)

    def url_of_database(self) -> str:
        """The URL of the database, password and all; raises Refused where none is set."""
        if self.database_url is None:
            raise Refused(
                "no database is set",
                "set DATABASE_URL in .env or in the environment, or run `upkeep demo` to see an example",
            )
        return self.database_url.get_secret_value()

    def programs_of(self, backend: str) -> Path | None:
        """The folder of an engine's own programs, by the name that SQLAlchemy has for the engine; None if not set."""
        folders = {"postgresql": self.postgresql_bin, "mariadb": self.mariadb_bin, "mysql": self.mariadb_bin}
        return folders.get(backend)

    def application_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of the application's subprocess: what any program needs, ``app_env``, and ``extra``.

        The application's code runs there, so no secret of Upkeep's and no live URL goes along unless it stands in
        ``extra`` (P-87, P-88).
        """
        return self._passed_on | dict(extra)


def load_settings(env_file: Path | None = None) -> Settings:
    """The settings from the environment and, behind it, from ``env_file`` (`.env` of the working folder if None).

    Raises Refused with all that is wrong and what to write instead, and never with a value. boto3 reads the process's
    environment and nothing else, so the AWS_* names of the file are put there.
    """
    path = env_file or Path(".env")
    if env_file is not None and not env_file.is_file():
        raise Refused(f"there is no settings file {env_file}", "copy .env.example there and fill it in")
    written, wrong = _read(path) if path.is_file() else ({}, [])
    around = written | dict(os.environ)
    try:
        settings = Settings(_env_file=path)
    except ValidationError as error:
        wrong = _wrong_values(error) + wrong
    wrong += [_unknown(name) for name in sorted(around) if OURS.match(name) and name not in _KNOWN]
    if wrong:
        count = "one setting is wrong" if len(wrong) == 1 else f"{len(wrong)} settings are wrong"
        raise Refused(f"{count}: {'; '.join(what for what, _ in wrong)}", "; ".join(instead for _, instead in wrong))
    settings._passed_on = {
        name: value for name, value in around.items() if _PASSED_ON.fullmatch(name) or name in settings.app_env
    }
    for name in (name for name in written if name.startswith("AWS_")):
        os.environ.setdefault(name, written[name])
    return settings


_KNOWN: dict[str, FieldInfo] = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def _read(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The names and values of an env file, and each line of it that is none: python-dotenv would step over those."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{path} cannot be read: {type(error).__name__}", "make it a text file in UTF-8 that you may read"
        ) from None
    written = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}
    faulty = [line for line in parse_stream(StringIO(text)) if line.error or (line.key and line.value is None)]
    instead = "write NAME=value there, or # before it"
    return written, [(f"line {line.original.line} of {path} is no setting", instead) for line in faulty]


def _wrong_values(error: ValidationError) -> list[tuple[str, str]]:
    """Each wrong value in words, and what to write instead; the value itself may be a secret in the wrong place."""
    wrong = []
    for fault in error.errors(include_input=False, include_url=False):
        name, context = str(fault["loc"][0]), fault.get("ctx", {})
        wording = "{error}" if fault["type"] == "value_error" else _WORDING.get(fault["type"], "cannot be used")
        field = _KNOWN[name]
        wrong.append(
            (f"{name} {wording.format(**context)}", f"write {name}={(field.examples or [''])[0]} ({field.description})")
        )
    return wrong


def _unknown(name: str) -> tuple[str, str]:
    """A name that looks like ours and is none: most likely it is mistyped."""
    words = {known.removeprefix("UPKEEP_"): known for known in _KNOWN}  # the common beginning would make all look alike
    near = difflib.get_close_matches(name.upper().removeprefix("UPKEEP_"), words, n=1)
    return f"{name} is no setting", f"write {words[near[0]]}" if near else f"remove {name}: .env.example has every name"
