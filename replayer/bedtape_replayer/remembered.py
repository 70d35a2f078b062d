"""What was found out about a request's body, remembered by its bytes: tests send the same ones again and again.

Bounded by what the bodies take. Pure: no sockets, no clock.
"""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Remembered"]

K = TypeVar("K")
V = TypeVar("V")

_MOST_BYTES = 16 * 1024 * 1024
_LARGEST = 65536
# What a key, its tuple and its place take beside the body.
_AN_ENTRY = 512


class Remembered(dict[K, V]):
    """A dictionary that is emptied when the bodies in its keys grow too many."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self._bytes = 0

    def keep(self, key: K, value: V, body: bytes) -> None:
        """Remembers a value, if the body that is in the key is not too large."""
        if len(body) > _LARGEST:
            return
        self._bytes += len(body) + _AN_ENTRY
        if self._bytes > _MOST_BYTES:
            self.clear()
            self._bytes = len(body) + _AN_ENTRY
        self[key] = value
