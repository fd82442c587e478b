"""The three errors, by what the caller can do about them."""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""By these numbers an operating system says that a disk, or one's part of it, is full."""


class UpkeepError(Exception):
    """What went wrong in one lower-case line, and a hint of what to do next."""

    exit_code = 4

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["UpkeepError"], tuple[str, str]]:
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


class Unreachable(UpkeepError):
    """Something did not answer: trying again may help. The only error that is retried."""

    exit_code = 3


class Busy(Unreachable):
    """Others hold what is needed, or won the race for it; the transaction was undone whole, and nothing is lost."""


class Unfinished(Unreachable):
    """What was begun in no transaction could be neither completed nor put back yet; the next run does."""


class Refused(UpkeepError):
    """Upkeep will not do this as asked: a person has to decide or to correct something."""

    exit_code = 2


class Taken(Refused):
    """A name in the store that should have been free is not."""


class RowRefused(Refused):
    """The database itself refused to change a row: a constraint or a trigger."""


class TransactionEnded(RowRefused):
    """The database refused a row and undid the whole transaction with it: nothing more may be tried in it."""


class Damaged(UpkeepError):
    """What should be whole is not: stop."""

    exit_code = 4


class Escaped(Damaged):
    """Something was done for good that should have been done together with the rest or not at all."""
