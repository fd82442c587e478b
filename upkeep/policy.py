"""What may be done to which orphans, and what every foreign key should say on delete; silence means keep."""

import re
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from upkeep.catalog import ForeignKey


class Action(StrEnum):
    """What a repair does to one row."""

    KEEP = "keep"
    NULLIFY = "nullify"
    DELETE = "delete"
    RESTORE = "restore"
    REASSIGN = "reassign"


OnDelete = Literal["NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT", "CASCADE"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Limits(_Frozen):
    """A plan beyond them is refused, whoever approves: rows in all, and share (0 to 1) of any one table."""

    rows: int = Field(default=500, ge=0)
    share: float = Field(default=0.05, ge=0, le=1)


Restores = Literal["nightly", "weekly", "never"]


class Run(_Frozen):
    """What a run does: ``snapshot`` says how often a night restores its backup, which alone proves it.

    ``look_back`` is how many older backups that no run has looked into a night brings back, each once, to see whether
    the number of a row was given to another since.
    """

    snapshot: Restores = "nightly"
    look_back: int = Field(default=1, ge=0)


NONE_MEANT = ("0", "-1", "", "00000000-0000-0000-0000-000000000000")
"""What many programs write into a pointer that points at nothing (P-117)."""


class Approving(_Frozen):
    """Who may approve: with ``two_persons`` nobody what they asked for themselves, but by breaking the glass."""

    two_persons: bool = False


class Diagnosing(_Frozen):
    """How orphans are judged: ``sentinels`` are the values that mean none, as text, in place of the usual ones."""

    sentinels: tuple[str, ...] = NONE_MEANT


class Checking(_Frozen):
    """What `upkeep check` compares with: ``baseline`` is a file beside the policy, or ``latest`` for the last run."""

    baseline: str | None = None


_COLUMNS = re.compile(r"^(?P<table>[^()]+)\((?P<columns>[^()]+)\)$")


class Columns(_Frozen):
    """Columns of one table, written ``table.column`` or ``table(column, column)``.

    ``elements``: written ``table.column[]``, an array of which each element points.
    """

    table: str
    columns: tuple[str, ...]
    elements: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """The column, if it is an array."""
        return self.columns if self.elements else ()

    def __str__(self) -> str:
        return f"{self.table}({', '.join(self.columns)}{'[]' if self.elements else ''})"


def _columns(text: object) -> object:
    if not isinstance(text, str):
        return text
    if several := _COLUMNS.match(text):
        names = tuple(name.strip() for name in several["columns"].split(","))
        if all(names):
            return {"table": several["table"].strip(), "columns": names}
    table, dot, column = text.removesuffix("[]").rpartition(".")
    if not dot or not table or not column or several:
        raise ValueError("write it as table.column or table(column, column)")
    return {"table": table, "columns": (column,), "elements": text.endswith("[]")}


_ColumnsText = Annotated[Columns, BeforeValidator(_columns, json_schema_input_type=str)]


class Reference(_Frozen):
    """Foreign keys that the schema does not declare.

    ``from`` may have globs: "*.patient_id"; "visits.tag_ids[]" is an array, each element of which points. Where another
    column says of what kind the row is that is pointed at, ``type`` is that column, and ``types`` says for each word in
    it where it points, in place of ``to``. ``deleted`` is a column of the parent that is filled in where the row is
    only marked as deleted: who points at such a one is an orphan too.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["to"]}, {"required": ["type", "types"]}]})

    child: _ColumnsText = Field(alias="from")
    parent: _ColumnsText | None = Field(alias="to", default=None)
    type: str | None = None
    types: dict[str, _ColumnsText] = {}
    deleted: str | None = None

    @model_validator(mode="after")
    def _match(self) -> Self:
        if (self.parent is None) == (not self.types) or (self.type is None) == bool(self.types):
            raise ValueError("write to, or else type and types")
        if self.child.elements and (self.types or self.deleted):
            raise ValueError(f"of the elements of {self.child} only to is asked, neither types nor deleted")
        for parent in filter(None, (self.parent, *self.types.values())):
            if parent.elements:
                raise ValueError(f"{parent}: only from may be an array")
            if len(self.child.columns) != len(parent.columns):
                raise ValueError(f"{self.child} and {parent} have not the same number of columns")
        return self


class Rule(_Frozen):
    """For foreign keys whose child and parent match the globs: what to do with orphans, and the ON DELETE wanted.

    ``owner`` is who sees to what stays open of these keys, by an office or a name; it stands in receipts and reports.
    ``enforce``, in a rule for one very key alone: let the database refuse new orphans of it from the clean-up on.
    """

    child: str
    parent: str = "*"
    orphan: tuple[Action, ...] = (Action.KEEP,)
    ondelete: OnDelete | None = None
    why: str = ""
    owner: str = ""
    restore_unproven: bool = False
    enforce: bool = False
    reassign_to: int | str | dict[str, int | str] | None = None

    @model_validator(mode="after")
    def _names_a_parent(self) -> Self:
        if Action.REASSIGN in self.orphan and self.reassign_to is None:
            raise ValueError("reassign needs to know to whom: write reassign_to = {id = 1}")
        if self.reassign_to is not None and Action.REASSIGN not in self.orphan:
            raise ValueError("reassign_to is written, but reassign is not among the actions")
        return self

    def named_parent(self, key: ForeignKey) -> tuple[int | str, ...]:
        """What the row that orphans are reassigned to has in ``key``'s parent columns; () where that is not named."""
        if isinstance(self.reassign_to, dict):
            named = [self.reassign_to[column] for column in key.parent_columns if column in self.reassign_to]
        else:
            named = [] if self.reassign_to is None else [self.reassign_to]
        return tuple(named) if len(named) == len(key.parent_columns) else ()

    def matches(self, key: ForeignKey) -> bool:
        """Does this rule speak of ``key``? Globs are over ``table`` or ``table.column``, upper and lower case alike."""
        columns = (*key.columns, key.array) if key.elements else key.columns
        return _meets(self.child, key.child, columns) and _meets(self.parent, key.parent, key.parent_columns)

    @model_validator(mode="after")
    def _enforce_one(self) -> Self:
        if self.enforce and not (self._is_plain and "." in self.child):
            raise ValueError('enforce is for one very key: write child = "table.column" and parent = "table"')
        return self

    @property
    def _is_plain(self) -> bool:
        return not any(sign in self.child.removesuffix("[]") + self.parent for sign in "*?[")

    def names(self, key: ForeignKey) -> bool:
        """Was this rule written for that very key: child as table.column and parent, both without globs?"""
        return self._is_plain and self.matches(key) and self.child.lower() != key.child.lower()


def _meets(glob: str, table: str, columns: tuple[str, ...]) -> bool:
    names = [table, *(f"{table}.{column}" for column in columns)]
    return any(fnmatchcase(name.lower(), glob.lower()) for name in names)


class Tombstones(_Frozen):
    """Rows of a table that are never put back: people who asked to be erased, duplicates that were merged (P-71).

    Those whose ``keys`` are listed, and those whose keys the ``query`` gives, which is asked of the database as it is
    today; all rows of the table where there is neither.
    """

    table: str
    keys: tuple[int | str | tuple[int | str, ...], ...] = ()
    query: str = ""


class Policy(_Frozen):
    """One database's policy. The default is silence: nothing may be changed."""

    run: Run = Run()
    limits: Limits = Limits()
    approval: Approving = Approving()
    diagnosis: Diagnosing = Diagnosing()
    check: Checking = Checking()
    reference: tuple[Reference, ...] = ()
    tombstone: tuple[Tombstones, ...] = ()
    rule: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _takes_nothing_out_of_arrays(self) -> Self:
        arrays = {f"{one.child.table}.{column}".lower() for one in self.reference for column in one.child.arrays}
        for number, rule in enumerate(self.rule, start=1):
            named = rule.child.removesuffix("[]").lower()
            if named in arrays and (rule.enforce or any(action is not Action.KEEP for action in rule.orphan)):
                said = "of the elements of an array only keep is possible, and no database enforces them"
                raise ValueError(f"rule {number} speaks of {named}[]: {said}")
        return self

    def rule_for(self, key: ForeignKey) -> tuple[int | None, Rule]:
        """The first rule that matches and its number, counted from 1; without one (None, a rule that keeps)."""
        for number, rule in enumerate(self.rule, start=1):
            if rule.matches(key):
                return number, rule
        return None, Rule(child="*", why="the policy is silent")

    def keeps(self, key: ForeignKey) -> bool:
        """Are the orphans of ``key`` kept, because a rule says so or because none speaks of them?"""
        return all(action is Action.KEEP for action in self.rule_for(key)[1].orphan)

    @property
    def silent(self) -> "Policy":
        """This policy without its rules: nothing is repaired by it."""
        return self.model_copy(update={"rule": ()})

    def idle_rules(self, keys: tuple[ForeignKey, ...]) -> tuple[int, ...]:
        """Numbers of the rules that meet no key of the database: most often a misspelt name."""
        met = {number for key in keys if (number := self.rule_for(key)[0])}
        return tuple(n for n, rule in enumerate(self.rule, 1) if n not in met and not any(map(rule.matches, keys)))


SILENCE = Policy()
"""No policy is set: every row is kept."""
