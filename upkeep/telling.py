"""How far long work on rows has come: a word for what is done with them, and how many more are done."""

from collections.abc import Callable

Tell = Callable[[str, int], None]


def SILENCE(_what: str, _rows: int) -> None:  # noqa: N802  # it stands where nobody asks
    """Told to nobody."""
