"""Which layers may take a call: a few of many, found quickly. Whether they do is theirs to say.

Left out are those for another operation or model, and those that ask for a text which the raw body does not hold. Found
once for equal requests; nothing else that a layer asks of a call is looked at, for it may be dear. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from bedtape_cassettes.redaction.prefix_tree import any_of
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule

__all__ = ["CandidateFinder", "Candidates"]

# Paths hold model ids, of which a suite has a few.
_MOST_PATHS = 1024
# A thousand bodies of the usual size; each session has its own.
_MEMO_BYTES = 1024 * 1024
# Looking for so many texts with one pattern pays once so many bodies were looked through: it takes long to make.
_MANY_TEXTS, _MANY_BODIES = 8, 32


class Candidates(NamedTuple):
    """Layers in the order in which they are request. instead: faults that answer. harming: the others."""

    answering_faults: tuple[Fault, ...] = ()
    rules: tuple[Rule, ...] = ()
    changing_faults: tuple[Fault, ...] = ()

    def filter(self, taken: Callable[[Rule | Fault], bool]) -> Candidates:
        """Those for which it holds."""
        return Candidates(
            tuple(filter(taken, self.answering_faults)),
            tuple(filter(taken, self.rules)),
            tuple(filter(taken, self.changing_faults)),
        )


class CandidateFinder:
    """The layers of an overlay, by call."""

    def __init__(self, overlay: Overlay) -> None:
        faults = overlay.faults
        self._all = Candidates(
            tuple(fault for fault in faults if fault.kind.replaces),
            overlay.rules,
            tuple(fault for fault in faults if not fault.kind.replaces),
        )
        self._by_path: dict[tuple[str, str], _PathCandidates] = {}
        self._memo: Memo[tuple[str, str, bytes], Candidates] = Memo(_MEMO_BYTES)

    def __call__(self, call: Call) -> Candidates:
        """Those that may take it: all that do, and few that do not."""
        request = (call.method, call.path, call.body)
        found = self._memo.get(request)
        if found is None:
            found = self._find_by_path(call).select(call)
            self._memo.keep(request, found, len(call.path) + len(call.body))
        return found

    def _find_by_path(self, call: Call) -> _PathCandidates:
        path = (call.method, call.path)
        found = self._by_path.get(path)
        if found is None:
            if len(self._by_path) >= _MOST_PATHS:
                self._by_path.clear()
            found = self._by_path[path] = _PathCandidates(
                self._all.filter(lambda layer: layer.when.matches_target(call))
            )
        return found


class _PathCandidates:
    """The layers for one path. Those that ask for a text are passed over at once where the body holds none of the texts."""

    def __init__(self, candidates: Candidates) -> None:
        self._all = candidates
        self._textless = candidates.filter(lambda layer: layer.when.literal is None)
        self._texts = {layer.when.literal for kind in candidates for layer in kind if layer.when.literal is not None}
        self._pattern: re.Pattern[bytes] | None = None
        self._bodies = 0

    def select(self, call: Call) -> Candidates:
        if not self._texts or not call.is_literal:
            return self._all
        if self._pattern is None and len(self._texts) >= _MANY_TEXTS:
            self._bodies += 1
            if self._bodies == _MANY_BODIES:
                self._pattern = any_of(self._texts)
        if self._pattern is not None and not self._pattern.search(call.body):
            return self._textless
        return self._all.filter(lambda layer: layer.when.may_match(call))
