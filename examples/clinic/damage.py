"""What goes wrong and when: deletions, mix-ups and careless writes, each an act on a simulated day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from examples.clinic import kinds
from examples.clinic.application import Application, Cell
from examples.clinic.founding import House, hire
from examples.clinic.timetable import DAYS_A_WEEK
from examples.clinic.visit import attend, upload
from examples.clinic.work import register, sign_in


@dataclass(frozen=True)
class Scene:
    """Where something happens: the application at work, chance, and what everybody knows."""

    app: Application
    rng: Random
    house: House


Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Episode:
    """Something that happens on one day, before the work or after it."""

    kind: str
    day: int
    evening: bool
    act: Act


# When (share of the whole time), which table, how many rows for each unit of scale.
LOSSES: tuple[tuple[float, str, int], ...] = (
    (0.06, "patients", 1),
    (0.12, "user_sessions", 4),
    (0.20, "files", 2),
    (0.25, "daily_queues", 1),
    (0.30, "visits", 2),
    (0.34, "patients", 2),
    (0.38, "payments", 1),
    (0.41, "emr", 1),
    (0.45, "user_sessions", 6),
    (0.48, "appointments", 3),
    (0.52, "payment_webhooks", 2),
    (0.56, "files", 3),
    (0.60, "folders", 2),
    (0.63, "departments", 1),
    (0.66, "lab_orders", 2),
    (0.70, "emr_versions", 2),
    (0.73, "daily_queues", 1),
    (0.77, "queue_entries", 4),
    (0.80, "permissions", 1),
    (0.84, "visits", 1),
    (0.88, "payments", 1),
    (0.91, "patients", 1),
    (0.95, "files", 1),
    (0.97, "user_sessions", 3),
)
LEAVERS: tuple[tuple[float, str], ...] = ((0.28, "nurse"), (0.68, "reception"), (0.90, "laboratory"))
TEXTS: tuple[tuple[float, str, str, str, int], ...] = (
    (0.15, "patients", "created_by", "unknown", 3),
    (0.35, "payments", "cashier_id", "kiosk", 4),
    (0.50, "refresh_tokens", "session_id", "x17", 1),
    (0.58, "queue_tokens", "entry_id", "x17", 2),
    (0.65, "file_shares", "file_id", "x17", 1),
    (0.75, "visits", "referred_by", "external", 2),
    (0.85, "files", "patient_id", "p-104", 1),
)
EMPTIES: tuple[tuple[float, str, str, Cell, int], ...] = (
    (0.10, "appointments", "created_by", 0, 4),
    (0.32, "folders", "parent_id", 0, 3),
    (0.44, "visits", "appointment_id", 0, 3),
    (0.55, "patients", "primary_doctor_id", "", 3),
    (0.72, "queue_entries", "visit_id", 0, 3),
    (0.82, "visits", "referred_by", "", 2),
    (0.92, "file_access_logs", "user_id", "", 3),
)
# How far through the weeks the newest row of a table is deleted and its number given to another on the next morning.
MIX_UPS: tuple[tuple[float, str], ...] = ((0.1, "patients"), (0.3, "files"), (0.5, "users"), (0.7, "patients"))


def episodes(chosen: frozenset[str], weeks: int, scale: int, engine: str) -> list[Episode]:
    """All that will happen in the time given, for the kinds of damage asked for."""
    days = weeks * DAYS_A_WEEK
    told = (*_losses(days, scale), *_careless_writes(days, scale, engine), *_mix_ups(weeks))
    return [episode for episode in told if episode.kind in chosen]


def _losses(days: int, scale: int) -> Iterator[Episode]:
    for at, table, many in LOSSES:
        yield Episode(kinds.PARENTS_DELETED, int(at * days), False, lose(table, many * scale))
    for at, role in LEAVERS:
        yield Episode(kinds.PARENTS_DELETED, int(at * days), False, leave(role, scale))
    yield Episode(kinds.PARENTS_DELETED, int(0.62 * days), False, lose("doctors", scale))
    yield Episode(kinds.PARENTS_DELETED, int(0.79 * days), False, dissolve("cashier"))
    yield Episode(kinds.PARENTS_DELETED, int(0.50 * days), True, strike_out_duplicate)
    yield Episode(kinds.DROPPED_TABLE, int(0.57 * days), True, drop("services"))


def _careless_writes(days: int, scale: int, engine: str) -> Iterator[Episode]:
    takes_text = kinds.TEXT_IN_INTEGER not in kinds.impossible(engine)
    for at, table, column, value, many in TEXTS:
        yield Episode(kinds.TEXT_IN_INTEGER, int(at * days), True, scribble(table, column, value, many * scale))
    for at, table, column, empty, many in EMPTIES:
        written = empty if takes_text else 0
        yield Episode(kinds.SENTINELS, int(at * days), True, scribble(table, column, written, many * scale))


def _mix_ups(weeks: int) -> Iterator[Episode]:
    for at, table in MIX_UPS:
        # On the last day of a week, so that the night between has the first owner of the number in its backup.
        last = int(at * (weeks - 1)) * DAYS_A_WEEK + DAYS_A_WEEK - 1 if weeks > 1 else 1
        yield Episode(kinds.REUSED_IDS, last, True, engage_newest(table))
        yield Episode(kinds.REUSED_IDS, last + 1, False, pass_on_newest(table))
    yield Episode(kinds.REUSED_IDS, weeks * DAYS_A_WEEK - 2, True, lose_second_owner)


def pointed_at(app: Application, table: str) -> list[int]:
    """Rows of a table that others point at, oldest first, without the newest: its number must not come again."""
    standing = app.ids(table)
    wanted = {
        pointer.value
        for child, column in app.children(table)
        for row in app.rows[child].values()
        if (pointer := row[column]).value is not None
    }
    return [number for number in standing if number in wanted and number != max(standing)]


def lose(table: str, many: int) -> Act:
    """Some rows are deleted although others point at them."""

    def act(scene: Scene) -> None:
        candidates = pointed_at(scene.app, table)
        for number in scene.rng.sample(candidates, min(many, len(candidates))):
            scene.app.delete(table, number)

    return act


def leave(role: str, many: int) -> Act:
    """People leave and their accounts are deleted."""

    def act(scene: Scene) -> None:
        newest = max(scene.app.ids("users"))
        for user in scene.rng.sample([user for user in scene.house.staff[role] if user != newest], many):
            scene.app.delete("users", user)
            scene.house.staff[role].remove(user)

    return act


def dissolve(role: str) -> Act:
    """A role is deleted while people still hold it."""

    def act(scene: Scene) -> None:
        scene.app.delete("roles", scene.house.roles[role])

    return act


def strike_out_duplicate(scene: Scene) -> None:
    """A patient is registered, seen and deleted on one day: no backup has ever held them."""
    app, rng, house = scene.app, scene.rng, scene.house
    patient = register(app, rng, house)
    attend(app, rng, house, patient, rng.choice(app.ids("daily_queues")))
    register(app, rng, house)
    app.delete("patients", patient)


def drop(table: str) -> Act:
    """A migration by hand dies after DROP TABLE."""

    def act(scene: Scene) -> None:
        scene.app.drop(table)

    return act


def scribble(table: str, column: str, value: Cell, many: int) -> Act:
    """An import script writes what is no number, or what it takes for none, into a key."""

    def act(scene: Scene) -> None:
        standing = scene.app.ids(table)
        for number in scene.rng.sample(standing, min(many, len(standing))):
            scene.app.point(table, number, column, value)

    return act


def engage_newest(table: str) -> Act:
    """The newest row gets others that point at it."""

    def act(scene: Scene) -> None:
        newest = newcomer(scene, table, "trainee")
        if table == "patients":
            attend(scene.app, scene.rng, scene.house, newest, scene.rng.choice(scene.app.ids("daily_queues")))
        elif table == "users":
            sign_in(scene.app, scene.rng, newest)

    return act


def pass_on_newest(table: str) -> Act:
    """The newest row is deleted and a different one is written: it gets the same number (P-53)."""

    def act(scene: Scene) -> None:
        scene.app.delete(table, max(scene.app.ids(table)))
        newcomer(scene, table, "nurse")

    return act


def newcomer(scene: Scene, table: str, role: str) -> int:
    """A new row of a table, written as the application does; the role is for users."""
    app, rng, house = scene.app, scene.rng, scene.house
    if table == "patients":
        return register(app, rng, house)
    if table == "users":
        return hire(app, rng, house, role)
    return upload(app, rng, house, rng.choice(app.ids("visits")), rng.choice(app.ids("patients")))


def lose_second_owner(scene: Scene) -> None:
    """A patient who had got a used number is deleted as well: the last backup holds the wrong person under it."""
    app = scene.app
    second = [key[0] for (table, key), lives in app.lives.items() if table == "patients" and len(lives) > 1]
    newest = max(app.ids("patients"))
    for patient in [number for number in second if (number,) in app.rows["patients"] and number != newest][:1]:
        app.delete("patients", patient)
