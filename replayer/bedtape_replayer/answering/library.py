"""The cassettes of a server, and the indexes that sessions play from, built on first use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_replayer.answering.match import Index

# The names of sessions whose index is kept, because finding it costs a tenth of a call.
_MOST_SESSIONS = 10_000


class Library:
    """The cassettes of a server. A session plays that of its name, or else all in name order."""

    def __init__(self, cassettes: Iterable[Cassette], rules: MatchRules = DEFAULT) -> None:
        self.cassettes = tuple(sorted(cassettes, key=lambda cassette: cassette.name))
        self._rules = rules
        self._all = Index(self.cassettes, rules)
        self._nothing = Index((), rules)
        self._named = {cassette.name: cassette for cassette in self.cassettes}
        self._indexes: dict[str, Index] = {}
        self._by_session: dict[str, Index] = {}

    def __len__(self) -> int:
        """The number of interactions that can be played."""
        return len(self._all.interactions)

    def index(self, session: str | None, cassette: str | None = None) -> Index:
        """Returns the index of a session: the chosen cassette, the cassette with the
        session's name, or all cassettes.

        session: the name, or `None`. cassette: the chosen cassette. A missing chosen
        cassette gives an empty index.
        """
        if cassette is not None:
            chosen = self._named.get(cassette)
            return self._get_index(chosen) if chosen else self._nothing
        if session is None:
            return self._all
        index = self._by_session.get(session)
        if index is None:
            named = self._find_cassette(session)
            index = self._get_index(named) if named else self._all
            if len(self._by_session) >= _MOST_SESSIONS:
                self._by_session.clear()
            self._by_session[session] = index
        return index

    def _get_index(self, cassette: Cassette) -> Index:
        index = self._indexes.get(cassette.name)
        if index is None:
            index = self._indexes[cassette.name] = Index([cassette], self._rules)
        return index

    def _find_cassette(self, session: str) -> Cassette | None:
        named = self._named.get(cassette_name(session))
        if named is None:  # the recorder scrubs cassette names too
            named = self._named.get(cassette_name(_scrub_cached(session, self._rules.redaction)))
        return named


_scrub_cached = lru_cache(maxsize=4096)(scrub_text)
