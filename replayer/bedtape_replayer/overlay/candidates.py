"""Finds quickly the few layers that may match a call.

The conditions of these layers are checked later.

Leaves out layers for another operation or model, and layers whose text is not in the raw body.
Results are kept for equal requests. Other conditions are not checked here, because they may be
expensive. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import cast

from bedtape_cassettes.format.patterns import SlowPattern
from bedtape_cassettes.redaction.hints import HintIndex
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.prefix_tree import any_of
from bedtape_replayer.overlay.rule import Rule

# A path contains a model id, and a suite uses few models.
_MOST_PATHS = 1024
# A thousand bodies of the usual size; each session has its own.
_MEMO_BYTES = 1024 * 1024
# Compiling one pattern for many texts is slow. It pays off after this number of bodies.
_MANY_TEXTS, _MANY_BODIES = 24, 32


class LayerError(Exception):
    """A layer cannot answer or change this call. The fix is in the overlay, not in the code."""


@dataclass(slots=True)  # not frozen, because each new request makes one
class Candidates:
    """Layers in order. answering_faults: replace the answer. changing_faults: change the answer."""

    answering_faults: tuple[Fault, ...] = ()
    rules: tuple[Rule, ...] = ()
    changing_faults: tuple[Fault, ...] = ()
    # Whether the body meets the content conditions of a layer, by its id. All calls of
    # one request share this.
    _met: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    def matches(self, layer: Rule | Fault, call: Call) -> bool:
        """Returns whether the call meets every condition of one of these layers.

        Raises LayerError for a slow pattern.
        """
        met = self._met.get(layer.id)
        when = layer.when
        try:
            if met is False or (when.concerns_calls and not when.matches_call(call)):
                return False
            if met is None:
                met = self._met[layer.id] = when.matches_content(call)
        except SlowPattern as error:
            raise LayerError(f"{layer.id}: {error}") from None
        return met

    def copy(self) -> Candidates:
        """Returns the same layers for another request."""
        return Candidates(self.answering_faults, self.rules, self.changing_faults)

    def filter(self, predicate: Callable[[Rule | Fault], bool]) -> Candidates:
        """Returns the layers for which the predicate is true."""
        return Candidates(
            tuple(filter(predicate, self.answering_faults)),
            tuple(filter(predicate, self.rules)),
            tuple(filter(predicate, self.changing_faults)),
        )


class CandidateFinder:
    """Finds the candidate layers of an overlay for a call. memory: counts the kept results."""

    def __init__(self, overlay: Overlay, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        faults = overlay.faults
        self._all = Candidates(
            tuple(fault for fault in faults if fault.kind.replaces),
            overlay.rules,
            tuple(fault for fault in faults if not fault.kind.replaces),
        )
        self._by_path: dict[tuple[str, str, str | None, str | None], _PathCandidates] = {}
        # By the token of a group of siblings: the layers for its path, and the texts that are in
        # the prompts of all its requests.
        self._by_group: Memo[object, tuple[_PathCandidates, tuple[bytes, ...]]] = Memo(
            _MEMO_BYTES, memory=self._memory
        )
        self._token = object()  # of this finder, in what was found out about a request

    def __call__(self, call: Call) -> Candidates:
        """Returns every layer that matches the call, and few that do not match."""
        token, candidates = call.findings.candidates
        if token is not self._token:
            candidates = self._find(call).copy()
            call.findings.candidates = self._token, candidates
        return cast(Candidates, candidates)

    def _find(self, call: Call) -> Candidates:
        siblings, text = call.findings.siblings, call.findings.text
        if siblings is None or text is None:
            return self._find_by_path(call).select(call)
        if (kept := self._by_group.get(siblings.token)) is None:
            of_path = self._find_by_path(call)
            kept = of_path, siblings.find_shared_texts(of_path.index)
            self._by_group.keep(siblings.token, kept, sum(map(len, kept[1])))
        of_path, shared = kept
        return of_path.choose(siblings.find_texts(of_path.index, shared, text))

    def _find_by_path(self, call: Call) -> _PathCandidates:
        # Several operations may have one path, and some operations have the model in the body.
        path = (
            call.method,
            call.path,
            call.operation,
            None if call.target.model is not None else call.model,
        )
        of_path = self._by_path.get(path)
        if of_path is None:
            if len(self._by_path) >= _MOST_PATHS:
                self.clear()
            of_path = self._by_path[path] = _PathCandidates(
                self._all.filter(lambda layer: layer.when.matches_target(call)), self._memory
            )
        return of_path

    def clear(self) -> None:
        """Drop the kept results, which are found again when they are needed."""
        for each in self._by_path.values():
            each.clear()
        self._by_path.clear()
        self._by_group.clear()


class _PathCandidates:
    """The layers for one path, without text conditions that the body cannot meet."""

    def __init__(self, candidates: Candidates, memory: Memory) -> None:
        self._all = candidates
        layers: tuple[Rule | Fault, ...] = (
            *candidates.answering_faults,
            *candidates.rules,
            *candidates.changing_faults,
        )
        literals = [layer.when.literal for layer in layers]
        self._texts = tuple(dict.fromkeys([text for text in literals if text is not None]))
        # without patterns, because most layers get few calls
        self.index = HintIndex([(text, [text.decode()]) for text in self._texts], few=inf)
        # The layers by the texts that are in the body.
        self._by_texts: Memo[tuple[bytes, ...], Candidates] = Memo(_MEMO_BYTES, memory=memory)
        self._pattern: re.Pattern[bytes] | None = None
        self._bodies = 0

    def select(self, call: Call) -> Candidates:
        """Return the layers for a call, by the texts in its body."""
        if not self._texts or not call.is_literal:
            return self._all
        if self._pattern is None and len(self._texts) >= _MANY_TEXTS:
            self._bodies += 1
            if self._bodies == _MANY_BODIES:
                self._pattern = any_of(self._texts)
        body = call.outline.data
        if self._pattern is not None and not self._pattern.search(body):
            return self.choose(())
        return self.choose(tuple(self.index.find(body.decode(errors="surrogateescape"))))

    def clear(self) -> None:
        """Drop the kept results."""
        self._by_texts.clear()

    def choose(self, texts: tuple[bytes, ...]) -> Candidates:
        """The layers without a text, and those with one of these texts."""
        chosen = self._by_texts.get(texts)
        if chosen is None:
            chosen = self._all.filter(
                lambda layer: (text := layer.when.literal) is None or text in texts
            )
            self._by_texts.keep(texts, chosen, sum(map(len, texts)))
        return chosen
