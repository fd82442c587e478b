"""A JSON document in the store is whole, is itself when it is written twice, and is never written over by another."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.documents import put_document
from upkeep.errors import Taken
from upkeep.stores import Store, open_store

NAME = "clinic/journal/run.json"
documents = st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))


def stored(store: Store) -> bytes:
    with store.get(NAME) as there:
        return there.read()


@given(first=documents, second=documents)
def test_p126_only_if_absent_takes_ones_own_write_for_what_it_is_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, object], second: dict[str, object]
) -> None:
    store = open_store(tmp_path_factory.mktemp("store").as_uri())
    put_document(store, NAME, first, only_if_absent=True)
    before = stored(store)
    assert json.loads(before) == first
    put_document(store, NAME, dict(reversed(first.items())), only_if_absent=True)
    if second != first:
        with pytest.raises(Taken):
            put_document(store, NAME, second, only_if_absent=True)
    assert stored(store) == before


def test_a_document_that_may_change_is_written_over(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    put_document(store, NAME, {"steps": 1})
    put_document(store, NAME, {"steps": 2})
    assert json.loads(stored(store)) == {"steps": 2}
