"""Which layers may take a call, by what it asks: a few of many. What else they ask of a call is theirs to say.

Found once for equal requests, and quickly for others: a text that a layer asks for is looked for in the raw body first,
which spares most calls from being read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bedtape_cassettes.any_of import any_of
from bedtape_replayer.call import Call
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.remembered import Remembered

__all__ = ["Candidates", "CandidatesOf"]

# Paths hold model ids, of which a suite has a few.
_MOST_PATHS = 1024
# So many texts are worth a pattern, which takes longer to make than a few tests ask for.
_MANY = 4


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


_NONE = Candidates()


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
        self._found: Remembered[tuple[str, str, bytes], Candidates] = Remembered()
        self._last: tuple[Call | None, Candidates] = (None, _NONE)

    def __call__(self, call: Call) -> Candidates:
        """Those whose conditions on operation, model and body hold; conditions on anything else are not looked at."""
        last, found = self._last
        if last is not call:  # faults before, rules, and faults after ask for the same one
            found = self._find(call)
            self._last = (call, found)
        return found

    def _find(self, call: Call) -> Candidates:
        asked = (call.method, call.path, call.body)
        found = self._found.get(asked)
        if found is None:
            found = self._for(call).about(call)
            self._found.keep(asked, found, call.body)
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
        texts = {layer.when.literal for kind in candidates for layer in kind if layer.when.literal is not None}
        self._texts = any_of(texts) if len(texts) >= _MANY else None

    def about(self, call: Call) -> Candidates:
        literal, body = call.literal, call.body
        candidates = self._all
        if literal and self._texts is not None and not self._texts.search(body):
            candidates, literal = self._textless, False
        if candidates == _NONE:
            return _NONE
        return candidates.those(
            lambda layer: (
                (not literal or (text := layer.when.literal) is None or text in body) and layer.when.is_about(call)
            )
        )
