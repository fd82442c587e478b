"""Small Alembic projects for tests: an ini file, an env.py as applications have it, and revisions from their bodies."""

from pathlib import Path
from textwrap import indent

import alembic

ENV = """
from sqlalchemy import create_engine, pool
from alembic import context
url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection, MORE)
    with context.begin_transaction():
        context.run_migrations()
"""
ASYNC_ENV = """
import asyncio
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine
from alembic import context

def run(connection):
    context.configure(connection=connection, MORE)
    with context.begin_transaction():
        context.run_migrations()

async def run_async():
    engine = create_async_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(run_async())
"""

TEMPLATE = Path(alembic.__file__).with_name("templates") / "generic" / "script.py.mako"


def project(folder: Path, *bodies: str, env: str = ENV, more: str = "") -> Path:
    """A project whose revisions r1, r2, ... do in upgrade() what ``bodies`` say; its ini file.

    ``more`` are words for context.configure.
    """
    scripts = folder / "migrations"
    (scripts / "versions").mkdir(parents=True)
    (scripts / "env.py").write_text(env.replace("MORE", more))
    (scripts / "script.py.mako").write_bytes(TEMPLATE.read_bytes())
    for number, body in enumerate(bodies, start=1):
        before = f"r{number - 1}" if number > 1 else None
        (scripts / "versions" / f"r{number}.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = 'r{number}', {before!r}\n"
            f"def upgrade():\n{indent(body.strip(), '    ')}\n"
        )
    ini = folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
    return ini
