"""What a linter of the engine's says of the revisions that are pending: hints, which stop nothing."""

from pathlib import Path

from tasks.step import step
from upkeep.equipment import Equipment
from upkeep.plan import Migration
from upkeep.revisions import Lint


@step("lint")
def lint(equipment: Equipment, migration: Migration) -> tuple[Lint, ...]:
    """One answer for each revision, by their order; () where the engine has no linter.

    Its own settings are looked for in the folder of the application's Alembic project.
    """
    ini = equipment.settings.alembic_ini
    folder = ini.parent if ini else Path.cwd()
    return equipment.database.lint([revision.sql for revision in migration.revisions], folder)
