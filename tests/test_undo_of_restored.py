"""An undo of a run that put parents back takes them away again, and nothing else."""

from tests.test_origins import Case, by, case
from tests.test_undoing import deed_of, done, undo_of

__all__ = ["case"]


def test_promise_3_a_parent_that_was_put_back_goes_again_and_comes_again_by_the_undo_of_that(case: Case) -> None:
    before = case.rows("SELECT * FROM p"), case.rows("SELECT * FROM c")
    plan = case.planned(by("restore"))
    mended = case.performed(plan, by("restore"))
    repaired = case.rows("SELECT * FROM p"), case.rows("SELECT * FROM c")
    undo = undo_of(case.database, by("restore"), deed_of(plan, mended))
    assert undo.by_action() == {"delete": 1}
    undone = done(case.database, by("restore"), undo)
    assert (case.rows("SELECT * FROM p"), case.rows("SELECT * FROM c")) == before
    assert undone.astray == (("c(owner) -> p(id)", 1),)
    redo = undo_of(case.database, by("restore"), deed_of(undo, undone))
    done(case.database, by("restore"), redo)
    assert (case.rows("SELECT * FROM p"), case.rows("SELECT * FROM c")) == repaired
