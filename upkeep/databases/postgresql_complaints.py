"""What pg_restore complained of, statement by statement, and what that means (P-13, P-16)."""

import re
from dataclasses import dataclass

from upkeep.errors import Damaged, Refused, Unreachable, UpkeepError

_COMPLAINT = re.compile(
    r"^pg_restore: error: (?P<said>.*?)(?:^Command was: (?P<statement>.*?))?(?=^pg_restore: |\Z)",
    re.MULTILINE | re.DOTALL,
)
_KEY = re.compile(r"ALTER TABLE (?:ONLY )?(?P<table>.*?)\n\s+ADD CONSTRAINT .* FOREIGN KEY \(", re.DOTALL)
_OLDER = re.compile(
    r"SET (transaction_timeout|idle_session_timeout|default_table_access_method|default_toast_compression)"
)
_PASSES = re.compile(
    r"connection to server|server closed|terminating connection|lock timeout|no connection to the server"
)
_MAY_NOT = re.compile(
    r"permission denied|must be (super|owner|able)|is not available|could not open extension|No space left"
)


@dataclass(frozen=True)
class Complaint:
    """One thing that pg_restore could not do: what the server said, first line only, and the statement."""

    said: str
    statement: str

    @property
    def keyed_table(self) -> str | None:
        """The table as SQL writes it, where the statement was to give it a foreign key."""
        found = _KEY.match(self.statement)
        return found["table"] if found else None

    @property
    def is_remark(self) -> bool:
        """Do neither rows nor what guards them depend on it? So it is with a comment on what belongs to others."""
        return self.statement.startswith("COMMENT ON ")

    @property
    def is_nothing(self) -> bool:
        """Is it only that pg_restore is newer than the server, which has no such timeout to switch off?"""
        return bool(_OLDER.match(self.statement))

    def as_error(self, place: str) -> UpkeepError:
        """The complaint as what ends the restore."""
        if _PASSES.search(self.said):
            return Unreachable(f"the server of {place} was lost during the restore: {self.said}", "run it again")
        if _MAY_NOT.search(self.said):
            return Refused(
                f"the backup cannot be restored to {place}: {self.said}",
                "give the role the right, or the server the extension or the room, that is missing",
            )
        return Damaged(f"the backup cannot be restored whole to {place}: {self.said}", "nothing of it was kept")


def complaints_in(said: str) -> tuple[Complaint, ...]:
    """The complaints in what pg_restore wrote; whatever it wrote without that form is one too."""
    found = [
        Complaint(_first_line(match["said"]), (match["statement"] or "").strip()) for match in _COMPLAINT.finditer(said)
    ]
    return tuple(found)


def _first_line(said: str) -> str:
    """Without the lines that hold values of a row."""
    return said.partition("\n")[0].removeprefix("could not execute query: ").strip()
