"""The foreign keys in the text of a CREATE TABLE statement: where each stands, what it is called, what it says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from upkeep.databases.sqlite_text import Token, unquoted, words

_CONSTRAINT = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_ACTIONS = {"SET": 2, "NO": 2, "CASCADE": 1, "RESTRICT": 1}
"""The first word of what ON DELETE says, and of how many words it is."""


@dataclass(frozen=True)
class Clause:
    """One REFERENCES with all that follows it; places are in the statement.

    ``begin`` and ``end`` bound the whole definition of the column or constraint that it is in. ``after_target`` is the
    end of the parent and its columns; ``actions`` are the places of what it says ON DELETE.
    """

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    ondelete: str
    begin: int
    end: int
    after_target: int
    actions: tuple[tuple[int, int], ...]


def edits(statement: str, wanted: Mapping[Clause, str]) -> tuple[tuple[str, str], ...]:
    """The definitions that change so that each of these clauses says its ON DELETE, or else the whole statement.

    As they are, and as they become. Each stands once in the statement, also after those before it were changed, and
    stands once when it was: so they can be looked for by their text, forth and back.
    """
    by_place: dict[tuple[int, int], dict[Clause, str]] = defaultdict(dict)
    for clause, ondelete in wanted.items():
        by_place[clause.begin, clause.end][clause] = ondelete
    pairs = tuple(
        (statement[begin:end], _saying(statement[:end], few)[begin:]) for (begin, end), few in by_place.items()
    )
    text = statement
    for before, after in pairs:
        if text.count(before) != 1 or text.replace(before, after).count(after) != 1:
            return ((statement, _saying(statement, wanted)),)
        text = text.replace(before, after)
    return pairs


def _saying(text: str, wanted: Mapping[Clause, str]) -> str:
    changes = []
    for clause, ondelete in wanted.items():
        first, *others = clause.actions or [(clause.after_target, clause.after_target)]
        said = f"{'' if clause.actions else ' '}ON DELETE {ondelete}"
        changes += [(*first, said), *((*place, "") for place in others)]
    for begin, end, new in sorted(changes, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def clauses_of(statement: str) -> tuple[Clause, ...]:
    """Every foreign key of a CREATE TABLE statement in the order in which it is written; () where it has none."""
    tokens = words(statement)
    opening = next((n for n, token in enumerate(tokens) if token.text == "("), None)
    if opening is None:
        return ()
    return tuple(clause for definition in _definitions(tokens, opening) for clause in _clauses(definition))


def _definitions(tokens: Sequence[Token], opening: int) -> Iterator[tuple[Token, ...]]:
    """The tokens of each column and constraint: between the commas that stand in no further bracket."""
    depth, gathered = 1, list[Token]()
    for token in tokens[opening + 1 :]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 or (depth == 1 and token.text == ","):
            yield from [tuple(gathered)] if gathered else []
            gathered = []
        else:
            gathered.append(token)
        if depth == 0:
            return


def _clauses(definition: tuple[Token, ...]) -> Iterator[Clause]:
    """A column may have several; between constraints of a table SQLite does not insist on commas."""
    columns: tuple[str, ...] = () if definition[0].word in _CONSTRAINT else (unquoted(definition[0].text),)
    name, depth, at = "", 0, 0
    while at < len(definition):
        token = definition[at]
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.word == "FOREIGN":
            name = _named_before(definition, at)
            columns, at = _bracketed(definition, at + 2)
        elif depth == 0 and token.word == "REFERENCES":
            clause, at = _reference(definition, at, columns, name or _named_before(definition, at))
            yield clause
        else:
            at += 1


def _reference(definition: tuple[Token, ...], at: int, columns: tuple[str, ...], name: str) -> tuple[Clause, int]:
    parent, after = unquoted(definition[at + 1].text), at + 2
    target, after = _bracketed(definition, after) if _word(definition, after) == "(" else ((), after)
    target_end, at = definition[after - 1].end, after
    ondelete, actions = "NO ACTION", list[tuple[int, int]]()
    while (taken := _taken(definition, at)) > 0:
        if _word(definition, at) == "ON" and _word(definition, at + 1) == "DELETE":
            actions.append((definition[at].begin, definition[at + taken - 1].end))
            ondelete = " ".join(token.word for token in definition[at + 2 : at + taken])
        at += taken
    begin, end = definition[0].begin, definition[-1].end
    return Clause(name, columns, parent, target, ondelete, begin, end, target_end, tuple(actions)), at


def _taken(definition: tuple[Token, ...], at: int) -> int:
    """How many tokens the next word about the reference takes; 0 where something else begins."""
    match _word(definition, at), _word(definition, at + 1):
        case "ON", _:
            return 2 + _ACTIONS.get(_word(definition, at + 2), 1)
        case "MATCH", _:
            return 2
        case "NOT", "DEFERRABLE":
            return 2
        case "DEFERRABLE", _:
            return 1
        case "INITIALLY", _:
            return 2
    return 0


def _bracketed(definition: tuple[Token, ...], at: int) -> tuple[tuple[str, ...], int]:
    """The names between the brackets that open at ``at``, and the place after them."""
    end = next(n for n in range(at, len(definition)) if definition[n].text == ")")
    return tuple(unquoted(token.text) for token in definition[at + 1 : end] if token.text != ","), end + 1


def _named_before(definition: tuple[Token, ...], at: int) -> str:
    return unquoted(definition[at - 1].text) if at >= 2 and definition[at - 2].word == "CONSTRAINT" else ""


def _word(definition: tuple[Token, ...], at: int) -> str:
    return definition[at].word if at < len(definition) else ""
