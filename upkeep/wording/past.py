"""What is said of the past: since when there are orphans, what is new, what is gone, what a baseline knows."""

from dataclasses import dataclass, replace

from upkeep.detected import Detected
from upkeep.findings import Finding
from upkeep.history import History, Moment, SeenKey
from upkeep.numbers import several


def since_when(detected: Detected, *, by_a_run: bool = False) -> str:
    """Since when there are orphans, as far as earlier runs know; who is no run is told that a run would remember."""
    history = detected.history
    if history is None or not detected.orphans:
        return ""
    if history.before is None:
        hint = "" if by_a_run else "; `upkeep maintain` does"
        return f"nobody knows: {detected.unremembered or f'no earlier run left what it found{hint}'}"
    return _began(history, detected.orphans) or f"the run of {history.before.moment}, or later"


def looked_back(detected: Detected) -> str:
    """By what re-used ids are known, and what was not compared yet; '' where there is neither one nor anything to do.

    So that nobody takes it for news of the database when a later run knows of more (P-53).
    """
    history = detected.history
    if history is None or history.waiting is None:
        return ""
    rows = sum(len(finding.adopted) for finding in detected.findings)
    if not rows and not history.waiting:
        return ""
    known = f"{several(rows, 'row') if rows else 'none'} by {several(len(history.now.examined), 'older backup')}"
    more = "more may tell of others, and each run looks into as many of them as the policy's `[run] look_back` says"
    waiting = f"; {history.waiting:,} {more}" if history.waiting else ""
    return f"{known}{' and by earlier runs' if history.before else ''}{waiting}"


def since_in_short(detected: Detected) -> tuple[str, ...]:
    """The same in fewer and fewer words, for lines that are short; the last one says only how far back it goes."""
    history = detected.history
    if history is None or history.before is None or not detected.orphans:
        return ()
    said = [_dated(history, detected.orphans, words) for words in (_WITHOUT_BACKUP, _SHORT)]
    return tuple("; ".join(several) for several in (*said, said[-1][:1]) if several)


@dataclass(frozen=True)
class _Words:
    """How the past is told: in many words or in few."""

    before: str
    grown: str
    clean: str = "{keys} clean until {day}"


_WHOLE = _Words(
    "before the first look on {day} ({keys}{grown})",
    ", {then:,} then and {now:,} now",
    "{keys} clean until {day}{backup}",
)
_WITHOUT_BACKUP = replace(_WHOLE, clean=_Words.clean)
_SHORT = _Words("before {day} in {keys}{grown}", " ({then:,} then, {now:,} now)")


def _began(history: History, orphans: int) -> str:
    return "; ".join(_dated(history, orphans, _WHOLE))


def _dated(history: History, orphans: int, words: _Words) -> list[str]:
    troubled = [seen for seen in history.now.seen if seen.orphans]
    clean = [moment for seen in troubled if (moment := seen.trail.clean)]
    first = [seen.trail.points[0] for seen in troubled if seen.trail.points and not seen.trail.clean]
    said = []
    if first:
        looked = min((point.moment for point in first), key=lambda moment: moment.taken)
        then = sum(point.orphans for point in first)
        grown = words.grown.format(then=then, now=orphans) if then != orphans else ""
        said.append(words.before.format(day=looked.day, keys=several(len(first), "key"), grown=grown))
    if clean:
        last = max(clean, key=lambda moment: moment.taken)
        backup = f", backup {last.backup}" if last.backup else ""
        said.append(words.clean.format(keys=several(len(clean), "key"), day=last.day, backup=backup))
    return said


def since_last(history: History | None) -> str:
    """What is new and what is gone since the last run; '' where nothing is, or nobody has looked before."""
    if history is None or history.before is None or not (history.new or history.gone):
        return ""
    gone = [f"{number:,} gone ({reason.value})" for reason, number in history.gone.items()]
    moment = history.before.moment
    said = ", ".join([f"{history.new:,} new", *gone])
    return f"{said} since the run of {moment}"


def trail_of(finding: Finding, history: History | None) -> str:
    """Since when one key has orphans: its last clean moment with the backup of it, and how they grew."""
    seen = history.now.of(str(finding.key)) if history and history.before else None
    if seen is None or not finding.orphans:
        return ""
    new = history.new_of(seen.key) if history else 0
    return "; ".join(filter(None, (_grown(seen), f"{new:,} new" if new else "")))


def _grown(seen: SeenKey) -> str:
    """A key that has always had as many says nothing of its own: the head of the page does."""
    trail = seen.trail
    counts = [*(point.orphans for point in trail.points), seen.orphans]
    if trail.clean is None and len(set(counts)) < 2:
        return ""
    steps = ", ".join(f"{point.orphans:,} on {point.moment}" for point in trail.points)
    grew = f"then {steps}" if steps else "these came since"
    return f"last clean on {_with_backup(trail.clean)}, {grew}" if trail.clean else f"{steps}, {seen.orphans:,} now"


def baseline_said(detected: Detected) -> str:
    """How it differs from the baseline; '' where there is none."""
    found = detected.against
    if found is None:
        return ""
    taken = f" of {found.baseline.moment}" if found.baseline.moment else ""
    keys = [f"{change.key} {change.new:,}" for change in found.changes if change.new]
    said = [f"{found.new:,} new" + (f": {', '.join(keys)}" if keys else "")]
    said += [f"{key} can be used no more" for key in found.faults]
    said += [f"{several(rows, 'row')} of {key} with a re-used id" for key, rows in found.adopted.items()]
    said += [f"{found.gone:,} gone"] if found.gone else []
    return f"the baseline{taken} has {several(found.baseline.orphans, 'orphan')}; {'; '.join(said)}"


def _with_backup(moment: Moment) -> str:
    return f"{moment} (backup {moment.backup})" if moment.backup else str(moment)
