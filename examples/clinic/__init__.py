"""A small clinic: models, a history of migrations, and the damage that real life does to its database."""

from examples.clinic.build import build
from examples.clinic.kinds import ALL_KINDS, DEMO_KINDS, impossible
from examples.clinic.schema import HistoryFailed
from examples.clinic.truth import Hidden, Orphan, Truth, planted_values

__all__ = [
    "ALL_KINDS",
    "DEMO_KINDS",
    "Hidden",
    "HistoryFailed",
    "Orphan",
    "Truth",
    "build",
    "impossible",
    "planted_values",
]
