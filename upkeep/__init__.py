"""Upkeep: the words of database maintenance and the judgements that follow from them."""

__version__ = "0.1.0"
