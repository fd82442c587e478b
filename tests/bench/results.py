"""What a figure is: series of measurements, and ratios of things that were measured side by side."""

from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Series:
    """One thing measured ``len(values)`` times, in ``unit`` (s or ms).

    ``peak_mib`` is the largest resident memory of its process and ``cpu`` the least seconds that it computed, on all
    cores together: None where it was not a process of its own.
    """

    name: str
    values: tuple[float, ...]
    unit: str = "s"
    peak_mib: float | None = None
    cpu: float | None = None

    @property
    def best(self) -> float:
        """The least: what the work takes when nobody disturbs it."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    def document(self) -> dict[str, Any]:
        """The series as JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "n": len(self.values),
            "best": round(self.best, 4),
            "median": round(self.median, 4),
            "values": [round(value, 4) for value in self.values],
            "cpu": None if self.cpu is None else round(self.cpu, 4),
            "peak_mib": None if self.peak_mib is None else round(self.peak_mib, 1),
        }


@dataclass(frozen=True)
class Ratio:
    """How many times ``over`` something is; ``aim`` is what it should be at most, None where nothing was promised."""

    what: str
    over: str
    value: float
    aim: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Is it within its aim? None where there is none."""
        return None if self.aim is None else self.value <= self.aim

    def document(self) -> dict[str, Any]:
        """The ratio as JSON."""
        return {
            "what": self.what,
            "over": self.over,
            "value": round(self.value, 3),
            "aim": self.aim,
            "met": self.is_met,
        }


@dataclass(frozen=True)
class Figure:
    """One figure of the design with all that was measured for it; ``told`` says how, ``notes`` what else was seen."""

    name: str
    title: str
    told: str
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "told": self.told,
            "series": [series.document() for series in self.series],
            "ratios": [ratio.document() for ratio in self.ratios],
            "notes": list(self.notes),
        }


def ratio(what: Series, over: Series, aim: float | None = None) -> Ratio:
    """The best of one over the best of the other."""
    return Ratio(what.name, over.name, what.best / over.best, aim)


def cpu_ratio(what: Series, over: Series) -> Ratio:
    """The seconds computed for one over those for the other: what a busy machine disturbs least."""
    if what.cpu is None or over.cpu is None:
        raise ValueError(f"no processor time was measured of {what.name} or {over.name}")
    return Ratio(f"processor time of {what.name}", over.name, what.cpu / over.cpu)


def memory_ratio(what: Series, over: Series, aim: float | None = None) -> Ratio:
    """The peak memory of one over that of the other; raises ValueError where it was not measured."""
    if what.peak_mib is None or over.peak_mib is None:
        raise ValueError(f"no memory was measured of {what.name} or {over.name}")
    return Ratio(f"peak memory of {what.name}", over.name, what.peak_mib / over.peak_mib, aim)
