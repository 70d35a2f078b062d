"""What is sensitive found in recordings, and taken out of them: the same value becomes the same placeholder everywhere.

Requests, answers and streams are read as they are meant: a stream's deltas are joined, so that what a model cut in two is
found, and what stands there instead is cut as the recorded text was. Pure.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bedtape_cassettes.families.text_slots import split_like
from bedtape_cassettes.format.json_values import Place, Plain, is_within, leaves, parse_path, render_path, with_leaf
from bedtape_cassettes.format.json_view import opened, sealed
from bedtape_cassettes.model import Body, Events, Headers, Interaction, JsonValue
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.scrub import REDACTED
from bedtape_cassettes.redaction.spans import PLACEHOLDER, Edit, Look, applied, edits
from bedtape_cassettes.suites.assign import with_length

__all__ = ["Names", "Taking", "passed", "redacted"]

# Texts of events that are words of their own, and no pieces of one text.
_WHOLE = frozenset({"id", "type", "role", "model", "object", "name", "p", "stop_reason", "toolUseId"})

Name = Callable[[str, str, str, str], str]


@dataclass(frozen=True, slots=True)
class Taking:
    """What to take out: what `look` finds, and all that is at the JSON paths, of requests and answers."""

    look: Look
    paths: tuple[str, ...] = ()


class Names:
    """Placeholders by value, numbered by kind in the order in which they are found, above those that are there."""

    def __init__(self, fixed: str | None = None) -> None:
        self.fixed = fixed
        self.given: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def see(self, text: str) -> None:
        """Takes notice of the placeholders in the text: their numbers are not given again."""
        if REDACTED in text:
            for found in PLACEHOLDER.finditer(text):
                self._last[found[1]] = max(self._last.get(found[1], 0), int(found[2]))

    def learn(self, kind: str, value: str) -> None:
        """Remembers a value that is to go."""
        self.kinds.setdefault(value, kind)

    def name(self, kind: str, value: str) -> str:
        """What stands for the value."""
        if value not in self.given:
            kind = self.kinds.get(value, kind)
            self._last[kind] = self._last.get(kind, 0) + 1
            self.given[value] = self.fixed or f"{REDACTED}-{kind}-{self._last[kind]}"
        return self.given[value]


# -- an interaction's texts ------------------------------------------------------------------------------------


def passed(interaction: Interaction, taking: Taking, name: Name) -> Interaction:
    """The interaction with everything that is to go replaced by what `name` says.

    name: called with the kind, the value, how it is written, and where it stands.
    """
    request, response = interaction.request, interaction.response
    path = _text(request.path, "request.path", taking, name)
    target = identify(request.method, path)
    body = _body(request.body, "request.body", taking, name)
    assert isinstance(body, Body)
    changed = replace(
        interaction,
        operation=interaction.operation and target.name,
        model=interaction.model and target.model,
        request=replace(request, path=path, headers=_headers(request.headers, "request", taking, name), body=body),
        response=replace(
            response,
            headers=_headers(response.headers, "response", taking, name),
            body=_body(response.body, "response.body", taking, name),
        ),
    )
    return interaction if changed == interaction else with_length(changed)


def redacted(interaction: Interaction, taking: Taking, names: Names) -> Interaction:
    """Without what is to go."""
    return passed(interaction, taking, lambda kind, value, _how, _where: names.name(kind, value))


def _text(text: str, where: str, taking: Taking, name: Name) -> str:
    return applied(text, edits(text, taking.look, lambda kind, value, how: name(kind, value, how, where)))


def _headers(headers: Headers, side: str, taking: Taking, name: Name) -> Headers:
    return tuple((n, _text(value, f"{side}.headers.{n}", taking, name)) for n, value in headers)


def _body(body: Body | Events, where: str, taking: Taking, name: Name) -> Body | Events:
    values = opened(body)
    runs = _runs(values) if isinstance(body, Events) else _single(values)
    for run in runs:
        _replaced(values, run, where, taking, name)
    rewritten = sealed(body, values)
    return _event_headers(rewritten, taking, name) if isinstance(rewritten, Events) else rewritten


def _event_headers(body: Events, taking: Taking, name: Name) -> Events:
    events = [
        replace(
            event,
            headers=tuple((n, _text(v, f"response.events[{at}].headers.{n}", taking, name)) for n, v in event.headers),
        )
        for at, event in enumerate(body.events)
    ]
    return body if tuple(events) == body.events else Events.of(events, padded=body.padded)


# -- texts that stand in several events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """Pieces of one text: in which values, and where in each.

    binary: in base64, as agents send it. numeric: it is a whole number (what has a fraction is nobody's secret).
    """

    numbers: tuple[int, ...]
    place: Place
    pieces: tuple[str, ...]
    binary: bool = False
    numeric: bool = False


def _single(values: Sequence[JsonValue | Plain]) -> Iterator[_Run]:
    for number, value in enumerate(values):
        for place, leaf in list(leaves(value)):
            if isinstance(leaf, str) or (isinstance(leaf, int) and not isinstance(leaf, bool)):
                yield _Run((number,), place, (str(leaf),), numeric=isinstance(leaf, int))


def _runs(values: Sequence[JsonValue | Plain]) -> list[_Run]:
    """The texts of a stream: those at one place in its events belong together."""
    found = sorted(_single(values), key=_kind_of)
    made = []
    for _, same in groupby(found, key=_kind_of):
        group = sorted(same, key=lambda run: run.numbers)
        place = group[0].place
        if group[0].numeric or (place and place[-1] in _WHOLE):
            made += group
            continue
        numbers, pieces = tuple(run.numbers[0] for run in group), tuple(run.pieces[0] for run in group)
        decoded = _from_base64(pieces) if place == ("bytes",) else None
        made.append(_Run(numbers, place, decoded or pieces, decoded is not None))
    return sorted(made, key=lambda run: (run.numbers, repr(run.place)))


def _kind_of(run: _Run) -> str:
    return repr((run.place, run.numeric))


def _from_base64(pieces: Sequence[str]) -> tuple[str, ...] | None:
    try:
        return tuple(b64decode(piece, validate=True).decode() for piece in pieces)
    except ValueError:
        return None


def _replaced(values: list[JsonValue | Plain], run: _Run, where: str, taking: Taking, name: Name) -> None:
    joined = "".join(run.pieces)
    shown = _shown(where, run, len(values) > 1)
    if joined and any(is_within(run.place, parse_path(path)) for path in taking.paths):
        found = [] if PLACEHOLDER.fullmatch(joined) else [Edit(0, len(joined), name("path", joined, "", shown))]
    else:
        found = edits(joined, taking.look, lambda kind, value, how: name(kind, value, how, shown))
    if not found:
        return
    for number, old, new in zip(run.numbers, run.pieces, _spread(run.pieces, found), strict=True):
        if new != old:
            values[number] = with_leaf(
                values[number], run.place, b64encode(new.encode()).decode() if run.binary else new
            )


def _shown(where: str, run: _Run, streamed: bool) -> str:
    first, last = run.numbers[0], run.numbers[-1]
    numbers = f"[{first}]" if first == last else f"[{first}-{last}]"
    inside = render_path(run.place)
    whole = where.replace(".body", ".events") + numbers if streamed else where
    return f"{whole} {inside}".rstrip()


def _spread(pieces: Sequence[str], found: Iterable[Edit]) -> list[str]:
    """The pieces with the edits made in the text that they are together; what is new is cut as what was there."""
    made = list(pieces)
    starts = [sum(map(len, pieces[:number])) for number in range(len(pieces))]
    for edit in reversed(list(found)):
        touched = [
            number
            for number, start in enumerate(starts)
            if start < edit.end and edit.start < start + len(pieces[number])
        ]
        spans = [(max(edit.start - starts[n], 0), min(edit.end - starts[n], len(pieces[n]))) for n in touched]
        parts_of_new = split_like(edit.new, [pieces[n][a:b] for n, (a, b) in zip(touched, spans, strict=True)])
        for number, (start, end), new in zip(touched, spans, parts_of_new, strict=True):
            made[number] = made[number][:start] + new + made[number][end:]
    return made
