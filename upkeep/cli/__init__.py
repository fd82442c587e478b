"""The command line: the same flows and the same kernel, for a shell and for emergencies."""

from upkeep.cli.entry import main

__all__ = ["main"]
