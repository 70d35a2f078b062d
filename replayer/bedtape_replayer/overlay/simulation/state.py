"""What simulated features remember between the calls of a session.

No clock: the caller passes the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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


# The endpoint (bedrock-runtime or bedrock-mantle) and the model, which have a quota together.
QuotaKey: TypeAlias = tuple[str, str]
_DAY = 86_400.0
# A session counts the requests of this number of models, because clients choose the model.
_MOST_MODELS = 1_000
_ENTRY_BYTES = 200


@dataclass(slots=True)
class _Entry:
    """The requests at one time of the virtual clock, and the tokens of their quota."""

    at: float
    requests: int = 0
    tokens: int = 0


class Usage:
    """The requests of a session in the last day, and their tokens. memory: counts them."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self._entries: dict[QuotaKey, deque[_Entry]] = {}

    def count(self, key: QuotaKey, now: float, seconds: float) -> tuple[int, int]:
        """Return the requests and the tokens of the last seconds."""
        entries = [each for each in self._entries.get(key, ()) if each.at > now - seconds]
        return sum(each.requests for each in entries), sum(each.tokens for each in entries)

    def add(self, key: QuotaKey, now: float, *, requests: int = 0, tokens: int = 0) -> None:
        """Count requests and tokens at this time."""
        if key not in self._entries and len(self._entries) >= _MOST_MODELS:
            self._drop(next(iter(self._entries)))
        entries = self._entries.setdefault(key, deque())
        while entries and entries[0].at <= now - _DAY:
            entries.popleft()
            self._memory.used -= _ENTRY_BYTES
        if not entries or entries[-1].at != now:
            entries.append(_Entry(now))
            self._memory.used += _ENTRY_BYTES
        entries[-1].requests += requests
        entries[-1].tokens += tokens

    def dump(self) -> tuple[tuple[QuotaKey, tuple[tuple[float, int, int], ...]], ...]:
        """Return the requests as tuples, to be loaded by another server."""
        return tuple(
            (key, tuple((each.at, each.requests, each.tokens) for each in entries))
            for key, entries in self._entries.items()
        )

    def load(self, usage: Iterable[tuple[QuotaKey, tuple[tuple[float, int, int], ...]]]) -> None:
        """Replace the requests by those of another server."""
        self.clear()
        self._entries = {key: deque(_Entry(*each) for each in entries) for key, entries in usage}
        self._memory.used += sum(map(len, self._entries.values())) * _ENTRY_BYTES

    def clear(self) -> None:
        """Forget all requests."""
        for key in tuple(self._entries):
            self._drop(key)

    def _drop(self, key: QuotaKey) -> None:
        self._memory.used -= len(self._entries.pop(key)) * _ENTRY_BYTES


@dataclass(slots=True)
class SimulationState:
    """What the features of a session remember."""

    caches: Caches = field(default_factory=Caches)
    usage: Usage = field(default_factory=Usage)
    guardrails: GuardrailStore = field(default_factory=GuardrailStore)

    @classmethod
    def of(cls, memory: Memory) -> SimulationState:
        """Create an empty state whose size is counted."""
        return cls(Caches(memory), Usage(memory), GuardrailStore(memory))

    def dump(self) -> tuple[Any, ...]:
        """Return everything as tuples, to be loaded by another server; empty if it is nothing."""
        parts = (self.caches.dump(), self.usage.dump(), self.guardrails.dump())
        return parts if any(parts) else ()

    def load(self, parts: tuple[Any, ...]) -> None:
        """Replace everything by what another server has."""
        caches, usage, guardrails = parts or ((), (), ())
        self.caches.load(caches)
        self.usage.load(usage)
        self.guardrails.load(guardrails)

    def clear(self) -> None:
        """Forget everything."""
        self.caches.clear()
        self.usage.clear()
        self.guardrails.clear()
