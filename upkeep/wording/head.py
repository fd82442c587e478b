"""What a person reads first of a look: five lines of eighty columns, whatever the counts and the names."""

from upkeep.detected import Detected
from upkeep.findings import Diagnosis
from upkeep.numbers import several
from upkeep.wording.lines import TIED, folded, within
from upkeep.wording.past import since_in_short, since_when
from upkeep.wording.sentences import size_in_short, size_of_damage

LINES = 5
COLUMNS = 80
_PROVEN = "stop; `upkeep restore latest --to URL` brings the newest verified backup back beside it"
_STOP = "stop; `upkeep restore latest --to URL` brings a verified backup back"


def head(name: str, engine: str, detected: Detected, complaints: tuple[str, ...]) -> list[str]:
    """How bad it is, why, since when and what to do next, in this order and never in more than ``LINES`` lines.

    What gives way are the numbers that say least; ``in_full`` says them all.
    """
    first = _fitted(f"{name} ({engine}): ", (size_of_damage(detected), *size_in_short(detected)), 1)
    if complaints:
        first += _fitted("the engine's own check complains: ", ("; ".join(complaints),), 1)
    since = _fitted("since: ", (since_when(detected), *since_in_short(detected)), 1)
    steps = (_PROVEN, _STOP) if complaints else (after_check(detected),)
    following = [*since, *_fitted("next: ", steps, 1 if complaints else 2)]
    return [*first, *_fitted("why: ", reasons(detected), LINES - len(first) - len(following)), *following]


def in_full(name: str, detected: Detected, complaints: tuple[str, ...], told: list[str]) -> list[str]:
    """What the lines of the head that were ``told`` have left out."""
    whole = {
        name: size_of_damage(detected),
        "the engine's own check complains": "; ".join(complaints),
        "why": (*reasons(detected), "")[0],
        "since": since_when(detected),
    }
    said = " ".join(" ".join(told).split())
    lines = []
    for word, text in whole.items():
        if text.replace(TIED, " ") not in said:
            lines += folded(f"{word}, in full: ", text)
    return lines


def _fitted(start: str, texts: tuple[str, ...], most: int) -> list[str]:
    return within(start, texts, most, COLUMNS) if texts and texts[0] else []


def reasons(detected: Detected) -> tuple[str, ...]:
    """Each diagnosis with its orphans, the rows of these where they are fewer, and its keys; then in fewer words."""
    whole, plain = ([*_tolls(detected, rows=rows), *_others(detected)] for rows in (True, False))
    texts = [", ".join(whole), ", ".join(plain)]
    for left in range(len(plain) - 1, 0, -1):
        more = several(len(plain) - left, "more reason").replace(" ", TIED)
        texts.append(f"{', '.join(plain[:left])} and{TIED}{more}")
    return tuple(texts)


def _tolls(detected: Detected, *, rows: bool) -> list[str]:
    said = []
    for one in detected.causes:
        among = f" in {several(one.rows, 'row')}" if rows and one.rows != one.orphans else ""
        said.append(f"{one.diagnosis.value} {one.orphans:,}{among} ({several(one.keys, 'key')})".replace(" ", TIED))
    return said


def _others(detected: Detected) -> list[str]:
    without = sum(f.orphans == 0 and f.diagnosis is not Diagnosis.REUSED_ID for f in detected.troubled)
    silent = sum(finding.orphans is None for finding in detected.troubled)
    reused = [len(finding.adopted) for finding in detected.findings if finding.adopted]
    said = [f"{Diagnosis.REUSED_ID.value} {several(sum(reused), 'row')} ({several(len(reused), 'key')})"] * bool(reused)
    said += [f"{several(without, 'key')} that cannot be used"] if without else []
    return [
        one.replace(" ", TIED) for one in (*said, *([f"{several(silent, 'key')} could not be asked"] * bool(silent)))
    ]


def after_check(detected: Detected) -> str:
    """What a person does after a look at which the engine itself did not complain."""
    if detected.against and detected.against.holds:
        return "nothing: nothing is new; `upkeep maintain` rehearses the repair of what the baseline knows"
    wrong = [f for f in detected.troubled if f.diagnosis is Diagnosis.MISDECLARED]
    first = f"correct {several(len(wrong), 'key')} with a migration, not the rows; " if wrong else ""
    if detected.orphans:
        return f"{first}`upkeep maintain` rehearses the repair on a copy and changes nothing"
    if any(finding.orphans is None or (finding.orphans == 0 and not finding.adopted) for finding in detected.troubled):
        return "correct the schema of the keys below"
    return "see whose the rows below are: no repair touches them" if detected.troubled else "nothing"
