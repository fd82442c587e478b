"""Doing what a plan says inside one transaction: the one function that rehearses and performs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, groupby

from upkeep.astray import as_foreseen, foresee
from upkeep.catalog import Catalog, ForeignKey
from upkeep.changes import CHANGES, Change, Mended, Refusal, RowsRefused
from upkeep.databases import Writing
from upkeep.errand_groups import Group, Locators, Setting, groups_of
from upkeep.errands import Errand
from upkeep.errors import Refused, RowRefused, TransactionEnded
from upkeep.gathered import ROWS, Gathered
from upkeep.outdated import Outdated, told
from upkeep.plan import Plan
from upkeep.policy import Action
from upkeep.rechecks import nobody_left_behind, not_healed, still_orphans, unchanged
from upkeep.rows import images_of
from upkeep.set_anew import Triggered
from upkeep.spilled import Form, Spilled
from upkeep.telling import SILENCE, Tell
from upkeep.values import Row, in_pieces

Image = Row | None
_IMAGES: Form[Image] = Form(lambda image: (image,), lambda plain: plain[0])


def mend(writing: Writing, plan: Plan, keys: tuple[ForeignKey, ...], tell: Tell = SILENCE) -> Mended:
    """Check every row of the plan, change it, and compare with what was promised.

    Raises Refused, with the row named, if one is no longer what it was when the plan was drawn up, or if somebody
    points at a row that would go; RowsRefused if the database refuses. The caller's transaction is then undone.
    """
    catalog, errands = writing.catalog(), plan.errands.of_rows
    with ExitStack() as stack:
        if astray := foresee(writing, plan, keys) if plan.undo else None:
            # Before any row is held: tables are locked for it, and who held one of those rows would wait for us.
            stack.enter_context(writing.unenforced(astray.passed_over))
        _hold(writing, catalog, plan, keys)
        before = Spilled(_before(writing, catalog, errands, tell), _IMAGES)
        if astray is None:
            still_orphans(writing, catalog, plan, keys)
            nobody_left_behind(writing, catalog, plan, keys)
        begun = writing.changed_in_all()
        _refuse(_all_applied(writing, catalog, plan, keys, tell))
        done = writing.changed_in_all() - begun
        _refuse(not_healed(writing, catalog, plan, keys))
        left = astray.counted(writing) if astray else ()
        as_foreseen(plan, left)
    return Mended(Spilled(_changes(writing, catalog, plan, before, tell), CHANGES), done, left)


def _refuse(refusals: Iterable[Refusal]) -> None:
    if several := tuple(dict.fromkeys(refusals)):
        raise RowsRefused(several)


def _all_applied(
    writing: Writing, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...], tell: Tell
) -> Iterator[Refusal]:
    """Change group after group; who refused."""
    triggered, is_back = Triggered(catalog, keys), False
    for group in groups_of(plan.errands, catalog, keys):
        if is_back and group.action is not Action.RESTORE and not plan.undo:
            still_orphans(writing, catalog, plan, keys, with_healed=False)
            is_back = False
        is_back = is_back or group.action is Action.RESTORE
        yield from _apply(writing, group, _may_differ(plan, group.table.name), triggered, tell)


def _may_differ(plan: Plan, table: str) -> frozenset[str]:
    """The columns that triggers set whenever a row of the table changes, as the plan says."""
    return plan.undo.may_differ(table) if plan.undo else frozenset()


def _hold(writing: Writing, catalog: Catalog, plan: Plan, keys: tuple[ForeignKey, ...]) -> None:
    """Lock the plan's rows, and the tables into which a parent could come back."""
    changing = [name for name in plan.errands.rows_of if name in catalog.tables]
    rows: dict[str, Collection[Row]] = {name: Locators(plan.errands.of_table(name)) for name in changing}
    for name, finding in Gathered((one.table, one.row) for one in plan.healed).items():
        rows[name] = Spilled(chain(rows.get(name, ()), finding), ROWS)
    orphaned = {key for key, _, action, is_first in plan.errands.pairs if is_first or action is Action.RESTORE}
    writing.hold(rows, {key.parent for key in keys if str(key) in orphaned and not key.parent_missing})


def _by_piece(errands: Iterable[Errand]) -> Iterator[tuple[str, list[Errand]]]:
    """The errands of one table after the other, so many at a time as one statement names."""
    for name, several in groupby(errands, lambda errand: errand.table):
        for piece in in_pieces(several):
            yield name, piece


def _before(writing: Writing, catalog: Catalog, errands: Iterable[Errand], tell: Tell) -> Iterator[Image]:
    """Every row of the plan as it is now, None for one that is to come; Refused unless each is what it was."""
    outdated = Outdated()
    for name, piece in _by_piece(errands):
        yield from unchanged(writing, catalog, name, piece, outdated)
        tell("checked", len(piece))
    outdated.refuse()


def _apply(
    writing: Writing, group: Group, may_differ: frozenset[str], triggered: Triggered, tell: Tell
) -> list[Refusal]:
    """Change the group, piece by piece; where one is refused, find out by whom, by halves. The answer is who refused.

    Row by row would be as many statements as a large plan has rows.
    """
    refusals: list[Refusal] = []
    for piece in group.pieces:
        remaining = [piece]
        while remaining:
            rows = remaining.pop()
            try:
                _change(writing, group, rows)
            except TransactionEnded as fault:
                # Nothing is left to try the others in, and what came next would be committed at once (P-119).
                untried = [one.row for part in chain([rows], remaining, group.pieces) for one in part]
                raise RowsRefused((*refusals, *(_refusal(group, row, fault.message) for row in untried))) from None
            except RowRefused as fault:
                if len(rows) == 1:
                    refusals.append(_refusal(group, rows[0].row, fault.message))
                else:
                    middle = len(rows) // 2
                    remaining += [rows[middle:], rows[:middle]]
            else:
                refusals += triggered.once(_that_came_out_otherwise(writing, group, rows, may_differ))
        tell("changed", len(piece))
    return refusals


def _that_came_out_otherwise(
    writing: Writing, group: Group, settings: Iterable[Setting], may_differ: frozenset[str]
) -> Iterator[Refusal]:
    place = {name: number for number, name in enumerate(group.table.stored)}
    for piece in in_pieces(settings):
        images = images_of(writing, group.table, [one.row for one in piece])
        for one in piece:
            image = images.get(one.row)
            if (image is None) is not (group.action is Action.DELETE):
                yield _refusal(group, one.row, _left(group))
            elif image is not None and (otherwise := _otherwise(group, one, image, place, may_differ)):
                yield _refusal(group, one.row, _left(group, otherwise), otherwise)


def _left(group: Group, otherwise: tuple[str, ...] = ()) -> str:
    """What keeps a row from becoming what the group wants, in words."""
    if group.action is Action.RESTORE:
        named = f": {', '.join(otherwise)} would differ" if otherwise else ""
        return f"a trigger, or the table by now, keeps the row from being what it was{named}"
    if len(otherwise) < len(group.columns) and otherwise:
        return f"a trigger sets {', '.join(otherwise)} otherwise"
    return "a trigger leaves the row as it is"


def _refusal(group: Group, row: Row, said: str, otherwise: tuple[str, ...] = ()) -> Refusal:
    return Refusal(group.table.name, row, group.action, said, otherwise)


def _otherwise(
    group: Group, setting: Setting, image: Row, place: Mapping[str, int], may_differ: frozenset[str]
) -> tuple[str, ...]:
    """The columns of a row that is there which are not what the group wants."""
    wanted = setting.values or (None,) * len(group.columns)
    spared = may_differ if group.action is Action.REASSIGN else frozenset[str]()
    told = zip(group.columns, wanted, strict=True)
    return tuple(name for name, value in told if name not in spared and image[place[name]] != value)


def _change(writing: Writing, group: Group, settings: Sequence[Setting]) -> None:
    changed = _do(writing, group, settings)
    if changed > len(settings):
        raise Refused(
            f"{changed} rows of {group.table.name} changed where the plan says {len(settings)}; nothing was done",
            f"the locator ({', '.join(group.table.locator)}) does not tell its rows apart: mend them by hand",
        )


def _do(writing: Writing, group: Group, settings: Sequence[Setting]) -> int:
    table = group.table
    if group.action is Action.RESTORE:
        # The number by which SQLite tells rows apart is no column of theirs.
        beside = [i for i, name in enumerate(table.locator) if table.column(name) is None]
        columns = (*(table.locator[i] for i in beside), *group.columns)
        return writing.insert(table.name, columns, [(*(one.row[i] for i in beside), *one.values) for one in settings])
    if group.action is Action.REASSIGN:
        return writing.assign(table.name, group.columns, {one.row: one.values for one in settings})
    if group.action is Action.DELETE:
        return writing.delete(table.name, Locators(settings))
    return writing.nullify(table.name, group.columns, Locators(settings))


def _changes(writing: Writing, catalog: Catalog, plan: Plan, before: Iterable[Image], tell: Tell) -> Iterator[Change]:
    """Every row of the plan with what has become of it; refused where that is not what was promised.

    A row that is put back may have been changed by a trigger of another that came after it.
    """
    as_before = iter(before)
    for name, piece in _by_piece(plan.errands.of_rows):
        table, may_differ = catalog.tables[name], _may_differ(plan, name)
        stored, place = table.stored, {name: number for number, name in enumerate(table.stored)}
        after = images_of(writing, table, [errand.row for errand in piece])
        broken = [one for one in piece if not _is_as_promised(one, place, after.get(one.row), may_differ)]
        if broken and broken[0].action is not Action.RESTORE:
            raise Refused(
                f"row {told(broken[0].row)} of {name} did not become what the plan says; nothing was done",
                "look at the table's triggers, then run it again",
            )
        said = "a trigger of another row of the plan changes it"
        _refuse(Refusal(name, one.row, one.action, said) for one in broken)
        for errand in piece:
            yield Change(name, errand.row, stored, next(as_before), after.get(errand.row), errand.source)
        tell("compared", len(piece))


def _is_as_promised(errand: Errand, place: Mapping[str, int], image: Image, may_differ: frozenset[str]) -> bool:
    if image is None or errand.goes:
        return errand.goes and image is None
    spared = may_differ if errand.action is Action.REASSIGN else frozenset[str]()
    told = zip(errand.columns, errand.values, strict=True)
    return all(image[place[name]] == value for name, value in told if name not in spared)
