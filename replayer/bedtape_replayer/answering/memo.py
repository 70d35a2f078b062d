"""A cache of results by request, because tests send the same requests repeatedly.

The size of the keys is limited. Pure: no sockets, no clock.
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

# The overhead of a key, its tuple and its dictionary entry.
_ENTRY_BYTES = 512


class Memo(dict[K, V]):
    """A dictionary that is cleared when its entries take too much memory. most_bytes: the limit.

    largest: the greatest size of an entry that is stored.
    """

    __slots__ = ("_bytes", "_largest", "_most_bytes")

    def __init__(self, most_bytes: int, largest: int = 65536) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._largest = largest
        self._bytes = 0

    def keep(self, key: K, value: V, size: int) -> None:
        """Stores a value, unless it is too large. size: the size of the entry in bytes, without its overhead."""
        if size > self._largest:
            return
        self._bytes += size + _ENTRY_BYTES
        if self._bytes > self._most_bytes:
            self.clear()
            self._bytes = size + _ENTRY_BYTES
        self[key] = value
