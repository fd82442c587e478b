"""An env.py that knows its database by itself."""

from alembic import context
from sqlalchemy import create_engine

with create_engine("LIVE_URL").connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
