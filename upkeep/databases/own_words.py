"""What a trigger says that refuses a row: told where the schema says the same, for else it may hold values."""

from upkeep.errors import Refused

UNTOLD = "a trigger refuses it, in words that may hold values of the row"
"""An application writes `no refund for Ada Lovelace` there. What we repeat stands in plans, on pages and in logs."""


def literal(said: str) -> str:
    """The words as they stand in a trigger's source, if they stand there."""
    return "'" + said.replace("'", "''") + "'"


def unaskable(said: str) -> Refused:
    """A query that stands in the policy fails."""
    return Refused(f"a query of the policy cannot be asked: {said}", "correct it in the policy")
