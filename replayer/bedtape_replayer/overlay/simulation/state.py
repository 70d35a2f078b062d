"""What simulated features remember between the calls of a session.

No clock: the caller passes the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.simulation.guardrails.store import GuardrailStore

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
        """Add a cache, or renew the one that is alive. lifetime: of a new cache, in seconds."""
        if self.is_alive(key, now):
            self.renew(key, now)
            return
        if key not in self._caches:
            if len(self._caches) >= _MOST:
                del self._caches[next(iter(self._caches))]
                self._memory.used -= _BYTES
            self._memory.used += _BYTES
        self._caches[key] = _Cache(now + lifetime, lifetime)

    def clear(self) -> None:
        """Drop all caches."""
        self._memory.used -= len(self._caches) * _BYTES
        self._caches.clear()


@dataclass(slots=True)
class SimulationState:
    """What the features of a session remember."""

    caches: Caches = field(default_factory=Caches)
    guardrails: GuardrailStore = field(default_factory=GuardrailStore)

    @classmethod
    def of(cls, memory: Memory) -> SimulationState:
        """Create an empty state whose size is counted."""
        return cls(Caches(memory), GuardrailStore(memory))

    def clear(self) -> None:
        """Forget everything."""
        self.caches.clear()
        self.guardrails.clear()
