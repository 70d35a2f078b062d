"""The selector language, which selects interactions: `weather:1-3`, `weather:op=ConverseStream`.

`CASSETTE[:TERM,…]`: terms of one kind are alternatives, terms of different kinds must all match. A
selector without a match is an error that lists the possible values. docs/reference/selectors.md
describes the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeAlias

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.conversations import compute_turn_keys
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.matching.key import compute_name_key
from bedtape_cassettes.model import Cassette, Events, Interaction
from bedtape_cassettes.operations import kebab
from bedtape_cassettes.storage.file_names import is_stale
from bedtape_cassettes.suites.texts import (
    read_error_name,
    read_request_text,
    read_response_text,
    read_stop_reason,
)
from bedtape_cassettes.text import escape_controls, format_count

# The places (from 0) of the selected interactions, by cassette.
Picked: TypeAlias = dict[str, tuple[int, ...]]

_KINDS = ("op", "model", "prompt", "answer", "stop", "error", "key", "status", "is")
_NUMBER = re.compile(r"([0-9]{1,18})(-([0-9]{1,18})?)?")
# A comma separates terms if a term follows, so that a prompt may contain commas.
_COMMA = re.compile(rf"(?<!\\),(?=[0-9]+(?:-[0-9]*)?(?:,|$)|(?:{'|'.join(_KINDS)})=)")
_SHOWN = 12
_HIGHEST = 10**18


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed selector. cassettes: a name, or a glob. ranges: numbers, both ends included."""

    text: str
    cassettes: str
    ranges: tuple[tuple[int, int], ...] = ()
    filters: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> Selector:
    """Parses a selector. Raises CassetteError."""
    name, colon, rest = text.partition(":")
    if not name or (colon and not rest):
        raise _build_error(text, "CASSETTE or CASSETTE:TERM", repr(text))
    ranges, filters = [], []
    for term in _COMMA.split(rest) if rest else ():
        kind, equals, value = term.partition("=")
        if match := _NUMBER.fullmatch(term):
            ranges.append(_parse_range(text, match))
        elif equals and kind in _KINDS and value:
            filters.append((kind, _check_value(text, kind, value.replace("\\,", ","))))
        else:
            raise _build_error(
                text,
                f"a number, a range (1-3), or {', '.join(f'{kind}=…' for kind in _KINDS)}",
                repr(term),
            )
    return Selector(text, name, tuple(ranges), tuple(filters))


def _build_error(text: str, expected: str, found: str) -> CassetteError:
    fix = "weather, weather:2, weather:1-3 and weather:op=ConverseStream,model=*nova* are selectors"
    return CassetteError(f"{escape_controls(text)}: expected {expected}, found {found}; {fix}")


def _parse_range(text: str, match: re.Match[str]) -> tuple[int, int]:
    first = int(match[1])
    last = first if match[2] is None else int(match[3] or _HIGHEST)
    if last < first:
        raise _build_error(text, "a range that goes up", repr(match[0]))
    return first, last


def _check_value(text: str, kind: str, value: str) -> str:
    if kind == "key" and not re.fullmatch("[0-9a-fA-F]{1,32}", value):
        raise _build_error(
            text, "the beginning of a match key, 1 to 32 hexadecimal digits", repr(value)
        )
    if kind == "is" and value not in MARKS:
        raise _build_error(text, f"one of {', '.join(f'is={mark}' for mark in MARKS)}", repr(value))
    return value


# -- terms -----------------------------------------------------------------------------------------


def list_numbers(cassette: Cassette) -> tuple[int, ...]:
    """Returns the number of each interaction, which is the number at the
    beginning of its file name.

    If a file name has no number, or two names have the same number, the
    numbers are the places from 1.
    """
    matches = [
        re.match("[0-9]{1,18}", interaction.file.rpartition("/")[2])
        for interaction in cassette.interactions
    ]
    parsed = [int(match[0]) for match in matches if match]
    if len(set(parsed)) == len(cassette.interactions):
        return tuple(parsed)
    return tuple(range(1, len(cassette.interactions) + 1))


def find_duplicates(cassette: Cassette) -> list[tuple[int, ...]]:
    """Returns the numbers of interactions with equal requests, a tuple for each request.

    A replay plays the answers in turn, then repeats the last one.
    """
    by_key: dict[bytes, list[int]] = {}
    keys = compute_turn_keys(interaction.request for interaction in cassette.interactions)
    for number, (key, _) in zip(list_numbers(cassette), keys, strict=True):
        by_key.setdefault(key, []).append(number)
    return [tuple(same) for same in by_key.values() if len(same) > 1]


def _matches_glob(pattern: str, text: str) -> bool:
    """Matches the whole text. `*` and `?` are wild; brackets, as in test names, are literal."""
    return fnmatchcase(text.casefold(), pattern.casefold().replace("[", "[[]"))


def _matches(interaction: Interaction, kind: str, value: str) -> bool:
    match kind:
        case "op":
            name = interaction.operation or interaction.request.method
            return _matches_glob(value, name) or _matches_glob(value, kebab(name))
        case "model":
            return _matches_glob(value, interaction.model or "")
        case "prompt":
            return value.casefold() in read_request_text(interaction).casefold()
        case "answer":
            return value.casefold() in read_response_text(interaction).casefold()
        case "stop":
            return _matches_glob(value, read_stop_reason(interaction))
        case "error":
            return _matches_glob(value, read_error_name(interaction.response))
        case "key":
            return compute_name_key(interaction.request).hex().startswith(value.lower())
        case "status":
            return _matches_glob(value, str(interaction.response.status))
    return value in list_marks(interaction)


def _is_selected(selector: Selector, number: int, interaction: Interaction) -> bool:
    if selector.ranges and not any(first <= number <= last for first, last in selector.ranges):
        return False
    kinds = {kind for kind, _ in selector.filters}
    return all(
        any(_matches(interaction, k, value) for k, value in selector.filters if k == kind)
        for kind in kinds
    )


# -- selecting -------------------------------------------------------------------------------------


def find_cassettes(suite: Sequence[Cassette], name: str) -> tuple[Cassette, ...]:
    """Returns the cassettes with the name or that match the glob. Raises CassetteError if none."""
    matching = tuple(c for c in suite if c.name == name) or tuple(
        c for c in suite if _matches_glob(name, c.name)
    )
    if not matching:
        names = [c.name for c in suite]
        near = get_close_matches(name, names, n=1)
        if near or "=" in name:  # a condition needs a cassette before it
            fix = f"did you mean {escape_controls(near[0] if near else f'*:{name}')}?"
        else:
            fix = f"known cassettes: {_render_words(names)}"
        raise CassetteError(
            f"{escape_controls(name)}: expected a cassette or a glob of cassettes, found none;"
            f" {fix}"
        )
    return matching


def find_named(suite: Sequence[Cassette], names: Iterable[str]) -> tuple[Cassette, ...]:
    """Returns the cassettes with these names or globs, in the suite's order.

    Without names, returns all.

    Raises CassetteError.
    """
    wanted = {cassette.name for name in names for cassette in find_cassettes(suite, name)}
    return tuple(cassette for cassette in suite if cassette.name in wanted or not wanted)


def pick(suite: Sequence[Cassette], texts: Iterable[str]) -> Picked:
    """Returns the places that the selectors select. Raises CassetteError if one selects none."""
    places: dict[str, set[int]] = {}
    for selector in map(parse, texts):
        candidates = find_cassettes(suite, selector.cassettes)
        matched = {
            cassette.name: {
                place
                for place, pair in enumerate(
                    zip(list_numbers(cassette), cassette.interactions, strict=True)
                )
                if _is_selected(selector, *pair)
            }
            for cassette in candidates
        }
        if not any(matched.values()):
            raise _build_no_match(selector, candidates)
        for name, which in matched.items():
            if which:
                places.setdefault(name, set()).update(which)
    return {name: tuple(sorted(which)) for name, which in places.items()}


def _build_no_match(selector: Selector, candidates: Sequence[Cassette]) -> CassetteError:
    interactions = [interaction for cassette in candidates for interaction in cassette.interactions]
    available = [
        f"numbers {_render_ranges(list_numbers(cassette))}"
        for cassette in candidates[:1]
        if len(candidates) == 1
    ]
    kinds = {kind for kind, _ in selector.filters}
    if not kinds or "op" in kinds:
        available.append(
            f"operations {_render_words(i.operation or i.request.method for i in interactions)}"
        )
    if "model" in kinds:
        available.append(f"models {_render_words(i.model or 'none' for i in interactions)}")
    if "status" in kinds:
        available.append(f"statuses {_render_words(str(i.response.status) for i in interactions)}")
    if "stop" in kinds:
        available.append(
            f"stop reasons {_render_words(filter(None, map(read_stop_reason, interactions)))}"
        )
    if "error" in kinds:
        available.append(
            "errors"
            f" {_render_words(filter(None, (read_error_name(i.response) for i in interactions)))}"
        )
    if "key" in kinds:
        available.append(
            f"keys {_render_words(compute_name_key(i.request).hex()[:8] for i in interactions)}"
        )
    if "is" in kinds:
        available.append(
            f"marks {_render_words(mark for each in interactions for mark in list_marks(each))}"
        )
    if kinds & {"prompt", "answer"} and not available:
        available.append(format_count(len(interactions), "interaction"))
    one = len(candidates) == 1
    where = f"{candidates[0].name} has" if one else f"{len(candidates)} cassettes have"
    what = compact(selector.text).decode()
    return CassetteError(
        f"{what}: expected to select something, found nothing; {escape_controls(where)}"
        f" {'; '.join(available)}{_explain_stars(selector)}"
    )


def _explain_stars(selector: Selector) -> str:
    """Returns a sentence if a text was written as a pattern, in which stars are wild."""
    for kind, value in selector.filters:
        if kind in ("prompt", "answer") and value != (text := value.strip("*")) and text:
            return (
                f"; {kind}=… is a text anywhere in the {kind}, and * is no wildcard in it: write"
                f" {kind}={escape_controls(text)}"
            )
    return ""


def _render_words(words: Iterable[str]) -> str:
    distinct = sorted(set(words))
    more = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return (", ".join(map(escape_controls, distinct[:_SHOWN])) or "nothing") + more


def _render_ranges(values: Sequence[int]) -> str:
    """`1-3, 5`."""
    runs: list[list[int]] = []
    for number in sorted(values):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return ", ".join(shown[:_SHOWN]) + (" and more" if len(shown) > _SHOWN else "")


# -- flags -----------------------------------------------------------------------------------------

MARKS = ("exact", "partial", "stream", "stale")


def list_marks(interaction: Interaction) -> tuple[str, ...]:
    """Returns the marks of the interaction, in the order of MARKS.

    exact: recorded byte for byte. partial: the recording was interrupted, so it is not replayed.
    stream: the answer has events. stale: the request was changed after the file was named, so the
    name has an old operation or match key.
    """
    flags = (
        interaction.exact,
        interaction.partial,
        isinstance(interaction.response.body, Events),
        is_stale(interaction),
    )
    return tuple(mark for mark, flag in zip(MARKS, flags, strict=True) if flag)
