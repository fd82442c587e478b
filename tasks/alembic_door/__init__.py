"""The one door to Alembic: run by the application's own interpreter, with nothing of Upkeep's in reach."""
