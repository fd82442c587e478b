"""What a statement says in words: which rows go or come, what is dropped, altered, renamed; and what says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.revisions import Ran
from upkeep.sayings import plain, sayings


def said(statement: str) -> set[tuple[str, str, str, str]]:
    """Verb, name, table and new name of all that a statement says."""
    return {(s.verb.value, s.name, s.table, s.to) for s in sayings([Ran("r", 0.0, (statement,))])}


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM people WHERE id = 3", {("delete", "people", "", "")}),
        ("delete low_priority from `the people`", {("delete", "the people", "", "")}),
        ("WITH x AS (DELETE FROM q.zed RETURNING *) SELECT 1", {("delete", "zed", "", "")}),
        ('TRUNCATE TABLE a, public."B" CASCADE', {("delete", "a", "", ""), ("delete", "b", "", "")}),
        ("UPDATE ONLY x AS y SET a = 1", {("write", "x", "", "")}),
        ("INSERT OR REPLACE INTO t VALUES (1)", {("write", "t", "", "")}),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2", {("write", "t", "", "")}),
        ("DROP TABLE IF EXISTS [a b], c", {("drop", "a b", "", ""), ("drop", "c", "", "")}),
        ("DROP INDEX CONCURRENTLY IF EXISTS i", {("drop", "i", "", "")}),
        ("ALTER TABLE t DROP COLUMN c", {("alter", "t", "", ""), ("drop", "c", "t", "")}),
        ("ALTER TABLE t DROP c", {("alter", "t", "", ""), ("drop", "c", "t", "")}),
        ("ALTER TABLE t DROP CONSTRAINT k CASCADE", {("alter", "t", "", ""), ("drop", "k", "t", "")}),
        ("ALTER TABLE t ALTER COLUMN c DROP NOT NULL", {("alter", "t", "", ""), ("alter", "c", "t", "")}),
        ("ALTER TABLE a RENAME TO b", {("alter", "a", "", ""), ("rename", "a", "", "b")}),
        ("ALTER TABLE t RENAME COLUMN a TO b", {("alter", "t", "", ""), ("rename", "a", "t", "b")}),
        ("ALTER INDEX i RENAME TO j", {("rename", "i", "", "j")}),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", {("alter", "v", "", "")}),
        ("REVOKE SELECT ON TABLE t FROM somebody", {("revoke", "t", "", "")}),
        ("CREATE TABLE t (id INT)", {("create", "t", "", "")}),
        ("CREATE TABLE t AS SELECT 1", set()),
        ("CREATE TABLE t (p INT REFERENCES p ON DELETE CASCADE ON UPDATE SET NULL)", {("create", "t", "", "")}),
        ("SELECT * FROM t FOR UPDATE", set()),
        ("-- DROP TABLE t\nSELECT 1", set()),
        ("/* DELETE FROM t */ SELECT 1", set()),
        ("COMMENT ON TABLE t IS 'x'", {("alter", "t", "", "")}),
    ],
)
def test_what_a_statement_says(statement: str, says: set[tuple[str, str, str, str]]) -> None:
    assert said(statement) == says


_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
_BLANKS = st.sampled_from([" ", "\n\t", "  "])
_VERBS = {
    "DELETE FROM {}": ("delete", ""),
    "TRUNCATE {}": ("delete", ""),
    "INSERT INTO {} VALUES (1)": ("write", ""),
    "UPDATE {} SET x = 1": ("write", ""),
    "DROP TABLE {}": ("drop", ""),
}


@given(
    verb=st.sampled_from(sorted(_VERBS)), name=_NAMES, blank=_BLANKS, quotes=st.sampled_from(['""', "``", "[]"]),
    schema=st.none() | _NAMES,
)  # fmt: skip
def test_a_quoted_name_is_the_name_whatever_it_is_and_however_it_is_set(
    verb: str, name: str, blank: str, quotes: str, schema: str | None
) -> None:
    quoted = f"{quotes[0]}{name}{quotes[1]}"
    whole = f"{schema}.{quoted}" if schema else quoted
    assert (_VERBS[verb][0], name, "", "") in said(verb.format(whole).replace(" ", blank))
    assert plain(whole) == name
