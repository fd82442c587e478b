"""Mappings as large as a plan may be, kept on disk, so that the memory of a process stays what it is."""

import marshal
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping
from typing import TypeVar

from upkeep.spilled import Form, Spill, flat

K = TypeVar("K")
V = TypeVar("V")
_TABLE = "CREATE TABLE held (n INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)"
_PUT = "INSERT INTO held (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_KILOBYTES = 2000
TEXTS: Form[str] = Form(lambda text: (text,), lambda plain: plain[0])


class SpilledMapping(MutableMapping[K, V]):
    """What a dict holds, on disk and in the order in which its keys came. Nothing is put into it while it is read.

    Keys are the same whose plain tuples are, in types too: 1 and 1.0 are two.
    """

    def __init__(self, keys: Form[K], values: Form[V], items: Iterable[tuple[K, V]] = ()) -> None:
        self._spill = Spill(_TABLE, kilobytes=_KILOBYTES)
        self._keys, self._values = keys, values
        self.put(items)

    def put(self, items: Iterable[tuple[K, V]]) -> None:
        """All of them; of one key the last."""
        self._spill.run_for_each(_PUT, (self._plain(key, value) for key, value in items))

    def _plain(self, key: K, value: V) -> tuple[bytes, bytes]:
        return self._key(key), marshal.dumps(self._values.plain(value))

    def __getitem__(self, key: K) -> V:
        found = self._spill.first("SELECT value FROM held WHERE key = ?", (self._key(key),))
        if found is None:
            raise KeyError(key)
        return self._values.made(marshal.loads(found[0]))  # noqa: S302  # ours: a file without a name

    def __contains__(self, key: K) -> bool:  # type: ignore[override]  # of no other kind
        return self._spill.first("SELECT 1 FROM held WHERE key = ?", (self._key(key),)) is not None

    def __setitem__(self, key: K, value: V) -> None:
        self._spill.run(_PUT, self._plain(key, value))

    def __delitem__(self, key: K) -> None:
        if not self._spill.run("DELETE FROM held WHERE key = ?", (self._key(key),)):
            raise KeyError(key)

    def items(self) -> ItemsView[K, V]:
        """Its items, read in one go."""
        return _Items(self)

    def read(self) -> Iterator[tuple[K, V]]:
        """Each key with its value."""
        for key, value in self._spill.rows("SELECT key, value FROM held ORDER BY n"):
            yield self._keys.made(marshal.loads(key)), self._values.made(marshal.loads(value))  # noqa: S302  # ours

    def __iter__(self) -> Iterator[K]:
        for (raw,) in self._spill.rows("SELECT key FROM held ORDER BY n"):
            yield self._keys.made(marshal.loads(raw))  # noqa: S302  # ours, see above

    def __len__(self) -> int:
        return self._spill.number("SELECT COUNT(*) FROM held")

    def _key(self, key: K) -> bytes:
        return flat(self._keys.plain(key))


class _Items(ItemsView[K, V]):
    """To iterate over them looks nothing up."""

    _mapping: SpilledMapping[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping.read()
