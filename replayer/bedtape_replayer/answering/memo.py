"""What was found out about requests, remembered by their bytes: tests send the same ones again and again.

Bounded by what the keys take. Pure: no sockets, no clock.
"""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Memo"]

K = TypeVar("K")
V = TypeVar("V")

_LARGEST = 65536
# What a key, its tuple and its place take beside what it says.
_ENTRY_BYTES = 512


class Memo(dict[K, V]):
    """A dictionary that is emptied when its keys grow too many. most_bytes: what they may take."""

    __slots__ = ("_bytes", "_most_bytes")

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._bytes = 0

    def keep(self, key: K, value: V, size: int) -> None:
        """Remembers a value, if its key is not too large. size: the key's, in bytes."""
        if size > _LARGEST:
            return
        self._bytes += size + _ENTRY_BYTES
        if self._bytes > self._most_bytes:
            self.clear()
            self._bytes = size + _ENTRY_BYTES
        self[key] = value
