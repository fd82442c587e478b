"""What follows from what, among orphans and the rows that may go: sets alone, kept on disk (P-56, P-113)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from upkeep.policy import Action
from upkeep.possible import Choice
from upkeep.spilled import Form, Spill, flat, raised
from upkeep.values import Row, in_pieces


class Spot(NamedTuple):
    """A row: its table and the values of its locator."""

    table: str
    row: Row


SPOTS: Form[Spot] = Form(lambda spot: (spot.table, spot.row), lambda plain: Spot(*plain))


class Orphan(NamedTuple):
    """A row and the name of a foreign key that points at nothing, or would if other rows went."""

    spot: Spot
    key: str


class Due(NamedTuple):
    """What is done to a row in the end, for an orphan of which key, and in which wave."""

    spot: Spot
    key: str
    choice: Choice
    wave: int


Choose = Callable[[Orphan, str | None], Choice]
"""What is done to an orphan, if its row may not be deleted for the reason that is given."""
_TABLES = (
    "CREATE TABLE spots (id INTEGER PRIMARY KEY, name TEXT, row BLOB, may_go INTEGER DEFAULT 0, UNIQUE (name, row))",
    "CREATE TABLE orphans (id INTEGER PRIMARY KEY, spot INTEGER, key INTEGER, free INTEGER, choice INTEGER,"
    " is_healed INTEGER DEFAULT 0, missing INTEGER, wave INTEGER, UNIQUE (spot, key))",
    "CREATE INDEX by_wave ON orphans (wave)",
    "CREATE TABLE points (orphan INTEGER, parent INTEGER, PRIMARY KEY (orphan, parent)) WITHOUT ROWID",
    "CREATE INDEX by_parent ON points (parent)",
    "CREATE TABLE choices (id INTEGER PRIMARY KEY, action TEXT, reason TEXT)",
    "CREATE TABLE doomed (spot INTEGER PRIMARY KEY, wave INTEGER, key INTEGER)",
    "CREATE INDEX by_doom ON doomed (wave)",
    "CREATE TABLE blocked (spot INTEGER PRIMARY KEY, why TEXT, turn INTEGER)",
    "CREATE INDEX by_turn ON blocked (turn)",
)
_KILOBYTES = 8000
_SPOT = "(SELECT id FROM spots WHERE name = ? AND row = ?)"
_ORPHAN = f"(SELECT id FROM orphans WHERE spot = {_SPOT} AND key = ?)"
_DELETES = f"c.action = '{Action.DELETE}'"
# Who would have to be kept holds all that it points at, for the least of the reasons.
_HOLDS = f"""
    INSERT INTO blocked
    SELECT p.parent, MIN('its row of ' || s.name || ' is kept (' || c.reason || ')'), :turn
      FROM orphans AS o JOIN choices AS c ON c.id = o.choice JOIN spots AS s ON s.id = o.spot
      JOIN points AS p ON p.orphan = o.id
     WHERE c.action = '{Action.KEEP}' AND NOT o.is_healed AND p.parent NOT IN (SELECT spot FROM blocked) AND {{which}}
     GROUP BY p.parent
"""
_STAYING = "o.spot NOT IN (SELECT spot FROM doomed)"
_OF_THE_LAST_TURN = "o.spot IN (SELECT spot FROM blocked WHERE turn = :turn - 1)"
_LOSING = "(SELECT p.orphan FROM doomed AS d JOIN points AS p ON p.parent = d.spot WHERE d.wave = :wave)"
_LOST = "SELECT COUNT(*) FROM points AS p JOIN doomed AS d ON d.spot = p.parent WHERE p.orphan = orphans.id"
_REACHED = """
    FROM orphans AS o JOIN choices AS c ON c.id = o.choice JOIN spots AS s ON s.id = o.spot
   WHERE o.wave IS NOT NULL AND o.spot NOT IN (SELECT spot FROM doomed)
"""


class Web:
    """Every orphan there is or could be, and where it points. First they are entered, then it is settled what goes.

    The end of ``settle`` is the most deletions among which no row goes that a row that stays still needs. Blocking a
    row only ever blocks more, and dooms fewer: so there is one end, whatever the order.
    """

    def __init__(self, keys: Iterable[str], choose: Choose) -> None:
        self._spill = Spill(*_TABLES, kilobytes=_KILOBYTES)
        self._choose = choose
        self._names = sorted(keys)  # so that the least number is the least name
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._choices: list[Choice] = []
        self._number_of: dict[tuple[Choice, str], int] = {}
        self._turn = 0

    def enter(self, found: Iterable[tuple[Orphan, Spot | None]]) -> set[str]:
        """Orphans, each with a row that it points at, if any; the tables of which further rows may go by that.

        Who may go is told only when all are entered, so that a wave is the same whatever the order.
        """
        last = self._spill.number("SELECT MAX(id) FROM orphans")
        for piece in in_pieces(found):
            told = [(orphan.spot.table, flat(orphan.spot.row), self._numbers[orphan.key]) for orphan, _ in piece]
            self._spill.run_for_each("INSERT OR IGNORE INTO spots (name, row) VALUES (?, ?)", (one[:2] for one in told))
            chosen = ((*one, self._numbered(orphan, None)) for one, (orphan, _) in zip(told, piece, strict=True))
            into = f"INSERT OR IGNORE INTO orphans (spot, key, free) VALUES ({_SPOT}, ?, ?)"
            self._spill.run_for_each(into, chosen)
            pairs = ((*one, to.table, flat(to.row)) for one, (_, to) in zip(told, piece, strict=True) if to)
            self._spill.run_for_each(f"INSERT OR IGNORE INTO points VALUES ({_ORPHAN}, {_SPOT})", pairs)
        going = f"""SELECT o.spot FROM orphans AS o JOIN choices AS c ON c.id = o.free WHERE o.id > ? AND {_DELETES}"""
        new = f"id IN ({going}) AND NOT may_go"
        tables = {name for (name,) in self._spill.rows(f"SELECT DISTINCT name FROM spots WHERE {new}", (last,))}
        self._spill.run(f"UPDATE spots SET may_go = 1 WHERE {new}", (last,))
        return tables

    def may_go(self, table: str) -> Iterator[Row]:
        """Rows of a table that go unless something holds them."""
        found = self._spill.rows("SELECT row FROM spots WHERE name = ? AND may_go", (table,))
        return (raised(raw) for (raw,) in found)

    def settle(self, healed: Iterable[Orphan], held: Mapping[Spot, str]) -> None:
        """Find the end; as if there were no orphans that are ``healed``, and no row might go that is ``held``."""
        run = self._spill.run
        self._turn = 0
        run("DELETE FROM blocked")
        run("UPDATE orphans SET choice = free, is_healed = 0")
        of_healed = ((one.spot.table, flat(one.spot.row), self._numbers.get(one.key)) for one in healed)
        self._spill.run_for_each(f"UPDATE orphans SET is_healed = 1 WHERE id = {_ORPHAN}", of_healed)
        named = [(spot.table, flat(spot.row), why) for spot, why in held.items()]
        self._spill.run_for_each("INSERT OR IGNORE INTO spots (name, row) VALUES (?, ?)", (one[:2] for one in named))
        self._spill.run_for_each(f"INSERT INTO blocked VALUES ({_SPOT}, ?, 0)", named)
        self._choose_anew()
        while True:
            self._spread()
            if not self._block(_STAYING):
                return
            while self._block(_OF_THE_LAST_TURN):
                pass

    def _block(self, which: str) -> int:
        """Rows that may not go because an orphan that stays would have to be kept; how many."""
        self._turn += 1
        blocked = self._spill.run(_HOLDS.format(which=which), {"turn": self._turn})
        self._choose_anew()
        return blocked

    def _choose_anew(self) -> None:
        """What orphans come to whose rows were blocked in this turn."""
        found = self._spill.rows(
            "SELECT o.id, s.name, s.row, o.key, b.why FROM blocked AS b JOIN orphans AS o ON o.spot = b.spot"
            " JOIN spots AS s ON s.id = b.spot WHERE b.turn = ?",
            (self._turn,),
        )
        for piece in in_pieces(found):
            chosen = (
                (self._numbered(Orphan(Spot(name, raised(row)), self._names[key]), why), number)
                for number, name, row, key, why in piece
            )
            self._spill.run_for_each("UPDATE orphans SET choice = ? WHERE id = ?", chosen)

    def _spread(self) -> None:
        """Wave by wave: orphans whose rows go, and who loses the last parent by that."""
        run, wave = self._spill.run, 0
        run("DELETE FROM doomed")
        run("UPDATE orphans SET wave = NULL, missing = (SELECT COUNT(*) FROM points WHERE orphan = orphans.id)")
        reached = run("UPDATE orphans SET wave = 0 WHERE missing = 0 AND NOT is_healed")
        while reached:
            going = "FROM orphans AS o JOIN choices AS c ON c.id = o.choice"
            which = f"o.wave = :wave AND {_DELETES} AND o.spot NOT IN (SELECT spot FROM doomed)"
            run(
                f"INSERT INTO doomed SELECT o.spot, :wave, MIN(o.key) {going} WHERE {which} GROUP BY o.spot",
                {"wave": wave},
            )
            lost = f"UPDATE orphans SET missing = missing - ({_LOST} AND d.wave = :wave) WHERE id IN {_LOSING}"
            run(lost, {"wave": wave})
            reached = run(
                f"UPDATE orphans SET wave = :wave + 1"
                f" WHERE id IN {_LOSING} AND missing = 0 AND +wave IS NULL AND NOT is_healed",
                {"wave": wave},
            )
            wave += 1

    def goes(self, spot: Spot) -> bool:
        """Does the row go?"""
        asked = f"SELECT COUNT(*) FROM doomed WHERE spot = {_SPOT}"
        return self._spill.number(asked, (spot.table, flat(spot.row))) > 0

    def going(self, table: str) -> Iterator[Row]:
        """The rows of a table that go."""
        asked = "SELECT s.row FROM doomed AS d JOIN spots AS s ON s.id = d.spot WHERE s.name = ?"
        return (raised(raw) for (raw,) in self._spill.rows(asked, (table,)))

    def coming_to(self, action: Action) -> Iterator[Orphan]:
        """Orphans whose rows stay and which come to this action."""
        asked = f"SELECT s.name, s.row, o.key {_REACHED} AND c.action = ?"
        for name, row, key in self._spill.rows(asked, (action.value,)):
            yield Orphan(Spot(name, raised(row)), self._names[key])

    def due(self) -> Iterator[Due]:
        """What becomes of rows: those that are set, then those that go; each by wave, the last one first."""
        setting = f"('{Action.NULLIFY}', '{Action.REASSIGN}')"
        order = "s.name, said(s.row)"
        staying = self._spill.rows(
            f"SELECT s.name, s.row, o.key, o.choice, o.wave {_REACHED} AND c.action IN {setting}"
            f" ORDER BY o.wave DESC, {order}, o.key"
        )
        going = self._spill.rows(
            f"SELECT s.name, s.row, d.key, -1, d.wave FROM doomed AS d JOIN spots AS s ON s.id = d.spot"
            f" ORDER BY d.wave DESC, {order}"
        )
        for name, row, key, choice, wave in chain(staying, going):
            what = Choice(Action.DELETE) if choice < 0 else self._choices[choice]
            yield Due(Spot(name, raised(row)), self._names[key], what, wave)

    def kept(self) -> Iterator[tuple[str, str, int]]:
        """Orphans that stay as they are: of which key, why, and how many."""
        asked = f"SELECT o.key, c.reason, COUNT(*) {_REACHED} AND c.action = ? GROUP BY o.key, c.reason"
        for key, reason, orphans in self._spill.rows(asked, (Action.KEEP.value,)):
            yield self._names[key], reason, orphans

    def passed_over(self) -> Iterator[tuple[str, Action, str, int]]:
        """Orphans for which an earlier action of their rule is impossible: of which key, what is done, why, how many.

        Those that are kept, and those that find a parent which comes back, are none of them.
        """
        doing = f"'{Action.DELETE}', '{Action.NULLIFY}', '{Action.REASSIGN}'"
        asked = f"""
            SELECT o.key, c.action, c.reason, COUNT(*) FROM orphans AS o JOIN choices AS c ON c.id = o.choice
             WHERE o.wave IS NOT NULL AND c.reason <> '' AND c.action IN ({doing})
               AND ({_DELETES} OR {_STAYING}) GROUP BY o.key, c.action, c.reason
        """
        for key, action, reason, orphans in self._spill.rows(asked):
            yield self._names[key], Action(action), reason, orphans

    def _numbered(self, orphan: Orphan, blocked: str | None) -> int:
        choice = self._choose(orphan, blocked)
        known = choice, repr(choice.values)  # to Python 1 and 1.0 are equal
        if known not in self._number_of:
            number = self._number_of[known] = len(self._choices)
            self._choices.append(choice)
            self._spill.run("INSERT INTO choices VALUES (?, ?, ?)", (number, choice.action.value, choice.reason))
        return self._number_of[known]
