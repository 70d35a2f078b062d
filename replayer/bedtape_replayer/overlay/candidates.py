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
from bedtape_replayer.answering.memo import Remembered
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule

__all__ = ["Candidates", "CandidatesOf"]

# Paths hold model ids, of which a suite has a few.
_MOST_PATHS = 1024
# A thousand bodies of the usual size; each session has its own.
_REMEMBERED_BYTES = 1024 * 1024
# Looking for so many texts with one pattern pays once so many bodies were looked through: it takes long to make.
_MANY_TEXTS, _MANY_BODIES = 8, 32


class Candidates(NamedTuple):
    """Layers in the order in which they are asked. instead: faults that answer. harming: the others."""

    instead: tuple[Fault, ...] = ()
    rules: tuple[Rule, ...] = ()
    harming: tuple[Fault, ...] = ()

    def those(self, taken: Callable[[Rule | Fault], bool]) -> Candidates:
        """Those for which it holds."""
        return Candidates(
            tuple(filter(taken, self.instead)), tuple(filter(taken, self.rules)), tuple(filter(taken, self.harming))
        )


class CandidatesOf:
    """The layers of an overlay, by call."""

    def __init__(self, overlay: Overlay) -> None:
        faults = overlay.faults
        self._all = Candidates(
            tuple(fault for fault in faults if fault.harm.replaces),
            overlay.rules,
            tuple(fault for fault in faults if not fault.harm.replaces),
        )
        self._of_path: dict[tuple[str, str], _OfPath] = {}
        self._found: Remembered[tuple[str, str, bytes], Candidates] = Remembered(_REMEMBERED_BYTES)

    def __call__(self, call: Call) -> Candidates:
        """Those that may take it: all that do, and few that do not."""
        asked = (call.method, call.path, call.body)
        found = self._found.get(asked)
        if found is None:
            found = self._for(call).about(call)
            self._found.keep(asked, found, len(call.path) + len(call.body))
        return found

    def _for(self, call: Call) -> _OfPath:
        path = (call.method, call.path)
        found = self._of_path.get(path)
        if found is None:
            if len(self._of_path) >= _MOST_PATHS:
                self._of_path.clear()
            found = self._of_path[path] = _OfPath(self._all.those(lambda layer: layer.when.is_for(call)))
        return found


class _OfPath:
    """The layers for one path. Those that ask for a text are passed over at once where the body holds none of the texts."""

    def __init__(self, candidates: Candidates) -> None:
        self._all = candidates
        self._textless = candidates.those(lambda layer: layer.when.literal is None)
        self._texts = {layer.when.literal for kind in candidates for layer in kind if layer.when.literal is not None}
        self._pattern: re.Pattern[bytes] | None = None
        self._bodies = 0

    def about(self, call: Call) -> Candidates:
        if not self._texts or not call.is_literal:
            return self._all
        if self._pattern is None and len(self._texts) >= _MANY_TEXTS:
            self._bodies += 1
            if self._bodies == _MANY_BODIES:
                self._pattern = any_of(self._texts)
        if self._pattern is not None and not self._pattern.search(call.body):
            return self._textless
        return self._all.those(lambda layer: layer.when.may_be_about(call))
