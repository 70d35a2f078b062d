"""Which layers may take a call, by what it asks: a few of many. What else they ask of a call is theirs to say.

Found once for equal requests, and quickly for others: a text that a layer asks for is looked for in the raw body first,
which spares most calls from being read. Pure.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from bedtape_replayer.call import Call
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.remembered import Remembered

__all__ = ["Candidates", "CandidatesOf"]

# Paths hold model ids, of which a suite has a few.
_MOST_PATHS = 1024


class Candidates(NamedTuple):
    """Layers in the order in which they are asked. instead: faults that answer. harming: the others."""

    instead: tuple[Fault, ...] = ()
    rules: tuple[Rule, ...] = ()
    harming: tuple[Fault, ...] = ()


class CandidatesOf:
    """The layers of an overlay, by call."""

    def __init__(self, overlay: Overlay) -> None:
        faults = overlay.faults
        self._all = Candidates(
            tuple(fault for fault in faults if fault.harm.replaces),
            overlay.rules,
            tuple(fault for fault in faults if not fault.harm.replaces),
        )
        self._of_path: dict[tuple[str, str], Candidates] = {}
        self._found: Remembered[tuple[str, str, bytes], Candidates] = Remembered()
        self._last: tuple[Call | None, Candidates] = (None, Candidates())

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
            of_path = self._for(call)
            found = Candidates(
                _about(of_path.instead, call), _about(of_path.rules, call), _about(of_path.harming, call)
            )
            self._found.keep(asked, found, call.body)
        return found

    def _for(self, call: Call) -> Candidates:
        path = (call.method, call.path)
        found = self._of_path.get(path)
        if found is None:
            if len(self._of_path) >= _MOST_PATHS:
                self._of_path.clear()
            found = self._of_path[path] = Candidates(
                _for(self._all.instead, call), _for(self._all.rules, call), _for(self._all.harming, call)
            )
        return found


_Layer = TypeVar("_Layer", Rule, Fault)


def _for(layers: tuple[_Layer, ...], call: Call) -> tuple[_Layer, ...]:
    return tuple(layer for layer in layers if layer.when.is_for(call))


def _about(layers: tuple[_Layer, ...], call: Call) -> tuple[_Layer, ...]:
    if layers and call.literal:
        body = call.body
        layers = tuple([layer for layer in layers if (text := layer.when.literal) is None or text in body])
    return tuple([layer for layer in layers if layer.when.is_about(call)]) if layers else ()
