"""The guardrails that a session has created.

No clock: the caller passes the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.simulation.guardrails.policy import Policy

DRAFT = "DRAFT"
# A session keeps this number of guardrails and of versions, because clients choose them. The
# service allows 100 guardrails of an account and 20 versions of each.
MOST, MOST_VERSIONS = 100, 20
_BYTES, _FACTOR = 1_000, 8


@dataclass(slots=True)
class Version:
    """One version of a guardrail. created, updated: seconds of the virtual clock. description: of
    the version. request: the token of the request that created it, and a digest of the request.
    """

    policy: Policy
    created: float
    updated: float
    description: str | None = None
    request: tuple[str, bytes] = ("", b"")

    @property
    def size(self) -> int:
        """The memory that the version takes, about."""
        return _BYTES + _FACTOR * len(compact(self.policy.document))


@dataclass(slots=True)
class Guardrail:
    """A guardrail: its versions by name, DRAFT first. made: the number of versions it had."""

    versions: dict[str, Version] = field(default_factory=dict)
    made: int = 0


class GuardrailStore:
    """Guardrails by their id. memory: counts them."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self._guardrails: dict[str, Guardrail] = {}
        self._made = 0

    def __iter__(self) -> Iterator[tuple[str, Guardrail]]:
        return iter(tuple(self._guardrails.items()))

    def __len__(self) -> int:
        return len(self._guardrails)

    def get(self, identifier: str) -> Guardrail | None:
        """Return the guardrail with this id, or None."""
        return self._guardrails.get(identifier)

    def create(
        self, document: JsonObject, now: float, request: tuple[str, bytes] = ("", b"")
    ) -> str:
        """Add a guardrail and return its id, which depends on its name and its number."""
        self._made += 1
        seed = f"{document.get('name')}/{self._made}".encode(errors="replace")
        digest = blake2b(seed, digest_size=12).digest()
        identifier = "".join("abcdefghijklmnopqrstuvwxyz0123456789"[each % 36] for each in digest)
        self._guardrails[identifier] = Guardrail()
        self.keep(identifier, DRAFT, Version(Policy(document), now, now, request=request))
        return identifier

    def add_version(
        self,
        identifier: str,
        now: float,
        description: str | None,
        request: tuple[str, bytes] = ("", b""),
    ) -> str:
        """Copy the draft to a new version and return the version's number."""
        guardrail = self._guardrails[identifier]
        guardrail.made += 1
        draft = guardrail.versions[DRAFT]
        version = Version(draft.policy, now, now, description, request)
        self.keep(identifier, str(guardrail.made), version)
        return str(guardrail.made)

    def keep(self, identifier: str, name: str, version: Version) -> None:
        """Add a version, or replace it."""
        versions = self._guardrails[identifier].versions
        if (old := versions.get(name)) is not None:
            self._memory.used -= old.size
        self._memory.used += version.size
        versions[name] = version

    def delete(self, identifier: str, name: str | None = None) -> None:
        """Drop a version, or the guardrail with all its versions."""
        versions = self._guardrails[identifier].versions
        for each in [name] if name else [*versions]:
            self._memory.used -= versions.pop(each).size
        if not name:
            del self._guardrails[identifier]

    def dump(self) -> tuple[Any, ...]:
        """Return the guardrails as tuples, to be loaded by another server; empty without any."""
        guardrails = tuple(
            (identifier, guardrail.made, tuple(_dump_versions(guardrail)))
            for identifier, guardrail in self
        )
        return (self._made, guardrails) if self._made else ()

    def load(self, parts: tuple[Any, ...]) -> None:
        """Replace the guardrails by those of another server."""
        self.clear()
        self._made, guardrails = parts or (0, ())
        for identifier, made, versions in guardrails:
            self._guardrails[identifier] = Guardrail(made=made)
            for name, document, *rest in versions:
                self.keep(identifier, name, Version(Policy(document), *rest))

    def clear(self) -> None:
        """Drop all guardrails. Ids begin again, so that equal tests get equal ids."""
        for identifier, _ in self:
            self.delete(identifier)
        self._made = 0


def _dump_versions(guardrail: Guardrail) -> Iterator[tuple[object, ...]]:
    for name, each in guardrail.versions.items():
        yield (
            *(name, each.policy.document, each.created, each.updated),
            *(each.description, each.request),
        )
