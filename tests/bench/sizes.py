"""How large the databases are on which the figures are measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Rows, MiB, seconds and rounds of one run of the bench."""

    name: str
    rounds: int
    detection_rows: int
    backup_mib: int
    clinic_mib: int
    idle_seconds: float
    lock_rows: tuple[int, int]
    lock_repairs: int
    plan_rows: tuple[int, int]
    wal_nightly: bool = True
    starts: int = 3
    is_judged: bool = False

    def aim(self, ratio: float) -> float | None:
        """The aim, None at a size at which what is fixed outweighs the work: aims are for the full one."""
        return ratio if self.is_judged else None


FULL = Sizes("full", 3, 10_000_000, 500, 100, 5.0, (100_000, 10_000_000), 1000, (100_000, 1_000_000), is_judged=True)
QUICK = Sizes(
    "quick", 2, 1_000_000, 50, 10, 2.0, (20_000, 400_000), 1000, (10_000, 100_000), wal_nightly=False, starts=1
)
TINY = Sizes("tiny", 1, 2_000, 1, 1, 0.2, (3_000, 9_000), 60, (400, 1_000), wal_nightly=False, starts=1)
"""For the smoke test: what it gives says nothing of any speed."""

BY_NAME = {sizes.name: sizes for sizes in (FULL, QUICK, TINY)}
