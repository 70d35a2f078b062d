"""A cache of results by request, because tests send the same requests repeatedly.

The size of the keys is limited. Pure: no sockets, no clock.
"""

from __future__ import annotations

from typing import TypeVar

from bedtape_replayer.answering.memory import Memory

K = TypeVar("K")
V = TypeVar("V")

# The overhead of a key, its tuple and its dictionary entry.
_ENTRY_BYTES = 512


class Memo(dict[K, V]):
    """A dictionary that is cleared when its entries take too much memory. most_bytes: the limit.

    largest: the greatest size of an entry that is stored. memory: counts the entries.
    """

    __slots__ = ("_bytes", "_largest", "_memory", "_most_bytes")

    def __init__(self, most_bytes: int, largest: int = 65536, memory: Memory | None = None) -> None:
        super().__init__()
        self._memory = memory or Memory()
        self._most_bytes = most_bytes
        self._largest = largest
        self._bytes = 0

    def keep(self, key: K, value: V, size: int) -> None:
        """Stores a value, unless it is too large. size: in bytes, without the overhead."""
        if size > self._largest:
            return
        size += _ENTRY_BYTES
        if self._bytes + size > self._most_bytes:
            self.clear()
        self._bytes += size
        self._memory.used += size
        self[key] = value

    def grow(self, key: K, value: V, size: int) -> None:
        """Counts the growth of a value that the memo still contains. size: may be negative."""
        if self.get(key) is value:
            self._bytes += size
            self._memory.used += size

    def drop(self, key: K, size: int) -> None:
        """Remove an entry, if the memo still contains it. size: as it was kept with."""
        if self.pop(key, None) is not None:
            self._bytes -= size + _ENTRY_BYTES
            self._memory.used -= size + _ENTRY_BYTES

    def clear(self) -> None:
        super().clear()
        self._memory.used -= self._bytes
        self._bytes = 0
