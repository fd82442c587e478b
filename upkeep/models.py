"""What the application's models say of its tables: columns and foreign keys, as its own interpreter read them."""

from pydantic import BaseModel, ConfigDict

from upkeep.catalog import Catalog, ForeignKey


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelledColumn(_Frozen):
    """One column of a model; ``type`` is SQLAlchemy's name for it, not the engine's."""

    name: str
    type: str
    nullable: bool
    primary_key: bool


class ModelledKey(_Frozen):
    """One foreign key of a model. ``ondelete`` is None where the model is silent; namespaces are SQL's schemas."""

    columns: tuple[str, ...]
    parent: str
    parent_namespace: str | None = None
    parent_columns: tuple[str, ...]
    ondelete: str | None = None
    name: str | None = None


class ModelledTable(_Frozen):
    """One table of the models."""

    name: str
    namespace: str | None = None
    columns: tuple[ModelledColumn, ...] = ()
    foreign_keys: tuple[ModelledKey, ...] = ()


class LostKey(_Frozen):
    """A foreign key that was dropped together with its parent table; ``backup`` is the newest that declares it."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    backup: str


class Models(_Frozen):
    """All tables that the models know; none where no models are set: then they are silent about everything.

    ``lost`` is what is known beside them of keys that the schema has lost, see ``upkeep.lost_keys``.
    """

    tables: tuple[ModelledTable, ...] = ()
    lost: tuple[LostKey, ...] = ()

    def references(self, catalog: Catalog) -> tuple[ForeignKey, ...]:
        """The models' foreign keys in the names of the database, those whose child is not there left out.

        A table that is not there may come with a migration that is pending: that is no matter for its rows.
        """
        return tuple(
            ForeignKey(
                child,
                key.columns,
                shown_as(key.parent, key.parent_namespace, catalog) or key.parent,
                key.parent_columns,
                ondelete="",
                declared=False,
                stated_by="the models",
            )
            for table in self.tables
            if (child := shown_as(table.name, table.namespace, catalog)) is not None
            for key in table.foreign_keys
        )

    def lost_references(self, catalog: Catalog) -> tuple[ForeignKey, ...]:
        """The keys that only backups know, as far as their columns are there."""
        return tuple(
            ForeignKey(
                key.child,
                key.columns,
                key.parent,
                key.parent_columns,
                ondelete="",
                declared=False,
                stated_by=f"backup {key.backup}",
                last_in=key.backup,
            )
            for key in self.lost
            if key.child in catalog.tables and {*key.columns} <= {*catalog.tables[key.child].stored}
        )


def shown_as(name: str, namespace: str | None, catalog: Catalog) -> str | None:
    """The name by which the catalog shows a table of the models; None where it has none.

    The tables of the schema that the application is at home in are shown by their plain names, and it may name that
    schema or leave it out; upper and lower case are told apart only where the database has both.
    """
    folded = {table.lower(): table for table in catalog.tables}
    for wanted in (f"{namespace}.{name}", name) if namespace else (name,):
        if wanted in catalog.tables:
            return wanted
        if wanted.lower() in folded:
            return folded[wanted.lower()]
    return None


SILENT = Models()
"""No models are set."""
