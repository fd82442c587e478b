"""From what the application remembers to what is true: which references find nothing, why, and since when."""

from collections.abc import Iterator
from datetime import datetime

from examples.clinic import kinds
from examples.clinic.application import Application, Cell, Key, Life, Pointer
from examples.clinic.references import Reference, in_database, modelled
from examples.clinic.truth import Hidden, Orphan


def reckon(
    app: Application, nights: tuple[datetime, ...], *, misdeclared: bool
) -> tuple[tuple[Orphan, ...], tuple[Hidden, ...]]:
    """All orphans and all references that find the wrong row."""
    orphans: list[Orphan] = []
    hidden: list[Hidden] = []
    for meant in modelled():
        said = in_database(meant, misdeclared=misdeclared)
        for key, pointer in _pointers(app, meant):
            if not _stands(app, said.parent, pointer.value):
                orphans.append(_orphan(app, nights, meant, said, key, pointer))
            elif said != meant or _later_born(app, meant, pointer):
                hidden.append(_hidden(app, nights, meant, said, key, pointer))
    return tuple(orphans), tuple(hidden)


def _pointers(app: Application, reference: Reference) -> Iterator[tuple[Key, Pointer]]:
    for key, row in app.rows[reference.child].items():
        if row[reference.column].value is not None:
            yield key, row[reference.column]


def _stands(app: Application, table: str, value: Cell) -> bool:
    return isinstance(value, int) and (value,) in app.rows[table]


def _lives(app: Application, table: str, value: Cell) -> list[Life]:
    return app.lives.get((table, (value,)), []) if isinstance(value, int) else []


def _later_born(app: Application, reference: Reference, pointer: Pointer) -> bool:
    return _lives(app, reference.parent, pointer.value)[-1].born > pointer.since


def _meant_life(app: Application, reference: Reference, pointer: Pointer) -> Life | None:
    """The row that the writer had in mind: the one that stood there, or was the last to stand there before."""
    earlier = [life for life in _lives(app, reference.parent, pointer.value) if life.born <= pointer.since]
    return earlier[-1] if earlier else None


def _why(app: Application, meant: Reference, said: Reference, pointer: Pointer) -> str:
    if pointer.value in ("", 0):
        return kinds.SENTINELS
    if isinstance(pointer.value, str):
        return kinds.TEXT_IN_INTEGER
    if said != meant and _stands(app, meant.parent, pointer.value):
        return kinds.MISDECLARED
    if meant.parent in app.dropped:
        return kinds.DROPPED_TABLE
    return kinds.REUSED_IDS if len(_lives(app, meant.parent, pointer.value)) > 1 else kinds.PARENTS_DELETED


def _orphan(
    app: Application, nights: tuple[datetime, ...], meant: Reference, said: Reference, key: Key, pointer: Pointer
) -> Orphan:
    life = _meant_life(app, meant, pointer)
    backups = tuple(night for night in nights if life and life.at(night))
    return Orphan(
        table=meant.child,
        key=key,
        columns=(meant.column,),
        parent=said.parent,
        meant=meant.parent,
        kind=_why(app, meant, said, pointer),
        missing=pointer.value,
        happened=max(pointer.since, life.died) if life and life.died else pointer.since,
        backups=backups,
        beside=tuple(night for night in backups if pointer.since <= night),
    )


def _hidden(
    app: Application, nights: tuple[datetime, ...], meant: Reference, said: Reference, key: Key, pointer: Pointer
) -> Hidden:
    seen = _orphan(app, nights, meant, said, key, pointer)
    kind = kinds.MISDECLARED if said != meant else kinds.REUSED_IDS
    return Hidden(**{**vars(seen), "kind": kind})
