"""What is wrong, in words that may be shown: no statement, no parameter, no value of a row."""


class Told(Exception):
    """What is wrong with the scripts, in words, and what to do next."""


def said_of(fault: BaseException) -> str:
    """The error without statement and parameters, which may hold values of rows (P-100)."""
    original = getattr(fault, "orig", None) or fault
    first = (str(original).splitlines() or [""])[0]
    return f"{type(original).__name__}: {first}"


def state_of(fault: BaseException) -> str:
    """The SQLSTATE that the server gave, by whatever name the driver has for it; '' where it gave none."""
    original = getattr(fault, "orig", None) or fault
    return str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
