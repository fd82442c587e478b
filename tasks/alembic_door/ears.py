"""What each revision says and does while it runs, heard without asking anything before it."""

import re
import time
from typing import Any

from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import MigrationContext

from .batches import words_of

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_MOST = 5000
_LONGEST = 1000
"""So many different statements of one revision are told, and so many signs of each; a loop says the same each time."""


class Ears:
    """What each revision says while it runs: its statements without their values (P-100), and its seconds.

    A batch that makes a table anew says DROP TABLE, and means nothing by it: in its place stands what it was asked for.
    """

    def __init__(self, watch: str) -> None:
        self._watch, self._seen = watch, set[tuple[str, str]]()
        self._heard: dict[str, None] | None = None
        self._rebuild = BatchOperationsImpl.flush
        self.told: list[dict[str, Any]] = []

    def listening(self, step: Any, context: MigrationContext) -> Any:
        """The step, which is heard when it runs.

        Nothing is asked before: it would begin a transaction, and Alembic leaves one that it finds to others (P-115).
        """
        upgrade = step.migration_fn

        def heard(**more: Any) -> None:
            self._seen = self._seen or self._look(context)
            self._heard, begun = {}, time.monotonic()
            try:
                upgrade(**more)
            finally:
                said, self._heard = list(self._heard), None
                self.told.append(
                    {
                        "revision": step.revision.revision,
                        "seconds": time.monotonic() - begun,
                        "said": said,
                        "effects": [],
                    }
                )
            seen = self._look(context)
            self.told[-1]["effects"] = sorted(seen - self._seen)
            self._seen = seen

        step.migration_fn = heard
        return step

    def hear(self, _c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        """Before each statement of whatever connection."""
        if self._heard is not None and len(self._heard) < _MOST:
            self._heard[_LITERAL.sub("?", statement)[:_LONGEST]] = None

    def rebuild(self, batch: BatchOperationsImpl) -> None:
        """A batch that makes its table anew."""
        heard, self._heard = self._heard, None
        try:
            self._rebuild(batch)
        finally:
            self._heard = heard
        for word in words_of(batch):
            self.hear(None, None, word)

    def _look(self, context: MigrationContext) -> set[tuple[str, str]]:
        if not self._watch or context.connection is None:
            return set()
        rows = context.connection.exec_driver_sql(self._watch).all()
        return {(str(what), str(name)) for what, name in rows}
