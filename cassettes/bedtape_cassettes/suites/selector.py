"""The selector language, which selects interactions: `weather:1-3`, `weather:op=ConverseStream`.

`CASSETTE[:TERM,…]`: terms of one kind are alternatives, terms of different kinds must all match. A selector without a
match is an error that lists the possible values. docs/reference/selectors.md describes the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.model import Cassette, Events, Interaction
from bedtape_cassettes.operations import kebab
from bedtape_cassettes.storage.store import name_file
from bedtape_cassettes.text import escape_controls

# The places (from 0) of the selected interactions, by cassette.
Picked: TypeAlias = dict[str, tuple[int, ...]]

_KINDS = ("op", "model", "prompt", "key", "status", "is")
_NUMBER = re.compile(r"([0-9]{1,18})(-([0-9]{1,18})?)?")
# A comma separates terms if a term follows, so that a prompt may contain commas.
_COMMA = re.compile(rf"(?<!\\),(?=[0-9]+(?:-[0-9]*)?(?:,|$)|(?:{'|'.join(_KINDS)})=)")
_SHOWN = 12
_HIGHEST = 10**18


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed selector. cassettes: a name, or a glob of names. ranges: numbers, both ends included."""

    text: str
    cassettes: str
    ranges: tuple[tuple[int, int], ...] = ()
    filters: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> Selector:
    """Parses a selector. Raises CassetteError."""
    name, colon, rest = text.partition(":")
    if not name or (colon and not rest):
        raise _invalid(text, "CASSETTE or CASSETTE:TERM", repr(text))
    ranges, filters = [], []
    for term in _COMMA.split(rest) if rest else ():
        kind, equals, value = term.partition("=")
        if found := _NUMBER.fullmatch(term):
            ranges.append(_range(text, found))
        elif equals and kind in _KINDS and value:
            filters.append((kind, _check_value(text, kind, value.replace("\\,", ","))))
        else:
            raise _invalid(text, f"a number, a range (1-3), or {', '.join(f'{kind}=…' for kind in _KINDS)}", repr(term))
    return Selector(text, name, tuple(ranges), tuple(filters))


def _invalid(text: str, expected: str, found: str) -> CassetteError:
    fix = "weather:2, weather:1-3 and weather:op=ConverseStream,model=*nova* are selectors"
    return CassetteError(f"{escape_controls(text)}: expected {expected}, found {found}; {fix}")


def _range(text: str, found: re.Match[str]) -> tuple[int, int]:
    first = int(found[1])
    last = first if found[2] is None else int(found[3] or _HIGHEST)
    if last < first:
        raise _invalid(text, "a range that goes up", repr(found[0]))
    return first, last


def _check_value(text: str, kind: str, value: str) -> str:
    if kind == "key" and not re.fullmatch("[0-9a-fA-F]{1,32}", value):
        raise _invalid(text, "the beginning of a match key, 1 to 32 hexadecimal digits", repr(value))
    if kind == "is" and value not in MARKS:
        raise _invalid(text, f"one of {', '.join(f'is={mark}' for mark in MARKS)}", repr(value))
    return value


# -- terms -----------------------------------------------------------------------------------------


def numbers(cassette: Cassette) -> tuple[int, ...]:
    """Returns the number of each interaction, which is the number at the beginning of its file name.

    If a file name has no number, or two names have the same number, the numbers are the places from 1.
    """
    found = [re.match("[0-9]{1,18}", interaction.file.rpartition("/")[2]) for interaction in cassette.interactions]
    parsed = [int(match[0]) for match in found if match]
    if len(set(parsed)) == len(cassette.interactions):
        return tuple(parsed)
    return tuple(range(1, len(cassette.interactions) + 1))


def find_duplicates(cassette: Cassette) -> list[tuple[int, ...]]:
    """Returns the numbers of interactions with equal requests, a tuple for each request.

    A replay plays the answers in turn, then repeats the last one.
    """
    by_key: dict[bytes, list[int]] = {}
    for number, interaction in zip(numbers(cassette), cassette.interactions, strict=True):
        by_key.setdefault(compute_request_key(interaction.request), []).append(number)
    return [tuple(same) for same in by_key.values() if len(same) > 1]


def read_text(interaction: Interaction) -> str:
    """Returns the text of a request: system prompt, messages and tool results, or else the whole body."""
    request = interaction.request
    prompt = prompt_of(interaction.operation, interaction.model, request.body.data)
    text = "\n".join(filter(None, (prompt.text, *(result.text for result in prompt.results))))
    return text or request.body.data.decode(errors="replace")


def _glob(pattern: str, text: str) -> bool:
    """Matches the whole text. `*` and `?` are wild; brackets are literal, because test names contain them."""
    parts = ({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split("([*?])", pattern))
    return re.fullmatch("".join(parts), text, re.IGNORECASE | re.DOTALL) is not None


def _holds(interaction: Interaction, kind: str, value: str) -> bool:
    match kind:
        case "op":
            name = interaction.operation or interaction.request.method
            return _glob(value, name) or _glob(value, kebab(name))
        case "model":
            return _glob(value, interaction.model or "")
        case "prompt":
            return value.casefold() in read_text(interaction).casefold()
        case "key":
            return compute_request_key(interaction.request).hex().startswith(value.lower())
        case "status":
            return _glob(value, str(interaction.response.status))
    return value in marks(interaction)


def _is_selected(selector: Selector, number: int, interaction: Interaction) -> bool:
    if selector.ranges and not any(first <= number <= last for first, last in selector.ranges):
        return False
    kinds = {kind for kind, _ in selector.filters}
    return all(any(_holds(interaction, k, value) for k, value in selector.filters if k == kind) for kind in kinds)


# -- selecting -------------------------------------------------------------------------------------------------


def cassettes(suite: Sequence[Cassette], name: str) -> tuple[Cassette, ...]:
    """Returns the cassette with the name, or all that match the glob. Raises CassetteError if none does."""
    found = tuple(c for c in suite if c.name == name) or tuple(c for c in suite if _glob(name, c.name))
    if not found:
        names = [c.name for c in suite]
        near = get_close_matches(name, names, n=1)
        fix = f"did you mean {escape_controls(near[0])}?" if near else f"there is {_join(names)}"
        raise CassetteError(f"{escape_controls(name)}: expected a cassette or a glob of cassettes, found none; {fix}")
    return found


def find_named(suite: Sequence[Cassette], names: Iterable[str]) -> tuple[Cassette, ...]:
    """Returns the cassettes with these names or globs, in the suite's order. Without names, returns all.

    Raises CassetteError.
    """
    wanted = {cassette.name for name in names for cassette in cassettes(suite, name)}
    return tuple(cassette for cassette in suite if cassette.name in wanted or not wanted)


def pick(suite: Sequence[Cassette], texts: Iterable[str]) -> Picked:
    """Returns the places that the selectors select. Raises CassetteError if a selector selects nothing."""
    places: dict[str, set[int]] = {}
    for selector in map(parse, texts):
        found = cassettes(suite, selector.cassettes)
        matched = {
            cassette.name: {
                place
                for place, pair in enumerate(zip(numbers(cassette), cassette.interactions, strict=True))
                if _is_selected(selector, *pair)
            }
            for cassette in found
        }
        if not any(matched.values()):
            raise _no_match(selector, found)
        for name, which in matched.items():
            if which:
                places.setdefault(name, set()).update(which)
    return {name: tuple(sorted(which)) for name, which in places.items()}


def _no_match(selector: Selector, found: Sequence[Cassette]) -> CassetteError:
    interactions = [interaction for cassette in found for interaction in cassette.interactions]
    there = [f"numbers {_ranges(numbers(cassette))}" for cassette in found[:1] if len(found) == 1]
    kinds = {kind for kind, _ in selector.filters}
    if not kinds or "op" in kinds:
        there.append(f"operations {_join(i.operation or i.request.method for i in interactions)}")
    if "model" in kinds:
        there.append(f"models {_join(i.model or 'none' for i in interactions)}")
    if "status" in kinds:
        there.append(f"statuses {_join(str(i.response.status) for i in interactions)}")
    if "key" in kinds:
        there.append(f"keys {_join(compute_request_key(i.request).hex()[:8] for i in interactions)}")
    where = found[0].name if len(found) == 1 else f"{len(found)} cassettes"
    what = compact(selector.text).decode()
    return CassetteError(
        f"{what}: expected to select something, found nothing; {escape_controls(where)} has {'; '.join(there)}"
    )


def _join(words: Iterable[str]) -> str:
    distinct = sorted(set(words))
    more = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return (", ".join(map(escape_controls, distinct[:_SHOWN])) or "nothing") + more


def _ranges(found: Sequence[int]) -> str:
    """`1-3, 5`."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return ", ".join(shown[:_SHOWN]) + (" and more" if len(shown) > _SHOWN else "")


# -- flags -----------------------------------------------------------------------------------------------------

MARKS = ("exact", "partial", "stream", "stale")
_NAMED_BY_US = re.compile(r"[0-9]+(-[a-z-]+-[0-9a-f]{8}\.yaml)")


def marks(interaction: Interaction) -> tuple[str, ...]:
    """Returns the marks of the interaction, in the order of MARKS.

    exact: recorded byte for byte. partial: the recording was interrupted, so it is not replayed. stream: the answer
    has events. stale: the request was changed after the file was named, so the name has an old operation or match key.
    """
    flags = (
        interaction.exact,
        interaction.partial,
        isinstance(interaction.response.body, Events),
        _is_stale(interaction),
    )
    return tuple(mark for mark, flag in zip(MARKS, flags, strict=True) if flag)


def _is_stale(interaction: Interaction) -> bool:
    match = _NAMED_BY_US.fullmatch(interaction.file.rpartition("/")[2])
    return match is not None and match[1] != name_file(0, interaction).removeprefix("0000")
