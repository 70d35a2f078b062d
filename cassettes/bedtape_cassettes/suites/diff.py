"""Compares two interactions or two suites: the answer first, noise last.

Noise is a difference between two recordings without a meaning: times, ids, token counts, and
the cuts between events. In the events that a client sends in a conversation, names and audio are
noise too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal, TypeAlias

from bedtape_cassettes.families.content import (
    Citation,
    CitedText,
    Content,
    Embeddings,
    Image,
    Images,
    Message,
    Ranking,
    Reasoning,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.conversations import compute_turn_keys
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import compare_members, leaves, render_path
from bedtape_cassettes.matching.signatures import drop_signatures
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, JsonValue, Suite
from bedtape_cassettes.suites.selector import list_numbers
from bedtape_cassettes.text import Line, Style, lines

Section: TypeAlias = Literal["answer", "request", "headers", "noise"]
_Facts: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One different fact. `before` or `after` is `None` if that side lacks the fact."""

    section: Section
    where: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two paired interactions as `cassette:number`. A side without a counterpart is `None`."""

    before: str | None
    after: str | None
    differences: tuple[Difference, ...] = ()

    @property
    def differ(self) -> bool:
        return self.before is None or self.after is None or bool(self.differences)


# -- two interactions ------------------------------------------------------------------------------


def find_differences(
    before: Interaction, after: Interaction, *, noise: bool = True
) -> tuple[Difference, ...]:
    """Returns every difference, the most important first."""
    answers = [*_compare_facts("answer", _read_answer(before), _read_answer(after))]
    request = [*_compare_facts("request", _read_request(before), _read_request(after))]
    headers = [
        *_compare_facts("headers", dict(before.response.headers), dict(after.response.headers))
    ]
    if not noise:
        return (*answers, *request, *headers)
    reported = {(difference.before, difference.after) for difference in answers}
    spelling = [
        rest for rest in _compare_bodies(before, after) if (rest.before, rest.after) not in reported
    ]
    return (
        *answers,
        *request,
        *headers,
        *_compare_facts("noise", _read_noise(before), _read_noise(after)),
        *spelling,
    )


def _compare_facts(
    section: Section, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Difference]:
    for where, one, other in compare_members(before, after, None):
        if one != other:
            yield Difference(section, where, one, other)


def _read_answer(interaction: Interaction) -> _Facts:
    response = interaction.response
    facts = {
        "status": str(response.status),
        "partial": str(interaction.partial).lower(),
        "ends": response.ends or "complete",
    }
    content = content_of(interaction.operation, interaction.model, response)
    return facts | (_read_content(content) if content is not None else _read_body(response.body))


def _read_content(content: Content) -> _Facts:
    match content:
        case Message():
            return _read_message(content)
        case Embeddings(vectors=vectors):
            return {f"vector {n}": repr(vector) for n, vector in enumerate(vectors or (), 1)}
        case Images(images=images):
            return {f"image {n}": _render_image(data) for n, data in enumerate(images or (), 1)}
        case Ranking(scores=scores):
            return {f"document {index}": repr(score) for index, score in scores or ()}
    return {}


def _render_image(data: bytes) -> str:
    return f"{len(data)} bytes, {data[:12].hex()}…"


def _read_message(message: Message) -> _Facts:
    """Joins texts, because their cuts are noise, and leaves out tool call ids, which are random."""
    facts = {"text": message.text} if message.text else {}
    thoughts = [block for block in message.blocks if isinstance(block, Reasoning)]
    calls = [block for block in message.blocks if isinstance(block, ToolUse)]
    cited = [c for block in message.blocks if isinstance(block, CitedText) for c in block.citations]
    pictures = [block for block in message.blocks if isinstance(block, Image)]
    if calls or thoughts:
        facts["order"] = ", ".join(
            type(block).__name__ for block in message.blocks if not isinstance(block, Text)
        )
    facts |= {f"tool {n}": f"{c.name} {_render_json(c.input)}" for n, c in enumerate(calls, 1)}
    facts |= {f"reasoning {n}": t.text for n, t in enumerate(thoughts, 1)}
    facts |= {f"citation {n}": _render_citation(c) for n, c in enumerate(cited, 1)}
    facts |= {f"image {n}": _render_image(p.data) for n, p in enumerate(pictures, 1)}
    return facts | {
        "stop": message.stop + (f" {message.stop_sequence!r}" if message.stop_sequence else "")
    }


def _render_citation(citation: Citation) -> str:
    return (
        f"{citation.title or citation.origin or ''} {_render_json(citation.location)}"
        f" {citation.source}"
    )


def _read_request(interaction: Interaction) -> _Facts:
    request = interaction.request
    facts = {"method": request.method, "path": request.path}
    return (
        facts
        | {f"header {name}": value for name, value in request.headers}
        | (_read_body(request.body) if request.events is None else _read_inputs(request.events))
    )


def _read_inputs(events: Events) -> _Facts:
    """Returns the members of the client's events without noise, and the order of the events.

    Each kind of event has numbers of its own, because the number of events with audio is noise.
    """
    facts: _Facts = {}
    order = Counter[str]()
    names = []
    for event in events.events:
        value = bodies.read_chunk(event.payload)
        name, members = sonic.read_event(value) or (event.type or "event", value)
        if name == "audioInput":
            continue
        names.append(name)
        order[name] += 1
        if isinstance(members, dict):
            members = {key: each for key, each in members.items() if key not in _INPUT_NOISE}
        facts |= _list_members(members, f"{name} {order[name]}")
    return facts | {"events": ", ".join(names)}


def _read_input_noise(events: Events) -> _Facts:
    """Returns the times of the client's events, the names in them, and their audio."""
    values = (sonic.read_event(bodies.read_chunk(event.payload)) for event in events.events)
    members = [members for _, members in filter(None, values)]
    return {"client at_ms": " ".join(str(event.at_ms) for event in events.events)} | {
        f"client {key}": " ".join(_render_json(each[key]) for each in members if key in each)
        for key in _INPUT_NOISE
    }


# Members of the client's events: names that clients make anew, and recorded audio.
_INPUT_NOISE = (*sonic.NAMES, "audio")


def _read_noise(interaction: Interaction) -> _Facts:
    request, response = interaction.request, interaction.response
    usage = read_usage(interaction.operation, interaction.model, response)
    facts = {
        "after_ms": str(response.after_ms),
        "usage": "" if usage is None else f"{usage.input} in, {usage.output} out",
    }
    if isinstance(response.body, Events):
        facts["events"] = str(len(response.body.events))
        facts["at_ms"] = " ".join(str(event.at_ms) for event in response.body.events)
    if request.events is not None:
        facts |= _read_input_noise(request.events)
    return facts | {"exact": str(interaction.exact).lower()}


def _compare_bodies(before: Interaction, after: Interaction) -> Iterator[Difference]:
    """Compares the bodies of answers with a known form, for ids, traces and cuts of texts.

    Skips streams of different lengths, because there every event after the first extra one differs.
    """
    sizes = {
        len(i.response.body.events) if isinstance(i.response.body, Events) else -1
        for i in (before, after)
    }
    known = any(content_of(i.operation, i.model, i.response) is not None for i in (before, after))
    if known and len(sizes) == 1:
        yield from _compare_facts(
            "noise", _read_body(before.response.body), _read_body(after.response.body)
        )


# -- bodies, member by member ----------------------------------------------------------------------


def _render_json(value: JsonValue) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )


def _read_body(body: Body | Events) -> _Facts:
    if isinstance(body, Body):
        return _list_members(_read_value(body.form, body.data)) if body.data else {}
    facts: _Facts = {}
    for number, event in enumerate(body.events):
        facts |= _list_members(
            _read_value(event.form, event.payload), f"event {number} {event.type or ''}".rstrip()
        )
    return facts


def _read_value(form: str, data: bytes) -> JsonValue:
    """Returns the JSON without signatures of reasoning, which differ each time; else the text."""
    try:
        value = _render_image(data) if form == "base64" else bodies.read_value(form, data)
    except ValueError:
        return data.decode(errors="replace")
    drop_signatures(value)
    return value


def _list_members(value: JsonValue, root: str = "") -> _Facts:
    """Returns each leaf by its path: `messages[0].content[0].text`."""
    return {render_path(place, root) or "body": _render_json(leaf) for place, leaf in leaves(value)}


# -- two suites ------------------------------------------------------------------------------------


def compare(before: Suite, after: Suite, *, noise: bool = True) -> tuple[Comparison, ...]:
    """Compares cassettes of equal names; if each side has one, these two whatever their names."""
    if len(before) == len(after) == 1:
        return tuple(_compare_cassettes(before[0], after[0], noise=noise))
    old, new = {c.name: c for c in before}, {c.name: c for c in after}
    return tuple(
        comparison
        for name in sorted(old.keys() | new.keys())
        for comparison in _compare_cassettes(
            old.get(name, Cassette(name, ())), new.get(name, Cassette(name, ())), noise=noise
        )
    )


def _compare_cassettes(before: Cassette, after: Cassette, *, noise: bool) -> Iterator[Comparison]:
    olds, news = list_numbers(before), list_numbers(after)
    for old, new in _pair_places(before, after):
        one = None if old is None else f"{before.name}:{olds[old]}"
        other = None if new is None else f"{after.name}:{news[new]}"
        if old is None or new is None:
            yield Comparison(one, other)
        else:
            changes = find_differences(
                before.interactions[old], after.interactions[new], noise=noise
            )
            yield Comparison(one, other, changes)


def _pair_places(before: Cassette, after: Cassette) -> list[tuple[int | None, int | None]]:
    """Pairs places with the same request, in order, then the rest with the same number."""
    if len(before.interactions) == len(after.interactions) == 1:
        return [(0, 0)]
    olds, news = (
        {
            key: place
            for place, key in enumerate(compute_turn_keys(i.request for i in side.interactions))
        }
        for side in (before, after)
    )
    both = [(olds[key], news[key]) for key in olds if key in news]
    old_numbers, new_numbers = list_numbers(before), list_numbers(after)
    left = {old_numbers[place]: place for key, place in olds.items() if key not in news}
    right = {new_numbers[place]: place for key, place in news.items() if key not in olds}
    both += [(left.pop(number), right.pop(number)) for number in sorted(left.keys() & right.keys())]
    gone: list[tuple[int | None, int | None]] = [(place, None) for place in left.values()]
    come: list[tuple[int | None, int | None]] = [(None, place) for place in right.values()]
    return [*sorted([*both, *gone], key=lambda pair: pair[0] or 0), *come]


# -- rendering -------------------------------------------------------------------------------------

_SIGNS: dict[str, Style] = {"+": "added", "-": "removed"}


def render(comparisons: Sequence[Comparison]) -> list[Line]:
    """Renders the comparisons that differ, each under its name."""
    return [
        line
        for comparison in comparisons
        if comparison.differ
        for line in _render_comparison(comparison)
    ]


def _render_comparison(comparison: Comparison) -> Iterator[Line]:
    before, after = comparison.before, comparison.after
    if before is None or after is None:
        sign, name = ("+", after) if before is None else ("-", before)
        yield from lines(f"{sign} {name}", "added" if sign == "+" else "removed")
        return
    yield from lines(before if before == after else f"{before} -> {after}", "title")
    for difference in comparison.differences:
        yield from render_difference(difference)


def render_difference(difference: Difference) -> Iterator[Line]:
    """Renders the place of the difference, then the different lines of both sides."""
    style: Style = "faint" if difference.section == "noise" else "role"
    yield from lines(f"{difference.section}: {difference.where}", style, indent="  ")
    before = [] if difference.before is None else difference.before.splitlines() or [""]
    after = [] if difference.after is None else difference.after.splitlines() or [""]
    for line in list(unified_diff(before, after, n=2, lineterm=""))[2:]:
        if len(before) > 1 or len(after) > 1 or line[0] != "@":
            yield from lines(line, _SIGNS.get(line[0], "plain"), indent="    ")
