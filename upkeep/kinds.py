"""The kind of a column, by which two can hold the same values: its type without its size."""

_WHOLE_NUMBERS = ("int", "integer", "bigint", "smallint", "mediumint", "tinyint", "serial", "bigserial", "int8")


def kind_of(declared: str) -> str:
    """The type without its size; whole numbers are one kind, however wide."""
    name = declared.lower().partition("(")[0].removesuffix(" unsigned").strip()
    return "whole number" if name in _WHOLE_NUMBERS else name
