"""One interaction changed by what is said about it (`answer.text=…`, `stop_reason=…`, `status=429`), and what depends on that fixed.

An answer's text is put where the recorded one stood (see `deltas`); token counts, totals and a recorded Content-Length
follow. What cannot be fixed is told in notes. Pure; nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.failures import FAILURES, namespace_of
from bedtape_cassettes.families.content import STOP_REASONS, Cited, Content, Message, Text, Usage
from bedtape_cassettes.families.family import Cannot
from bedtape_cassettes.families.members import find_leaves
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render, takes
from bedtape_cassettes.families.shared.synthesis import tokens
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import with_text
from bedtape_cassettes.families.usage import COUNTS, read_usage, with_usage
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_values import Place, Plain, find_places, parse_path, with_leaf
from bedtape_cassettes.format.json_view import opened, sealed
from bedtape_cassettes.model import Body, Events, Interaction, JsonValue, Response

__all__ = [
    "Assignment",
    "EditResult",
    "answer_text",
    "assign",
    "parse_assignments",
    "reconcile",
    "with_length",
    "with_members",
]

_KEYS = ("answer.text", "stop_reason", "status", *(f"usage.{name}" for name in COUNTS))
# The error that a status stands for where it is not said: the one that clients meet.
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
    """The interaction as it is then, and what a reader should know of it."""

    interaction: Interaction
    notes: tuple[str, ...] = ()


def parse_assignments(words: Iterable[str]) -> tuple[Assignment, ...]:
    """What was written on the command line. Raises CassetteError."""
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or (key not in _KEYS and not key.startswith(("json:", "request:"))):
            known = ", ".join(f"{name}=…" for name in (*_KEYS, "json:$.path", "request:$.path"))
            raise CassetteError(f"{word}: expected KEY=VALUE, found no key that is known; known are {known}")
        found.append(Assignment(key, value))
    # A status says what kind of answer it is, so it comes first.
    return tuple(sorted(found, key=lambda one: one.key != "status"))


def assign(interaction: Interaction, changes: Sequence[Assignment]) -> EditResult:
    """With all of the changes. Raises CassetteError where one of them cannot be made."""
    notes: list[str] = []
    for change in changes:
        interaction = _assign_one(interaction, change, notes)
    return EditResult(with_length(interaction), tuple(notes))


def reconcile(before: Interaction, after: Interaction) -> EditResult:
    """What was edited by hand, with what depends on the answer's text fixed where only that was changed."""
    notes: list[str] = []
    old, new = answer_text(before), answer_text(after)
    if old is not None and new is None and after.response.status == 200:
        notes.append("the answer is no longer in the form of its model's family, so its text cannot be told")
    if old is not None and new is not None and old != new and _usage(before) == _usage(after):
        after = _update_token_count(after, old, new)
    return EditResult(with_length(after), tuple(notes))


def answer_text(interaction: Interaction) -> str | None:
    """The answer's text; None where its form is not known, or it has none."""
    content = _content(interaction)
    if not isinstance(content, Message) or not any(isinstance(block, Text | Cited) for block in content.blocks):
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
        raise CassetteError(f"{key}: expected a whole number from {least} to {most}, found {value!r}; write such a one")
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
        return replace(interaction, response=_render_answer(interaction, text))
    if not isinstance(content, Message):
        fix = "set members of its body or events: json:$.path=value"
        raise CassetteError(f"{file}: expected an answer whose form is known, with a text, found none; {fix}")
    members = members_of(interaction.operation, interaction.model)
    body = with_text(response.body, members, content.text, text)
    changed = None if body is None else replace(interaction, response=replace(response, body=body))
    said = changed and _content(changed)
    if changed is None or not isinstance(said, Message) or said.text != text:
        fix = "set members of its body or events: json:$.path=value"
        raise CassetteError(
            f"{file}: expected a place for the answer's text, found none (it may only call tools); {fix}"
        )
    if content.text != text:
        notes += _find_doubts(file, content)
    return _update_token_count(changed, content.text, text)


_NO_BODY = Body("text", b"")


def _find_doubts(file: str, content: Message) -> list[str]:
    """What an answer says of its text that nobody can fix."""
    notes = []
    if content.stop in ("max_tokens", "stop_sequence"):
        notes.append(f"{file}: it still ends with {content.stop}; if it should not: stop_reason=end_turn")
    if any(isinstance(block, Cited) for block in content.blocks):
        notes.append(f"{file}: its citations are those of the old text")
    return notes


def _render_answer(interaction: Interaction, text: str) -> Response:
    """A new answer, in the form of the model's family."""
    request = interaction.request
    try:
        made = render(
            Message((Text(text),)),
            operation=interaction.operation or "",
            model=interaction.model,
            body=request.body.data,
            chance=Random(0),  # noqa: S311 -- the same edit gives the same bytes
        )
    except Cannot as error:
        raise CassetteError(f"{interaction.file}: expected an answer that can be made, found: {error}") from None
    return replace(made, after_ms=interaction.response.after_ms)


def _update_token_count(interaction: Interaction, old: str, new: str) -> Interaction:
    """With the output tokens that the new text would have cost."""
    usage = _usage(interaction)
    if usage is None or usage.output == 0 or old == new:
        return interaction
    output = max(1, usage.output + tokens(new) - tokens(old))
    return replace(interaction, response=with_usage(interaction, "output", output))


# -- stop reasons ----------------------------------------------------------------------------------------------


def _with_stop(interaction: Interaction, stop: str) -> Interaction:
    """With the family's own word for it, wherever the answer says why it ended."""
    file, response = interaction.file, interaction.response
    if stop not in STOP_REASONS:
        raise CassetteError(f"{file}: expected a stop reason of {', '.join(STOP_REASONS)}, found {stop!r}; choose one")
    content = _content(interaction)
    if not isinstance(content, Message) or not takes(interaction.operation):
        fix = "set the member itself: json:$.path=value"
        raise CassetteError(f"{file}: expected an answer whose form is known, found one that is not; {fix}")
    word, values = _stop_word(interaction, stop), opened(response.body)
    places = _stops(interaction, values)
    if word is None or not places:
        raise CassetteError(f"{file}: expected it to say why it ended, found nothing; set it with json:$.path=value")
    for number, place, _ in places:
        values[number] = with_leaf(values[number], place, word)
    return replace(interaction, response=replace(response, body=sealed(response.body, values)))


def _stops(interaction: Interaction, values: Sequence[JsonValue | Plain]) -> list[tuple[int, Place, str]]:
    """The number of the value, the place and the word, wherever the values have a stop reason."""
    leaves = find_leaves(values, members_of(interaction.operation, interaction.model).stop)
    return [(number, place, leaf) for number, place, leaf in leaves if isinstance(leaf, str)]


def _stop_word(interaction: Interaction, stop: str) -> str | None:
    """The word of the model's family for the stop reason, as the family renders it."""
    try:
        made = render(
            Message((Text("."),), stop=stop, usage=Usage(1, 1)),
            operation=interaction.operation or "",
            model=interaction.model,
            body=interaction.request.body.data,
            chance=Random(0),  # noqa: S311 -- nothing of it is kept
        )
    except Cannot as error:
        raise CassetteError(f"{interaction.file}: expected a stop reason that the model can give: {error}") from None
    return next((word for _, _, word in _stops(interaction, opened(made.body))), None)


# -- status ----------------------------------------------------------------------------------------------------


def _with_status(interaction: Interaction, value: str, notes: list[str]) -> Interaction:
    """An answer becomes the error of that status; an error becomes empty, for `answer.text` to fill."""
    status = _whole("status", value, 200, 599)
    response = interaction.response
    if status == response.status:
        return interaction
    if status >= 400:
        return replace(interaction, response=_error(status, response, interaction.file, notes))
    if response.status >= 400:
        notes.append(f"{interaction.file}: it is no error any more; give it an answer: answer.text=…")
        return replace(interaction, response=replace(response, status=status, headers=(), body=_NO_BODY))
    return replace(interaction, response=replace(response, status=status))


def _error(status: int, response: Response, file: str, notes: list[str]) -> Response:
    name = _ERRORS.get(status)
    if name is None:
        notes.append(f"{file}: {status} is the status of no error of Bedrock's that is known: the body stays")
        return replace(response, status=status)
    headers = (("content-type", "application/json"), ("x-amzn-errortype", name + namespace_of(name)))
    body = Body("json", bodies.compact({"message": FAILURES[name].message}))
    return replace(response, status=status, headers=headers, body=body)


# -- members ---------------------------------------------------------------------------------------------------


def _with_member(interaction: Interaction, path: str, value: str, notes: list[str]) -> Response:
    response = interaction.response
    body = with_members(response.body, path, value, interaction.file)
    if _content(interaction) is None:
        only = "only this member is changed, nothing follows"
        notes.append(f"{interaction.file}: the form of this answer is not known: {only}")
    return replace(response, body=body)


def with_members(body: Body | Events, path: str, value: str, file: str) -> Body | Events:
    """The body with the members at the path set; in a stream the path's first part is the event's number, from 0."""
    try:
        parts = parse_path(path)
    except ValueError as error:
        raise CassetteError(f"{file}: {error}; write it like json:$.content[0].text=…") from None
    values = opened(body)
    holder: JsonValue = [None if isinstance(each, Plain) else each for each in values]
    if isinstance(body, Body):
        parts = ("0", *parts)
    places = list(find_places(holder, parts, or_new=True))
    if not places:
        raise CassetteError(f"{file}: expected a member at {path}, found none; look at it: bedtape cassette show --raw")
    for number, *place in places:
        assert isinstance(number, int)
        values[number] = with_leaf(values[number], tuple(place), _parse_value(value))
    return sealed(body, values)


def _parse_value(value: str) -> JsonValue:
    """JSON, or the text itself where it is none."""
    try:
        return bodies.parse(value.encode(errors="replace"))
    except ValueError:
        return value


# -- lengths ---------------------------------------------------------------------------------------------------


def with_length(interaction: Interaction) -> Interaction:
    """With the Content-Length that the body has now, where it was kept (exact recordings)."""
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
