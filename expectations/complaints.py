"""What may be told of an error that kept an expectation from being asked: its kind, and no value of a row."""

import re

DRIVER_ERROR = re.compile(
    r"\(\w[\w.]*\.(\w+)\) (.+)"
)  # as SQLAlchemy writes it: (sqlite3.OperationalError) no such table
ERROR_CLASS = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception))(?::|$)", re.MULTILINE)
WRAPPERS = ("MetricResolutionError", "MetricComputationError", "MetricError")
RAISED_BY_SQL = ("RaiseException",)  # the words of a function's author, who may have put a value among them
NAMED_BY_THE_QUERY = re.compile(r"\b(relation|table|column|schema|function|near) \"[\w.]+\"")
NUMBER = re.compile(r"\b\d[\d.,:-]*\b")
LONGEST = 120


def complaint(message: str, traceback: str) -> str:
    """The class of an error, and the words of the database where it was the database that complained.

    Messages of Python code may quote a value without quotation marks, so of those only the class is told. Databases
    mark a value by quotation marks or tell it in the lines after the first: from there on nothing is kept (P-50).
    """
    found = DRIVER_ERROR.match(message)
    if found:
        words = "" if found[1] in RAISED_BY_SQL else without_literals(found[2])
        return f"{found[1]}: {words}".rstrip(": ")
    classes = [name for name in ERROR_CLASS.findall(traceback) if name not in WRAPPERS]
    return classes[-1] if classes else "error"


def without_literals(line: str) -> str:
    """One line of a database's complaint up to its first literal; names of tables and columns are none."""
    words = NAMED_BY_THE_QUERY.sub(lambda named: named[0].replace('"', ""), line)
    kept = re.split(r"['\"`(]", words, maxsplit=1)[0]
    return NUMBER.sub("?", kept).strip(" :")[:LONGEST]
