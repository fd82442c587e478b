"""A mapping on disk says the same as the dict that it stands for, after whatever was done to both."""

from collections.abc import Callable, MutableMapping

from hypothesis import given
from hypothesis import strategies as st

from tests.test_spilled import NAMES, ROWS
from upkeep.fixpoint import SPOTS, Spot
from upkeep.spilled_mapping import TEXTS, SpilledMapping

Held = MutableMapping[Spot, str]
SOME = st.builds(Spot, NAMES, ROWS)
ENTRIES = st.lists(st.tuples(SOME, st.text(max_size=2)), max_size=6)


def _put(several: list[tuple[Spot, str]]) -> Callable[[Held], object]:
    return lambda held: held.update(several)


def _popped(spot: Spot) -> Callable[[Held], object]:
    return lambda held: held.pop(spot, None)


def _set_default(spot: Spot) -> Callable[[Held], object]:
    return lambda held: held.setdefault(spot, "new")


DEEDS = st.builds(_put, ENTRIES) | st.builds(_popped, SOME) | st.builds(_set_default, SOME)


@given(ENTRIES, st.lists(DEEDS, max_size=8), SOME)
def test_a_mapping_on_disk_is_the_dict_in_memory(
    first: list[tuple[Spot, str]], deeds: list[Callable[[Held], object]], other: Spot
) -> None:
    held, model = SpilledMapping(SPOTS, TEXTS, first), dict(first)
    for deed in deeds:
        assert deed(held) == deed(model)
    assert list(held.items()) == list(model.items())
    assert [repr(spot) for spot in held] == [repr(spot) for spot in model], "types and bits too"
    assert len(held) == len(model)
    assert bool(held) == bool(model)
    assert (other in held, held.get(other)) == (other in model, model.get(other))
