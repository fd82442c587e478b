"""A plan on SQLite takes no row away that it does not name, whatever the table says of conflicts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from upkeep.databases import Writing
from upkeep.databases.sqlite import SqliteDatabase
from upkeep.errors import RowRefused
from upkeep.values import Row

ROWS: list[Row] = [(1, "a", 5), (2, "b", 6)]


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Cards of which the newest wins, as the table says, and a log that takes each number once."""
    path = tmp_path / "cards.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE cards (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, number INTEGER,
              UNIQUE (name) ON CONFLICT REPLACE, UNIQUE (number) ON CONFLICT REPLACE);
            CREATE TABLE plain (id INTEGER PRIMARY KEY);
            CREATE TABLE log (id INTEGER PRIMARY KEY);
            CREATE TRIGGER tell AFTER INSERT ON plain BEGIN INSERT OR IGNORE INTO log VALUES (NEW.id); END;
            INSERT INTO cards VALUES (1, 'a', 5), (2, 'b', 6);
            INSERT INTO log VALUES (7);
        """)
    return path


@pytest.fixture
def writing(cards: Path) -> Iterator[Writing]:
    """A transaction that changes rows of them."""
    with SqliteDatabase("cards", cards).writing() as writing:
        yield writing


def test_p68_a_row_that_comes_back_takes_no_other_away(writing: Writing) -> None:
    with pytest.raises(RowRefused, match=r"UNIQUE constraint failed: cards\.name"):
        writing.insert("cards", ("id", "name", "number"), [(3, "c", 7), (4, "A", 8)])
    assert list(writing.rows("SELECT * FROM cards ORDER BY id")) == ROWS


def test_p68_a_row_that_is_set_takes_no_other_away(writing: Writing) -> None:
    with pytest.raises(RowRefused, match=r"UNIQUE constraint failed: cards\.number"):
        writing.assign("cards", ("number",), {(2,): (5,)})
    assert list(writing.rows("SELECT * FROM cards ORDER BY id")) == ROWS


def test_a_trigger_goes_on_passing_over_what_it_says_that_it_passes_over(writing: Writing) -> None:
    assert writing.insert("plain", ("id",), [(7,), (8,)]) == 2
    assert list(writing.rows("SELECT id FROM log ORDER BY id")) == [(7,), (8,)]
