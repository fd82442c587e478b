"""How each engine is brought to take what its foreign keys forbid."""

from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

from examples.clinic.models import Base
from examples.clinic.references import MISDECLARED_TO, modelled

RIGHT = {(reference.child, reference.column): reference.parent for reference in modelled()}
NUMBERED = tuple(name for name, table in Base.metadata.tables.items() if "id" in table.columns)


class Bypass(Protocol):
    """What differs from engine to engine for a writer who does not care about keys."""

    def is_taken(self, engine: Engine) -> bool:
        """Whether anything stands where the clinic is to be built."""

    def begin(self, connection: Connection) -> None:
        """Have no key of this connection enforced."""

    def end(self, connection: Connection) -> None:
        """Leave the schema as one would find it after such writing; to be committed."""

    def misdeclare(self, connection: Connection) -> None:
        """Point the keys of ``MISDECLARED_TO`` at the wrong tables while the database is empty."""


class Sqlite:
    """SQLite enforces nothing unless it is asked to."""

    def is_taken(self, engine: Engine) -> bool:
        """Is there a file that holds anything?"""
        file = Path(engine.url.database or "")
        return file.exists() and file.stat().st_size > 0

    def begin(self, connection: Connection) -> None:
        """Switch keys off in so many words; nor is there a need to wait for the disk."""
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("PRAGMA synchronous = OFF")

    def end(self, connection: Connection) -> None:
        """Nothing was changed for the writing."""

    def misdeclare(self, connection: Connection) -> None:
        """Build the tables again: SQLite cannot change a key."""
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
        for (table, column), wrong in MISDECLARED_TO.items():
            said = f"FOREIGN KEY({column}) REFERENCES "
            right = f"{said}{RIGHT[table, column]} "
            statements = connection.exec_driver_sql(made, (table,)).scalars().all()
            connection.exec_driver_sql(f"DROP TABLE {table}")
            for statement in statements:
                connection.exec_driver_sql(statement.replace(right, f"{said}{wrong} "))


class Postgresql:
    """PostgreSQL enforces keys by triggers, which a superuser's session passes over as a replica's does.

    The keys then say that they are valid and are not (P-46). Who is no superuser loads as importing scripts do: the
    keys are dropped before and added NOT VALID after (P-14).
    """

    def __init__(self) -> None:
        self.dropped: list[tuple[str, str, str]] = []

    def is_taken(self, engine: Engine) -> bool:
        """Is there a table, view or sequence that belongs neither to the engine nor to an extension?"""
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS"
                    " (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))"
                )
            )
            return bool(found.scalar_one())

    def begin(self, connection: Connection) -> None:
        """Be a replica, or drop the keys and remember them."""
        if connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
            connection.execute(text("SET session_replication_role = replica"))
            return
        keys = connection.execute(
            text(
                "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE contype = 'f' ORDER BY 1, 2"
            )
        )
        self.dropped = [(table, name, said.removesuffix(" NOT VALID")) for table, name, said in keys]
        for table, name, _ in self.dropped:
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))

    def end(self, connection: Connection) -> None:
        """Add the dropped keys NOT VALID, and let the sequences go on after the numbers that were given."""
        for table, name, said in self.dropped:
            connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {said} NOT VALID"))
        for table in NUMBERED:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"))

    def misdeclare(self, connection: Connection) -> None:
        """Put other keys under the same names."""
        for (table, column), wrong in MISDECLARED_TO.items():
            name = f"fk_{table}_{column}"
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
            key = f"FOREIGN KEY ({column}) REFERENCES {wrong} (id)"
            connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}"))


class Mariadb:
    """MariaDB and MySQL have a switch for each session."""

    def is_taken(self, engine: Engine) -> bool:
        """Is there a table or a view?"""
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()")
            )
            return bool(found.scalar_one())

    def begin(self, connection: Connection) -> None:
        """Use the switch."""
        connection.execute(text("SET foreign_key_checks = 0"))

    def end(self, connection: Connection) -> None:
        """Nothing was changed for the writing."""

    def misdeclare(self, connection: Connection) -> None:
        """Put other keys under the same names, in two statements: in one MariaDB finds the name taken."""
        for (table, column), wrong in MISDECLARED_TO.items():
            name = f"fk_{table}_{column}"
            connection.execute(text(f"ALTER TABLE {table} DROP FOREIGN KEY {name}"))
            key = f"FOREIGN KEY ({column}) REFERENCES {wrong} (id)"
            connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}"))


ENGINES: dict[str, type[Bypass]] = {
    "sqlite": Sqlite,
    "postgresql": Postgresql,
    "mysql": Mariadb,
    "mariadb": Mariadb,
}
