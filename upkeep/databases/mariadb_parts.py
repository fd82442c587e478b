"""All that a MariaDB schema says, thing by thing: the lines in which the server says how it would make each table."""

import re
from collections.abc import Iterator, Sequence

from upkeep.catalog import Part
from upkeep.databases.mariadb_asking import Conversation
from upkeep.databases.mariadb_schema import made, others

_NAMED = r"`((?:[^`]|``)+)`"
_COLUMN = re.compile(rf"{_NAMED} (.*)")
_CONSTRAINT = re.compile(rf"CONSTRAINT {_NAMED} (FOREIGN KEY|CHECK)? ?(.*)")
_INDEX = re.compile(rf"((?:UNIQUE |FULLTEXT |SPATIAL )?KEY) {_NAMED} (.*)")


def read_parts(conversation: Conversation, database: str, tables: Sequence[str]) -> dict[Part, str]:
    """Every part with its wording."""
    parts = {
        part: said
        for table in tables
        for line in made(conversation, database, table).splitlines()[1:]
        for part, said in _of_line(table, line.strip().rstrip(","))
    }
    for kind, *words in others(conversation, database):
        first = 2 if kind in ("trigger", "routine", "parameter") else 1
        name = " ".join(words[:first][::-1]) if kind == "trigger" else " ".join(words[:first])
        part = Part(kind, words[1], words[0]) if kind == "trigger" else Part(kind, name)
        parts[part] = f"{parts.get(part, '')} {' '.join(words[first:])}".strip()
    return parts


def _of_line(table: str, line: str) -> Iterator[tuple[Part, str]]:
    if found := _COLUMN.match(line):
        name = found[1]
        yield Part("column", name, table, name), found[2]
    elif found := _CONSTRAINT.match(line):
        yield Part((found[2] or "constraint").lower(), found[1], table), found[3]
    elif found := _INDEX.match(line):
        yield Part("index", found[2], table), f"{found[1]} {found[3]}"
    elif line.startswith("PRIMARY KEY"):
        yield Part("primary key", "", table), line.removeprefix("PRIMARY KEY").strip()
    elif line.startswith(")"):
        yield Part("options", "", table), line.removeprefix(")").strip()
    elif line:
        yield Part("clause", line, table), line
