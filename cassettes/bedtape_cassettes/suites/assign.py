"""Assigns values to parts of one interaction (`answer.text=…`, `stop_reason=…`, `status=429`).

A new text replaces the recorded text in its slots. Token counts, totals and a recorded Content-Length are updated.
Values that cannot be updated are reported in notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.failures import FAILURES, get_namespace
from bedtape_cassettes.families.content import STOP_REASONS, CitedText, Content, Message, Text, Usage, tokens
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.members import find_leaves
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import can_render, render
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import with_text
from bedtape_cassettes.families.usage import COUNTS, read_usage, with_usage
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_values import Place, Plain, find_places, parse_path, with_leaf
from bedtape_cassettes.format.json_view import read_values, write_values
from bedtape_cassettes.model import Body, Events, Interaction, JsonValue, Response

_KEYS = ("answer.text", "stop_reason", "status", *(f"usage.{name}" for name in COUNTS))
# The error that clients most often receive with a status.
_ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


@dataclass(frozen=True, slots=True)
class Assignment:
    """`key=value`. key: one of answer.text, stop_reason, status, usage.NAME, json:PATH, request:PATH."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class EditResult:
    """The edited interaction, and notes for the user about values that were not updated."""

    interaction: Interaction
    notes: tuple[str, ...] = ()


def parse_assignments(words: Iterable[str]) -> tuple[Assignment, ...]:
    """Parses `KEY=VALUE` arguments. Raises CassetteError."""
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or (key not in _KEYS and not key.startswith(("json:", "request:"))):
            known = ", ".join(f"{name}=…" for name in (*_KEYS, "json:$.path", "request:$.path"))
            raise CassetteError(f"{word}: expected KEY=VALUE, found no known key; known are {known}")
        found.append(Assignment(key, value))
    # The status comes first, because it decides between an answer and an error.
    return tuple(sorted(found, key=lambda one: one.key != "status"))


def assign(interaction: Interaction, changes: Sequence[Assignment]) -> EditResult:
    """Applies all changes. Raises CassetteError if a change is not possible."""
    notes: list[str] = []
    for change in changes:
        interaction = _assign_one(interaction, change, notes)
    return EditResult(with_length(interaction), tuple(notes))


def reconcile(before: Interaction, after: Interaction) -> EditResult:
    """Updates the token count of a hand-edited interaction, if its text changed and its usage did not."""
    notes: list[str] = []
    old, new = answer_text(before), answer_text(after)
    if old is not None and new is None and after.response.status == 200:
        notes.append("the answer no longer has the form of its model's family, so its text cannot be read")
    if old is not None and new is not None and old != new and _usage(before) == _usage(after):
        after = _update_token_count(after, old, new)
    return EditResult(with_length(after), tuple(notes))


def answer_text(interaction: Interaction) -> str | None:
    """Returns the answer's text, or `None` if its form is unknown or it has no text."""
    content = _content(interaction)
    if not isinstance(content, Message) or not any(isinstance(block, Text | CitedText) for block in content.blocks):
        return None
    return content.text


def _content(interaction: Interaction) -> Content | None:
    return content_of(interaction.operation, interaction.model, interaction.response)


def _usage(interaction: Interaction) -> Usage | None:
    return read_usage(interaction.operation, interaction.model, interaction.response)


def _assign_one(interaction: Interaction, change: Assignment, notes: list[str]) -> Interaction:
    key, value = change.key, change.value
    match key:
        case "answer.text":
            return _with_text(interaction, value, notes)
        case "stop_reason":
            return _with_stop(interaction, value)
        case "status":
            return _with_status(interaction, value, notes)
    kind, _, name = key.partition("." if key.startswith("usage.") else ":")
    if kind == "usage":
        return replace(interaction, response=with_usage(interaction, COUNTS[name], _whole(key, value, 0)))
    if kind == "json":
        return replace(interaction, response=_with_member(interaction, name, value, notes))
    request = interaction.request
    body = with_members(request.body, name, value, interaction.file)
    assert isinstance(body, Body)
    notes.append(f"{interaction.file}: the request is changed, so other calls match it now")
    return replace(interaction, request=replace(request, body=body))


def _whole(key: str, value: str, least: int, most: int = 10**9) -> int:
    if not value.isdecimal() or not value.isascii() or not least <= int(value[:12]) <= most:
        raise CassetteError(
            f"{key}: expected a whole number from {least} to {most}, found {value!r}; write such a number"
        )
    return int(value)


# -- text ------------------------------------------------------------------------------------------------------


def _with_text(interaction: Interaction, text: str, notes: list[str]) -> Interaction:
    file, response = interaction.file, interaction.response
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CassetteError(f"{file}: expected text that UTF-8 can hold, found half of a surrogate pair") from None
    content = _content(interaction)
    if content is None and interaction.response.body == _NO_BODY:
        rendered = _render(interaction, Message((Text(text),)), "an answer that can be made, found")
        return replace(interaction, response=replace(rendered, after_ms=response.after_ms))
    if not isinstance(content, Message):
        raise CassetteError(f"{file}: expected an answer whose form is known, with a text, found none; {_SET_MEMBERS}")
    members = members_of(interaction.operation, interaction.model)
    body = with_text(response.body, members, content.text, text)
    changed = None if body is None else replace(interaction, response=replace(response, body=body))
    new_content = changed and _content(changed)
    if changed is None or not isinstance(new_content, Message) or new_content.text != text:
        found = "none (the answer may consist of tool calls)"
        raise CassetteError(f"{file}: expected a place for the answer's text, found {found}; {_SET_MEMBERS}")
    if content.text != text:
        notes += _find_doubts(file, content)
    return _update_token_count(changed, content.text, text)


_NO_BODY = Body("text", b"")
_SET_MEMBERS = "set members of its body or events: json:$.path=value"


def _find_doubts(file: str, content: Message) -> list[str]:
    """Returns notes about parts of the answer that may contradict the new text."""
    notes = []
    if content.stop in ("max_tokens", "stop_sequence"):
        notes.append(f"{file}: it still ends with {content.stop}; if it should not: stop_reason=end_turn")
    if any(isinstance(block, CitedText) for block in content.blocks):
        notes.append(f"{file}: its citations belong to the old text")
    return notes


def _render(interaction: Interaction, message: Message, expected: str) -> Response:
    """Renders an answer in the form of the model's family. expected: for the message of an error."""
    try:
        return render(
            message,
            operation=interaction.operation or "",
            model=interaction.model,
            body=interaction.request.body.data,
            chance=Random(0),  # noqa: S311 -- the same edit gives the same bytes
        )
    except RenderError as error:
        raise CassetteError(f"{interaction.file}: expected {expected}: {error}") from None


def _update_token_count(interaction: Interaction, old: str, new: str) -> Interaction:
    usage = _usage(interaction)
    if usage is None or usage.output == 0 or old == new:
        return interaction
    output = max(1, usage.output + tokens(new) - tokens(old))
    return replace(interaction, response=with_usage(interaction, "output", output))


# -- stop reasons ----------------------------------------------------------------------------------------------


def _with_stop(interaction: Interaction, stop: str) -> Interaction:
    """Replaces each stop reason of the answer by the family's own word."""
    file, response = interaction.file, interaction.response
    if stop not in STOP_REASONS:
        raise CassetteError(f"{file}: expected a stop reason of {', '.join(STOP_REASONS)}, found {stop!r}; choose one")
    content = _content(interaction)
    if not isinstance(content, Message) or not can_render(interaction.operation):
        fix = "set the member itself: json:$.path=value"
        raise CassetteError(f"{file}: expected an answer whose form is known, found one that is not; {fix}")
    word, values = _stop_word(interaction, stop), read_values(response.body)
    places = _stops(interaction, values)
    if word is None or not places:
        raise CassetteError(f"{file}: expected a stop reason in the answer, found none; set it with json:$.path=value")
    for number, place, _ in places:
        values[number] = with_leaf(values[number], place, word)
    return replace(interaction, response=replace(response, body=write_values(response.body, values)))


def _stops(interaction: Interaction, values: Sequence[JsonValue | Plain]) -> list[tuple[int, Place, str]]:
    """Returns the index of the value, the place and the word of each stop reason."""
    leaves = find_leaves(values, members_of(interaction.operation, interaction.model).stop)
    return [(number, place, leaf) for number, place, leaf in leaves if isinstance(leaf, str)]


def _stop_word(interaction: Interaction, stop: str) -> str | None:
    """Returns the stop reason as the model's family writes it."""
    message = Message((Text("."),), stop=stop, usage=Usage(1, 1))
    rendered = _render(interaction, message, "a stop reason that the model can give")
    return next((word for _, _, word in _stops(interaction, read_values(rendered.body))), None)


# -- status ----------------------------------------------------------------------------------------------------


def _with_status(interaction: Interaction, value: str, notes: list[str]) -> Interaction:
    """Sets the status. An answer becomes an error; an error becomes an empty answer for `answer.text`."""
    status = _whole("status", value, 200, 599)
    response = interaction.response
    if status == response.status:
        return interaction
    if status >= 400:
        return replace(interaction, response=_error(status, response, interaction.file, notes))
    if response.status >= 400:
        notes.append(f"{interaction.file}: it is no longer an error; set an answer: answer.text=…")
        return replace(interaction, response=replace(response, status=status, headers=(), body=_NO_BODY))
    return replace(interaction, response=replace(response, status=status))


def _error(status: int, response: Response, file: str, notes: list[str]) -> Response:
    name = _ERRORS.get(status)
    if name is None:
        notes.append(f"{file}: no known Bedrock error has the status {status}; the body is unchanged")
        return replace(response, status=status)
    headers = (("content-type", "application/json"), ("x-amzn-errortype", name + get_namespace(name)))
    body = Body("json", bodies.compact({"message": FAILURES[name].message}))
    return replace(response, status=status, headers=headers, body=body)


# -- members ---------------------------------------------------------------------------------------------------


def _with_member(interaction: Interaction, path: str, value: str, notes: list[str]) -> Response:
    response = interaction.response
    body = with_members(response.body, path, value, interaction.file)
    if _content(interaction) is None:
        notes.append(f"{interaction.file}: the form of this answer is not known: only this member is changed")
    return replace(response, body=body)


def with_members(body: Body | Events, path: str, value: str, file: str) -> Body | Events:
    """Sets the members at the path. In a stream the path begins with the number of the event, from 0."""
    try:
        parts = parse_path(path)
    except ValueError as error:
        raise CassetteError(f"{file}: {error}; write it like json:$.content[0].text=…") from None
    values = read_values(body)
    holder: JsonValue = [None if isinstance(each, Plain) else each for each in values]
    if isinstance(body, Body):
        parts = ("0", *parts)
    places = list(find_places(holder, parts, or_new=True))
    if not places:
        raise CassetteError(f"{file}: expected a member at {path}, found none; look at it: bedtape cassette show --raw")
    for number, *place in places:
        assert isinstance(number, int)
        values[number] = with_leaf(values[number], tuple(place), _parse_value(value))
    return write_values(body, values)


def _parse_value(value: str) -> JsonValue:
    """Parses the value as JSON; returns the text if it is not JSON."""
    try:
        return bodies.parse(value.encode(errors="replace"))
    except ValueError:
        return value


# -- lengths ---------------------------------------------------------------------------------------------------


def with_length(interaction: Interaction) -> Interaction:
    """Updates the Content-Length of an exact recording to the size of its body."""
    response = interaction.response
    size = str(_size(response.body))
    headers = tuple((n, size if n.lower() == "content-length" else v) for n, v in response.headers)
    return (
        interaction
        if headers == response.headers
        else replace(interaction, response=replace(response, headers=headers))
    )


def _size(body: Body | Events) -> int:
    if isinstance(body, Body):
        return len(body.data)
    return sum(len(eventstream.encode_strings(e.headers, e.payload) if e.headers else e.payload) for e in body.events)
