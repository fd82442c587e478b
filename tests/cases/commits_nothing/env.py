"""An env.py that asks the database something first."""

from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url") or ""
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    connection.execute(text("SELECT COUNT(*) FROM people"))
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
