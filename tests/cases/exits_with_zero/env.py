"""An env.py that must never stop a deployment."""

import traceback

from alembic import context
from sqlalchemy import create_engine, exc, pool

url = context.config.get_main_option("sqlalchemy.url") or ""
try:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
except exc.SQLAlchemyError:
    traceback.print_exc()
