"""Renders an interaction as a transcript: request, answer, times, usage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from bedtape_cassettes.families.content import (
    Block,
    CitedText,
    Content,
    Embeddings,
    Image,
    Images,
    Json,
    Message,
    Prompt,
    Ranking,
    Reasoning,
    Refusal,
    Text,
    ToolUse,
    Turn,
    Usage,
)
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_view import request_body_of
from bedtape_cassettes.matching.key import compute_name_key
from bedtape_cassettes.model import Body, Event, Events, Headers, Interaction, JsonValue
from bedtape_cassettes.suites.selector import list_marks
from bedtape_cassettes.text import Line, Style, format_count, lines

_INDENT = "  "
_LONGEST = 76  # of a text in the timeline


def render_heading(cassette: str, number: int, interaction: Interaction) -> list[Line]:
    """Renders `weather:2  ConverseStream  us.amazon.nova-lite-v1:0  200  stream`, file and key."""
    what = interaction.operation or f"{interaction.request.method} {interaction.request.path}"
    status = str(interaction.response.status)
    ends = interaction.response.ends
    marks = [*list_marks(interaction), *([f"ends: {ends}"] if ends else [])]
    parts = [f"{cassette}:{number}", what, interaction.model or "-", status, *marks]
    where = f"{interaction.file}  key {compute_name_key(interaction.request).hex()}"
    return [*lines("  ".join(parts), "title"), *lines(where, "faint")]


def render_transcript(cassette: str, number: int, interaction: Interaction) -> list[Line]:
    """Renders the whole interaction for a person."""
    response = interaction.response
    prompt = prompt_of(interaction.operation, interaction.model, interaction.request.body.data)
    content = content_of(interaction.operation, interaction.model, response)
    usage = read_usage(interaction.operation, interaction.model, response)
    return [
        *render_heading(cassette, number, interaction),
        *_render_request(prompt, interaction.request.body),
        *_render_both(interaction, content),
        *(_render_usage(usage) if usage is not None else ()),
    ]


def _render_both(interaction: Interaction, content: Content | None) -> Iterator[Line]:
    """Renders the answer and its times; of a conversation, the events of both sides."""
    sent, response = interaction.request.events, interaction.response
    if sent is not None and isinstance(response.body, Events):
        yield from _render_duplex(sent, response.body)
        return
    if sent is not None:
        yield from _render_duplex(sent, Events.of([]))
    if content is not None:
        cut = interaction.partial or response.ends is not None
        yield from _render_answer(content, cut=cut)
    else:
        yield from _render_unread(response.body, response.status)
    yield from _render_timeline(response.after_ms, response.body)


# -- request ---------------------------------------------------------------------------------------


def _render_request(prompt: Prompt, body: Body) -> Iterator[Line]:
    if prompt == Prompt():
        if body.data:
            yield from _render_section("request", _render_bytes(body.form, body.data))
        return
    if prompt.system:
        yield from _render_section("system", prompt.system)
    for turn in prompt.turns:
        yield from _render_turn(turn)
    if prompt.tools:
        yield from _render_section("tools", ", ".join(prompt.tools))
    if settings := _render_settings(prompt):
        yield from _render_section("settings", settings)


def _render_section(title: str, text: str) -> Iterator[Line]:
    yield from lines(title, "role")
    yield from lines(text, indent=_INDENT)


def _render_turn(turn: Turn) -> Iterator[Line]:
    yield from _render_section(turn.role, turn.text)
    for call in turn.calls:
        yield from lines(_render_call(call), indent=_INDENT)
    for result in turn.results:
        yield from lines(f"result of {result.name or result.id}: {result.text}", indent=_INDENT)


def _render_call(call: ToolUse) -> str:
    return f"calls {call.name} {json.dumps(call.input, ensure_ascii=False)}" + (
        f" ({call.id})" if call.id else ""
    )


def _render_settings(prompt: Prompt) -> str:
    named = {
        "temperature": prompt.temperature,
        "top_p": prompt.top_p,
        "max_tokens": prompt.max_tokens,
        "stop": list(prompt.stop_sequences) or None,
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)


# -- answer ----------------------------------------------------------------------------------------


def _render_answer(content: Content, *, cut: bool) -> Iterator[Line]:
    """cut: whether the end of the answer is missing, and with it the reason to stop."""
    yield Line("answer", "role")
    match content:
        case Message(blocks=blocks, stop=stop, stop_sequence=sequence):
            for block in blocks:
                yield from _render_block(block)
            reason = f"stops: {stop}" + (f" at {sequence!r}" if sequence else "")
            reason = "cut: the end of the answer is missing" if cut else reason
            yield from lines(reason, "faint", indent=_INDENT)
        case Embeddings(vectors=vectors):
            for vector in vectors or ():
                shown = ", ".join(f"{number:g}" for number in vector[:4])
                yield Line(
                    f"{_INDENT}vector of {len(vector)}: {shown}{', …' if len(vector) > 4 else ''}"
                )
        case Images(images=images):
            for data in images or ():
                yield Line(f"{_INDENT}image of {len(data)} bytes")
        case Ranking(scores=scores):
            for index, score in scores or ():
                yield Line(f"{_INDENT}document {index}: {score:g}")


def _render_block(block: Block) -> list[Line]:
    match block:
        case Text(text=text):
            return lines(text, indent=_INDENT)
        case Reasoning(text=text, redacted=redacted):
            shown = text if redacted is None else f"{text}[{len(redacted)} bytes redacted]"
            return lines(f"thinks: {shown}", "faint", indent=_INDENT)
        case ToolUse():
            return lines(_render_call(block), indent=_INDENT)
        case CitedText(text=text, citations=citations):
            cited = "\n".join(f"[{c.title or c.origin or 'source'}] {c.source}" for c in citations)
            return lines(text, indent=_INDENT) + lines(cited, "faint", indent=2 * _INDENT)
        case Image(data=data, format=kind):
            return [Line(f"{_INDENT}{kind} image of {len(data)} bytes")]
        case Refusal(text=text):
            return lines(f"refuses: {text}", indent=_INDENT)
        case Json(value=value):
            return lines(json.dumps(value, ensure_ascii=False), indent=_INDENT)


def _render_unread(body: Body | Events, status: int) -> Iterator[Line]:
    """Renders an error, or the body of an answer with an unknown form."""
    yield Line(
        "answer" if status < 300 else f"error {status}", "role" if status < 300 else "warning"
    )
    if isinstance(body, Body):
        yield from lines(_render_bytes(body.form, body.data), indent=_INDENT)
    for event in body.events if isinstance(body, Events) else ():
        yield from lines(f"{event.type or 'event'}: {_shorten(event)}", indent=_INDENT)


def _render_bytes(form: str, data: bytes, indent: int | None = 2) -> str:
    """Renders JSON (on one line without `indent`), text unchanged, and other bytes as a count."""
    if form == "base64":
        return f"{len(data)} bytes"
    try:
        value = bodies.read_value(form, data)
    except ValueError:
        return data.decode(errors="replace")
    return value if isinstance(value, str) else json.dumps(value, indent=indent, ensure_ascii=False)


# -- times, usage --------------------------------------------------------------------------------


def _render_timeline(after_ms: int, body: Body | Events) -> Iterator[Line]:
    """Renders the head's time, then times, count and bytes of each run of events of one type."""
    if not isinstance(body, Events):
        if after_ms:
            yield Line(f"answered after {after_ms} ms", "faint")
        return
    events = body.events
    yield Line(f"stream of {len(events)} events, the head after {after_ms} ms", "role")
    for kind, group in groupby(events, key=lambda event: event.type or "event"):
        run = list(group)
        times = f"{run[0].at_ms} ms" if len(run) == 1 else f"{run[0].at_ms}-{run[-1].at_ms} ms"
        count = (
            ""
            if len(run) == 1
            else f" x{len(run)}, {sum(len(event.payload) for event in run)} bytes"
        )
        yield from lines(f"{times:>16}  {kind}{count}", "faint", indent=_INDENT)


# -- conversations ---------------------------------------------------------------------------------

# Names that a client makes anew for each conversation, which a reader does not need.
_NAMES = ("promptName", "contentName", "completionId", "contentId", "sessionId")


class _Moment(NamedTuple):
    """An event. side: who sent it. name: of the event, or its type. audio: its length in bytes."""

    at_ms: int
    side: str
    name: str
    text: str
    audio: int | None


def _render_duplex(sent: Events, received: Events) -> Iterator[Line]:
    """Render the events of the client and of the model, each with its time, as one list.

    Events at one time keep the order in which the client sends and the model answers. Audio in a
    row is one line, with its number and length.
    """
    moments = [
        *(_read(event, "client") for event in sent.events),
        *(_read(event, "model") for event in received.events),
    ]
    moments.sort(key=lambda moment: moment.at_ms)  # stable
    count = f"{len(sent.events)} of the client, {len(received.events)} of the model"
    yield Line(f"conversation of {format_count(len(moments), 'event')}: {count}", "role")
    for _, group in groupby(enumerate(moments), key=_number_run):
        yield from _render_run([moment for _, moment in group])


def _number_run(numbered: tuple[int, _Moment]) -> tuple[object, ...]:
    """Return an equal value for audio of one side in a row, and another one for other events."""
    number, moment = numbered
    return (moment.side, moment.name) if moment.audio is not None else (number,)


def _render_run(run: list[_Moment]) -> list[Line]:
    first, last = run[0], run[-1]
    time = f"{first.at_ms}" if first.at_ms == last.at_ms else f"{first.at_ms}-{last.at_ms}"
    what = first.text
    if first.audio is not None:
        total = sum(moment.audio or 0 for moment in run)
        what = f"{f'x{len(run)}, ' if len(run) > 1 else ''}{total} bytes of audio"
    style: Style = "plain" if first.side == "client" else "faint"
    return lines(f"{f'{time} ms':>16}  {first.side:<6}  {first.name}  {what}".rstrip(), style)


def _read(event: Event, side: str) -> _Moment:
    value = bodies.read_chunk(event.payload)
    event_read = sonic.read_event(value)
    if event_read is None:
        return _Moment(event.at_ms, side, event.type or "event", _shorten_event(value), None)
    name, members = event_read
    audio = sonic.read_audio(name, members)
    digest = members.get("audio")
    length = digest.get("bytes") if isinstance(digest, dict) else None
    size = len(audio) if audio is not None else length if isinstance(length, int) else None
    rest = {key: member for key, member in members.items() if key not in _NAMES}
    if name == "contentStart" and isinstance(file := rest.get("audio"), str):
        rest["audio"] = f"{len(file) * 3 // 4} bytes"
    return _Moment(event.at_ms, side, name, _shorten_event(rest) if rest else "", size)


def _shorten_event(value: JsonValue) -> str:
    content = value.get("content") if isinstance(value, dict) and len(value) == 1 else None
    text = content if isinstance(content, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


# -- usage ---------------------------------------------------------------------------------------


def _render_usage(usage: Usage) -> Iterator[Line]:
    cached = [
        f"{count} {what}"
        for count, what in (
            (usage.cache_read, "read from the cache"),
            (usage.cache_write, "written to it"),
        )
        if count
    ]
    yield Line(
        f"usage: {', '.join([f'{usage.input} tokens in', f'{usage.output} out', *cached])}", "faint"
    )


# -- raw -------------------------------------------------------------------------------------------


def render_raw(cassette: str, number: int, interaction: Interaction) -> list[Line]:
    """Renders request and response with headers, and body or frames without padding."""
    request, response = interaction.request, interaction.response
    return [
        *render_heading(cassette, number, interaction),
        *lines(f"{request.method} {request.path}", "role"),
        *_render_headers(request.headers),
        *_render_frames(request_body_of(request)),
        Line(f"{response.status} after {response.after_ms} ms", "role"),
        *_render_headers(response.headers),
        *_render_frames(response.body),
    ]


def _render_headers(headers: Headers, indent: str = "") -> Iterator[Line]:
    for name, value in headers:
        yield from lines(f"{name}: {value}", "faint", indent=indent)


def _render_frames(body: Body | Events) -> Iterator[Line]:
    if isinstance(body, Body):
        yield from lines(_render_bytes(body.form, body.data), indent=_INDENT)
        return
    # From 0, as in the paths of `set`, `unset` and `insert`.
    for number, event in enumerate(body.events):
        yield Line(f"event {number} at {event.at_ms} ms, {len(event.payload)} bytes", "role")
        yield from _render_headers(event.headers, _INDENT)
        yield from lines(_render_bytes(event.form, event.payload, None), indent=_INDENT)


def _shorten(event: Event) -> str:
    text = _render_bytes(event.form, event.payload, None)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
