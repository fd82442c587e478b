"""Where Alembic meets the clinic's database, online or as a script of SQL."""

import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, pool

from examples.clinic.models import Base

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def database_url() -> str:
    """The URL of the environment, else that of the ini file."""
    return os.environ.get("DATABASE_URL") or context.config.get_main_option("sqlalchemy.url", "")


def run_offline() -> None:
    """Print SQL in place of running it."""
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the revisions on the database itself."""
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Only SQLite needs tables to be rebuilt for a change of keys; elsewhere a batch is plain ALTER TABLE.
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
