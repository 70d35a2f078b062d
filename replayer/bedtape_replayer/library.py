"""The cassettes of a server and the index each session plays from. Immutable but for indexes built on first use."""

from __future__ import annotations

from collections.abc import Iterable

from bedtape_cassettes.key import DEFAULT, MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.names import cassette_name
from bedtape_replayer.match import Index
from bedtape_replayer.session import DEFAULT_SESSION

__all__ = ["Library"]


class Library:
    """A session plays from the cassette of its name where there is one, else from all of them in name order."""

    def __init__(self, cassettes: Iterable[Cassette], rules: MatchRules = DEFAULT) -> None:
        self.cassettes = tuple(sorted(cassettes, key=lambda cassette: cassette.name))
        self._rules = rules
        self._all = Index(self.cassettes, rules)
        self._named = {cassette.name: cassette for cassette in self.cassettes}
        self._indexes: dict[str, Index] = {}

    def __len__(self) -> int:
        """How many interactions can be played."""
        return len(self._all.interactions)

    def index(self, session: str) -> Index:
        cassette = self._named.get(cassette_name(session)) if session != DEFAULT_SESSION else None
        if cassette is None:
            return self._all
        index = self._indexes.get(session)
        if index is None:
            index = self._indexes[session] = Index([cassette], self._rules)
        return index
