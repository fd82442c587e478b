"""The answer of an engine for whose SQL there is no linter."""

from collections.abc import Sequence
from pathlib import Path

from upkeep.revisions import Lint


class LintingNothing:
    """None, so nothing is said."""

    def lint(self, scripts: Sequence[Sequence[str]], folder: Path) -> tuple[Lint, ...]:
        """Nothing."""
        del scripts, folder
        return ()
