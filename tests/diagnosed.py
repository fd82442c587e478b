"""Small databases whose keys may point at the wrong table, and what is true of them, reckoned in plain Python."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st

from upkeep.diagnosis import Diagnosis
from upkeep.models import ModelledKey, ModelledTable, Models
from upkeep.policy import NONE_MEANT

PARENTS = ("anna", "bert", "cleo")
CHILD = "child"


@dataclass(frozen=True)
class SomeDiagnosed:
    """Three parents with their numbers, a child whose ``ref`` is declared to the first, and what the models say."""

    parents: tuple[frozenset[int], ...]
    refs: tuple[int | None, ...]
    modelled: str | None

    @property
    def statements(self) -> list[str]:
        """SQL for any engine that lets a key be violated."""
        made = [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)" for name in PARENTS]
        to = f"FOREIGN KEY (ref) REFERENCES {PARENTS[0]} (id)"
        made.append(f"CREATE TABLE {CHILD} (id INTEGER PRIMARY KEY, ref INTEGER, {to})")
        made += [
            f"INSERT INTO {n} VALUES ({i})" for n, ids in zip(PARENTS, self.parents, strict=True) for i in sorted(ids)
        ]
        refs = (("NULL" if ref is None else ref) for ref in self.refs)
        return [*made, *(f"INSERT INTO {CHILD} VALUES ({n}, {ref})" for n, ref in enumerate(refs))]

    @property
    def models(self) -> Models:
        """The models, of which the child's table may say nothing."""
        if self.modelled is None:
            return Models()
        key = ModelledKey(columns=("ref",), parent=self.modelled, parent_columns=("id",))
        return Models(tables=(ModelledTable(name=CHILD, foreign_keys=(key,)),))

    @property
    def truth(self) -> Counter[Diagnosis]:
        """Every orphan under its diagnosis: by sets, not by SQL."""
        held = dict(zip(PARENTS, self.parents, strict=True))
        refs = [ref for ref in self.refs if ref is not None]
        orphans = [ref for ref in refs if ref not in self.parents[0]]
        is_misdeclared = self.modelled not in (None, PARENTS[0])
        sentinels = [ref for ref in orphans if str(ref) in NONE_MEANT]
        others = [ref for ref in orphans if str(ref) not in NONE_MEANT]
        elsewhere = [ref for ref in others if is_misdeclared and ref in held[str(self.modelled)]]
        missing = [ref for ref in others if ref not in elsewhere]
        plain = Diagnosis.PARENTS_MISSING
        own = frozenset(range(len(self.refs)))  # the child may point at itself
        others_hold = any(_is_suspicious(ids, set(refs), set(missing)) for ids in (*self.parents[1:], own))
        if self.modelled is None and others_hold:
            plain = Diagnosis.SUSPECT
        found = {plain: missing, Diagnosis.SENTINEL: sentinels, Diagnosis.MISDECLARED: elsewhere}
        return Counter({diagnosis: len(several) for diagnosis, several in found.items() if several})


def _is_suspicious(ids: frozenset[int], refs: set[int], missing: set[int]) -> bool:
    """All that is missing is here, and that is no accident; or most of the column is missing, and here nothing is."""
    if len(missing) < 2 or not missing <= ids:
        return False
    chance = (len(ids) / (max(ids) - min(ids) + 1)) ** len(missing)
    return chance <= 0.01 or (len(missing) >= 5 and 2 * len(missing) >= len(refs) and refs <= ids)


@st.composite
def diagnosed_databases(draw: st.DrawFn) -> SomeDiagnosed:
    """Numbers that stand close together, as they do in life, or far apart, so that they meet only for a reason."""
    far = draw(st.booleans())
    numbers = st.integers(1, 10**6) if far else st.integers(1, 30)
    own, other = (draw(st.frozensets(numbers, min_size=least, max_size=25)) for least in (0, 5))
    third = draw(st.one_of(st.frozensets(numbers, max_size=25), st.just(other | own)))
    wrong = draw(st.sampled_from((sorted(other), sorted(other), sorted(own | other), sorted(own) or [1])))
    strays = draw(st.lists(numbers, max_size=2)) if draw(st.booleans()) else []
    pool = [*wrong, *strays, *draw(st.sampled_from(([], [], [0, -1])))]
    refs = draw(st.lists(st.sampled_from([None, *pool]), min_size=draw(st.sampled_from((0, 8, 20))), max_size=40))
    modelled = draw(st.sampled_from([None, None, *PARENTS]))
    return SomeDiagnosed((own, other, third), tuple(refs), modelled)
