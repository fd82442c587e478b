"""The settings: each with its name, its kind, what it says and what it is where nobody has set it."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from upkeep.errors import Refused
from upkeep.setting_kinds import (
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

_POSITIVE = {"gt": 0, "allow_inf_nan": False}


PASSED_ON = re.compile(r"PATH|HOME|LANG|LC_[A-Z]+|TZ|VIRTUAL_ENV")


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
        "the folder for throw-away databases and large plans; unset, upkeep-<uid> among the system's temporary files",
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

    def passing_on(self, names: Mapping[str, str]) -> "Settings":
        """The same, with what its programs need of the environment around."""
        passed = {name: value for name, value in names.items() if PASSED_ON.fullmatch(name) or name in self.app_env}
        settings = self.model_copy()
        settings._passed_on = passed
        return settings

    def application_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of the application's subprocess: what any program needs, ``app_env``, and ``extra``.

        The application's code runs there, so no secret of Upkeep's and no live URL goes along unless it stands in
        ``extra`` (P-87, P-88).
        """
        return self._passed_on | dict(extra)
