"""From an empty folder to a clinic that has been damaged as real ones are."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

from examples.clinic import kinds as kind_names
from examples.clinic.application import Application
from examples.clinic.damage import Episode, Scene, episodes
from examples.clinic.founding import House, found
from examples.clinic.kinds import ALL_KINDS, impossible
from examples.clinic.reckoning import reckon
from examples.clinic.schema import make_empty
from examples.clinic.timetable import DAYS_A_WEEK, QUIET_WEEKS, Clock, night_after, working_days
from examples.clinic.truth import Truth
from examples.clinic.work import work

Nightly = Callable[[datetime], None]


def build(
    folder: Path,
    *,
    url: str = "",
    seed: int = 7,
    scale: int = 1,
    kinds: frozenset[str] = ALL_KINDS,
    nights: int = 5,
    nightly: Nightly | None = None,
) -> Truth:
    """Make the database of `url`, or else `folder/clinic.db`, at the mergepoint and `folder/truth.json`.

    Returns the truth, whose kinds are those asked for that the engine can hold. After two quiet weeks there follow
    `nights` weeks, each with a night at its end in which `nightly` is called with the simulated moment (UTC) while
    nobody is connected, and one week more. Raises ValueError for a kind that does not exist, FileExistsError where
    anything stands already, and HistoryFailed where the migrations do not run.
    """
    if unknown := kinds - ALL_KINDS:
        known = ", ".join(sorted(ALL_KINDS))
        raise ValueError(f"no such kind of damage: {', '.join(sorted(unknown))}; there are {known}")
    folder.mkdir(parents=True, exist_ok=True)
    misdeclared = kind_names.MISDECLARED in kinds
    engine = make_empty(url or f"sqlite:///{folder.absolute() / 'clinic.db'}", misdeclared=misdeclared)
    kinds = kinds.difference(impossible(engine.dialect.name))
    app = Application(engine, Clock())
    rng = Random(f"{seed}:work")  # noqa: S311 (a game of chance that must come out the same again)
    house = found(app, rng, scale)
    for week in range(QUIET_WEEKS):
        for morning in working_days(week):
            work(app, rng, house, morning, scale)
    told = episodes(kinds, nights + 1, scale, engine.dialect.name)
    slept = []
    for week in range(nights + 1):
        live(app, rng, house, week, told, scale, seed)
        if week < nights:
            slept.append(sleep(app, QUIET_WEEKS + week, nightly))
    app.close()
    orphans, hidden = reckon(app, tuple(slept), misdeclared=misdeclared)
    truth = Truth(seed, scale, kinds, tuple(slept), orphans, hidden, tuple(app.dropped), tuple(app.planted))
    truth.write(folder / "truth.json")
    return truth


def live(app: Application, rng: Random, house: House, week: int, told: list[Episode], scale: int, seed: int) -> None:
    """One week of work with what goes wrong in it."""
    for index, morning in enumerate(working_days(QUIET_WEEKS + week)):
        day = week * DAYS_A_WEEK + index
        app.clock.move(morning)
        suffer(app, house, [episode for episode in told if episode.day == day and not episode.evening], seed)
        work(app, rng, house, morning, scale)
        suffer(app, house, [episode for episode in told if episode.day == day and episode.evening], seed)


def suffer(app: Application, house: House, today: list[Episode], seed: int) -> None:
    """Let happen what is due; chance is drawn apart from that of the work."""
    for number, episode in enumerate(today):
        rng = Random(f"{seed}:{episode.kind}:{episode.day}:{number}")  # noqa: S311 (as above)
        episode.act(Scene(app, rng, house))


def sleep(app: Application, week: int, nightly: Nightly | None) -> datetime:
    """Close the clinic for the night and let the backup be taken; returns the moment."""
    night = night_after(week)
    app.clock.move(night)
    app.close()
    if nightly is not None:
        nightly(night)
    app.open()
    return night
