"""Alembic projects that hurt: each a folder with the database that it meets, its revisions, and how it must end."""
