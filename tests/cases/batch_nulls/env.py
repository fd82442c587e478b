"""An env.py as applications have it that enforce foreign keys on every connection."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine, event, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)


@event.listens_for(engine, "connect")
def enforce(connection: Any, _record: Any) -> None:
    """As SQLAlchemy's documentation shows it."""
    connection.execute("PRAGMA foreign_keys = ON")


with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
