"""The shape of a database: tables, columns and foreign keys as the engine declares them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Column:
    """One column: its declared type as written, whether it may be NULL, its default as SQL text.

    ``kind`` is the family of its type by the engine's own reckoning: what a foreign key joins should be of one kind.
    """

    name: str
    type: str
    nullable: bool = True
    generated: bool = False
    default: str | None = None
    kind: str = field(default="", compare=False)


@dataclass(frozen=True)
class Trigger:
    """One trigger of a table and the statement that fires it: INSERT, UPDATE or DELETE."""

    name: str
    event: str


@dataclass(frozen=True)
class Index:
    """One index. A column is None where equality cannot be looked up by it: an expression, a part of a long text.

    ``is_whole``: it holds every row that such a look may want, which one with a WHERE does not.
    """

    name: str
    columns: tuple[str | None, ...]
    is_unique: bool = False
    is_whole: bool = True

    def serves(self, columns: tuple[str, ...]) -> bool:
        """Are the rows with given values in ``columns`` found by it without others being read?

        Its first columns serve in whatever order they stand; one that is unique over some of them leaves no other row.
        """
        led = self.columns[: len(columns)]
        is_narrow = self.is_unique and set(self.columns) <= set(columns)
        return self.is_whole and (is_narrow or set(led) == set(columns))


@dataclass(frozen=True)
class Table:
    """One table. ``locator`` names the columns that tell every row apart; () where the engine has none (P-118).

    ``unnamed_checks`` are the CHECKs without a name; () where the engine gives each one itself.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    locator: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    indexes: tuple[Index, ...] = ()
    unnamed_checks: tuple[str, ...] = ()

    @property
    def uniques(self) -> tuple[tuple[str, ...], ...]:
        """Sets of columns whose values no two rows share, as far as the primary key or an index over all rows says."""
        plain = (index.columns for index in self.indexes if index.is_unique and index.is_whole)
        named = [tuple(name for name in columns if name is not None) for columns in plain if None not in columns]
        return (*([self.primary_key] if self.primary_key else []), *named)

    def column(self, name: str) -> Column | None:
        """The column of this name, compared as the engine spelt it."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def stored(self) -> tuple[str, ...]:
        """The names of the columns that hold a value of their own."""
        return tuple(column.name for column in self.columns if not column.generated)


@dataclass(frozen=True, order=True)
class Comparison:
    """How the engine compares one pair of columns: SQL that follows each of them, and the operator between (P-43)."""

    operator: str
    after_parent: str = ""
    after_child: str = ""


@dataclass(frozen=True, order=True)
class ForeignKey:
    """child(columns) -> parent(parent_columns), declared in the schema or stated in the policy.

    ``fault`` says why the engine itself cannot use the key (parent not unique, parent column missing, ...); then
    ``askable`` says whether its orphans can be counted all the same. ``parent_missing``: the parent table is gone.
    ``collations`` are what the engine compares each pair by where it does not take those of the parent's columns.
    ``comparisons`` are the engine's own, pair by pair, where it names them; () where the dialect's serves every key.
    ``is_full``: MATCH FULL, by which a composite key that is NULL in part is a violation.
    ``alike``: both sides hold values of one kind, so that a plain comparison, for which an index of the child's serves,
    says the same as the engine's own.
    ``single``: no row of the child can find two parents; False where that is not known.
    ``indexed``: the child's rows that point at one parent are found without reading the whole table.
    ``when`` is a column of the child and what it must say, as text, for the key to hold: the type of a polymorphic one.
    ``elements``: its one column is an array, written with [] at its end, and each element of it points.
    ``deleted`` is a column of the parent that is filled in where the row is only marked as deleted: orphans of such a
    key are those that point at a row which is there and so marked.
    ``stated_by`` says who states a key that the schema does not declare: the policy, the models. ``meant`` is the key
    as they say that a declared one should be, where it points elsewhere (P-108); ``confirmed``: they say the same.
    ``names`` are those of its constraints, several where it is declared more than once, '' for one that has none.
    ``validated``: the engine holds that all rows keep it, which proves nothing (P-46). ``emptied``: the columns that
    ON DELETE SET NULL or SET DEFAULT is about; () where it is about all of them. ``last_in`` is the newest backup that
    declares a key which went with its parent table, where nobody else knows of it.
    """

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    ondelete: str = "NO ACTION"
    declared: bool = True
    parent_missing: bool = False
    fault: str | None = None
    askable: bool = True
    collations: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    is_full: bool = False
    alike: bool = field(default=False, compare=False)
    single: bool = field(default=False, compare=False)
    indexed: bool = field(default=True, compare=False)
    when: tuple[str, str] | None = None
    deleted: str = ""
    elements: bool = False
    stated_by: str = field(default="", compare=False)
    meant: "ForeignKey | None" = field(default=None, compare=False)
    confirmed: bool = field(default=False, compare=False)
    names: tuple[str, ...] = field(default=(), compare=False)
    validated: bool = field(default=True, compare=False)
    emptied: tuple[str, ...] = field(default=(), compare=False)
    last_in: str = field(default="", compare=False)

    def with_twin(self, other: "ForeignKey") -> "ForeignKey":
        """This key, also by the names of another declaration of the same."""
        return replace(self, names=(*self.names, *other.names), validated=self.validated and other.validated)

    def __str__(self) -> str:
        plain = f"{self.child}({', '.join(self.columns)}) -> {self.parent}({', '.join(self.parent_columns)})"
        kind = f" where {self.when[0]} is {self.when[1]}" if self.when else ""
        return f"{plain}{kind}{f' unless {self.deleted}' if self.deleted else ''}"

    @property
    def read(self) -> tuple[str, ...]:
        """The columns of the child that decide whether a row is an orphan."""
        return tuple(dict.fromkeys((*self.columns, *(self.when[:1] if self.when else ()))))

    @property
    def array(self) -> str:
        """The array whose elements point, as the table names it."""
        return self.columns[0].removesuffix("[]")

    def is_apart_from(self, other: "ForeignKey") -> bool:
        """Can no row be an orphan of both? Then what mends the one is no matter to the other."""
        if (self.child, self.columns) != (other.child, other.columns):
            return False
        is_twin = (self.parent, self.parent_columns) == (other.parent, other.parent_columns)
        if self.when != other.when:
            return bool(self.when and other.when and self.when[0] == other.when[0])
        return is_twin and bool(self.deleted) != bool(other.deleted)


@dataclass(frozen=True, order=True)
class Part:
    """One thing that a schema says, by its kind and name: ``table`` is empty for what belongs to none.

    ``column``: the name of the one that it is said of, where it is said of one alone.
    """

    kind: str
    name: str = ""
    table: str = ""
    column: str = ""

    def __str__(self) -> str:
        if self.column:
            return (
                f"{self.kind} {self.table}.{self.column}"
                if self.kind == "column"
                else (f"{self.kind} of {self.table}.{self.column}")
            )
        told = f"{self.kind} {self.name}".rstrip()
        return f"{told} of {self.table}" if self.table else told


@dataclass(frozen=True)
class Catalog:
    """All tables and declared foreign keys of one database, by name; ``schema_digest`` is over its whole DDL."""

    tables: dict[str, Table] = field(default_factory=dict)
    keys: tuple[ForeignKey, ...] = ()
    schema_digest: str = ""

    def children_of(self, parent: str, keys: tuple[ForeignKey, ...]) -> tuple[ForeignKey, ...]:
        """Those of ``keys`` that point at the table ``parent``."""
        return tuple(key for key in keys if key.parent == parent)


def told_once(keys: Iterable[ForeignKey]) -> tuple[ForeignKey, ...]:
    """The keys in their order; one that is declared more than once stands once, with all its names."""
    found: dict[ForeignKey, ForeignKey] = {}
    for key in keys:
        found[key] = found[key].with_twin(key) if key in found else key
    return tuple(found.values())


def tables_below(tables: Collection[str], keys: Iterable[ForeignKey]) -> dict[str, set[str]]:
    """Each table with those among ``tables`` that point at it, directly or through each other; itself included.

    A table that points at another has fewer below it, unless the two point at each other in a circle.
    """
    pointing: dict[str, set[str]] = {name: set() for name in tables}
    for key in keys:
        if key.child in pointing and key.parent in pointing:
            pointing[key.parent].add(key.child)
    below = {}
    for name in tables:
        found, waiting = {name}, [name]
        while waiting:
            new = pointing[waiting.pop()] - found
            found |= new
            waiting.extend(new)
        below[name] = found
    return below
