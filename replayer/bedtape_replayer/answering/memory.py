"""Counts the bytes that a server keeps for its clients: histories, layers, positions,
kept answers and caches.

Each holder adds what it keeps and subtracts what it drops, so the count costs one addition and is
never computed anew. The sessions drop their oldest calls when `used` exceeds `limit`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar


def _ignore() -> None:
    pass


class Memory:
    """A limit in bytes, and the bytes in use.

    The recordings themselves and requests in flight are not counted.

    forgotten: the number of calls that histories have dropped because of a limit, since the start.
    bodies: how many calls in histories share one body, by the identity of the body; a body is
    counted once. report: is called after a session was made, and after sessions or calls were
    dropped.
    """

    LIMIT: ClassVar[int] = 1024 * 1024 * 1024

    __slots__ = ("bodies", "forgotten", "limit", "report", "used")

    def __init__(self, limit: int = LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"expected a limit of at least 1 byte, found {limit}")
        self.limit = limit
        self.used = 0
        self.forgotten = 0
        self.bodies: dict[int, int] = {}
        self.report: Callable[[], object] = _ignore

    @property
    def target(self) -> int:
        """The bytes at which dropping stops.

        It is below the limit, because a drop of one entry at a time is slow.
        """
        return self.limit - self.limit // 64

    def share(self, most: int) -> int:
        """Return the limit of a cache: `most` bytes, or a 32nd of a small limit."""
        return min(most, self.limit // 32)
