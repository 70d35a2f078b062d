"""Makes the documents of rules and faults of the keywords of a session's methods."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from bedtape_cassettes.errors import Problem
from bedtape_replayer.overlay.document import OverlayInvalid
from bedtape_replayer.overlay.schema import SCHEDULE, WHEN

__tracebackhide__ = True  # pytest shows the test's own line, not ours
_LAYER = ("when", "name", "family", "then", "template", "allow_unoffered_tools", "simulate")
# How similar a keyword is to a condition that was probably meant. The names of answers and
# faults are less similar.
_ALIKE = 0.8


def split_keywords(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what every layer has (conditions, schedule, names), and what this kind of layer has.

    Raises OverlayInvalid if a condition is a keyword and is also in `when`.
    """
    layer = {key: value for key, value in keywords.items() if key in SCHEDULE or key in _LAYER[1:]}
    conditions = {key: value for key, value in keywords.items() if key in WHEN}
    when = keywords.get("when", {})
    if isinstance(when, Mapping):
        if twice := conditions.keys() & when.keys():
            expected, fix = "each condition once", "remove it from when, or remove the keyword"
            raise OverlayInvalid(
                Problem.at(("when", key), expected, f"a keyword {key} too", fix)
                for key in sorted(twice)
            )
        when = {**when, **conditions}
    if when or "when" in keywords:
        layer["when"] = when
    known = [*SCHEDULE, *WHEN, *_LAYER]
    rest = {key: value for key, value in keywords.items() if key not in known}
    if misspelled := [
        (key, near[0]) for key in rest if (near := get_close_matches(key, known, 1, _ALIKE))
    ]:
        expected = "a keyword of a rule or fault"
        raise OverlayInvalid(
            Problem.at((key,), expected, key, f"did you mean {near}?") for key, near in misspelled
        )
    return layer, rest


def report_beside_function(name: str) -> Problem:
    near = get_close_matches(name, [*WHEN, *SCHEDULE, *_LAYER], n=1)
    fix = f"did you mean {near[0]}?" if near else "let the function return it"
    return Problem.at((name,), "conditions and a schedule beside a function", name, fix)
