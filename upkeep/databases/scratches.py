"""What servers' engines do alike with throw-away databases: drop one, and drop what runs have left behind."""

from typing import Generic, Protocol, TypeVar

from upkeep.errors import Refused


class Keeper(Protocol):
    """Who knows the scratches of one live database."""

    def drop(self, name: str) -> None:
        """Drop a scratch, made or not."""

    def sweep(self) -> tuple[str, ...]:
        """Drop those whose run has ended; their names."""


class Named(Protocol):
    """A place on a server; as text it is fit to be shown."""

    @property
    def database(self) -> str:
        """The name of the database."""


AnyKeeper = TypeVar("AnyKeeper", bound=Keeper)
AnyPlace = TypeVar("AnyPlace", bound=Named)


class ThrowingAway(Generic[AnyKeeper, AnyPlace]):
    """The verbs for scratches of a database of a server, which may be one itself."""

    place: AnyPlace
    is_scratch: bool
    scratches: AnyKeeper | None

    def discard(self) -> None:
        """Drop a scratch; connections that others have to it are ended."""
        if not self.is_scratch:
            raise Refused(f"{self.place} is not a scratch database", "Upkeep never removes a database")
        self._scratches.drop(self.place.database)

    def sweep(self) -> tuple[str, ...]:
        """Drop the scratches whose run has ended, well or not."""
        return self._scratches.sweep()

    @property
    def _scratches(self) -> AnyKeeper:
        assert self.scratches is not None  # noqa: S101  # from_url and scratch() give them
        return self.scratches
