"""What simulated features remember between the calls of a session.

No clock: the caller passes the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bedtape_replayer.answering.memory import Memory

# A session keeps this number of prompt caches. The oldest is dropped first, because
# clients choose the requests.
_MOST = 10_000
# The memory of a prompt cache. Measured.
_BYTES = 250


@dataclass(slots=True)
class _Cache:
    """until: seconds of the virtual clock. lifetime: seconds without use."""

    until: float
    lifetime: float


class Caches:
    """The prompt caches of a session, by the key of the prefix. memory: counts them."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self._caches: dict[bytes, _Cache] = {}

    def is_alive(self, key: bytes, now: float) -> bool:
        """Whether a cache has this prefix and was used within its lifetime."""
        cache = self._caches.get(key)
        return cache is not None and now < cache.until

    def renew(self, key: bytes, now: float) -> None:
        """Begin the lifetime of a cache anew, because it was read."""
        cache = self._caches[key]
        cache.until = now + cache.lifetime

    def keep(self, key: bytes, now: float, lifetime: float) -> None:
        """Add a cache, or replace it. lifetime: seconds."""
        if key not in self._caches:
            if len(self._caches) >= _MOST:
                del self._caches[next(iter(self._caches))]
                self._memory.used -= _BYTES
            self._memory.used += _BYTES
        self._caches[key] = _Cache(now + lifetime, lifetime)

    def dump(self) -> tuple[tuple[bytes, float, float], ...]:
        """Return the caches as tuples, to be loaded by another server."""
        return tuple((key, each.until, each.lifetime) for key, each in self._caches.items())

    def load(self, caches: Iterable[tuple[bytes, float, float]]) -> None:
        """Replace the caches by those of another server."""
        self.clear()
        self._caches = {key: _Cache(until, lifetime) for key, until, lifetime in caches}
        self._memory.used += len(self._caches) * _BYTES

    def clear(self) -> None:
        """Drop all caches."""
        self._memory.used -= len(self._caches) * _BYTES
        self._caches.clear()
