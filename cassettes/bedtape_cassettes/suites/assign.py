"""Assigns values to parts of one interaction (`answer.text=…`, `stop_reason=…`, `status=429`).

A new text replaces the recorded text in its slots. Token counts, totals and a recorded
Content-Length are updated. Values that cannot be updated are reported in notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import quote

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.failures import build_error
from bedtape_cassettes.families.content import (
    STOP_REASONS,
    CitedText,
    Content,
    Message,
    Text,
    Usage,
    tokens,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.members import find_leaves
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import can_render, render
from bedtape_cassettes.families.table import family_of, members_of
from bedtape_cassettes.families.text_slots import with_text
from bedtape_cassettes.families.usage import COUNTS, read_usage, with_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_schema import find_unsendable
from bedtape_cassettes.format.json_values import Place, Plain, with_leaf
from bedtape_cassettes.format.json_view import (
    read_values,
    request_body_of,
    with_request_body,
    write_values,
)
from bedtape_cassettes.model import Body, Interaction, JsonValue, Request, Response
from bedtape_cassettes.operations import find_model, identify
from bedtape_cassettes.suites.members import parse_value, with_length, with_member, with_members
from bedtape_cassettes.suites.tool_inputs import with_tool_input

_KEYS = (
    "answer.text",
    "stop_reason",
    "status",
    "model",
    "tool.input",
    *(f"usage.{name}" for name in COUNTS),
)
# The input of one tool call of several, from 0.
_TOOL = re.compile(r"tool\[([0-9]{1,4})\]\.input")
OTHER_CALLS = "the request is changed, so it matches other calls now"


@dataclass(frozen=True, slots=True)
class Assignment:
    """`key=value`. key: one of `_KEYS`, or json:PATH, request:PATH, tool[NUMBER].input."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class EditResult:
    """The edited interaction, and notes for the user about values that were not updated."""

    interaction: Interaction
    notes: tuple[str, ...] = ()


def parse_assignments(words: Iterable[str]) -> tuple[Assignment, ...]:
    """Parses `KEY=VALUE` arguments. Raises CassetteError."""
    assignments = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not (
            key in _KEYS or key.startswith(("json:", "request:")) or _TOOL.fullmatch(key)
        ):
            known = ", ".join(f"{name}=…" for name in (*_KEYS, "json:$.path", "request:$.path"))
            raise CassetteError(
                f"{word}: expected KEY=VALUE, found an unknown key; known keys are {known}"
            )
        if find_unsendable(word):
            fix = "write the argument in UTF-8"
            raise CassetteError(
                f"{word[:60]!a}: expected text in UTF-8, found half of a surrogate pair; {fix}"
            )
        assignments.append(Assignment(key, value))
    # The status comes first, because it decides between an answer and an error.
    return tuple(sorted(assignments, key=lambda one: one.key != "status"))


def assign(interaction: Interaction, changes: Sequence[Assignment]) -> EditResult:
    """Applies all changes. Raises CassetteError if a change is not possible."""
    notes: list[str] = []
    for change in changes:
        interaction = _assign_one(interaction, change, notes)
    return EditResult(with_length(interaction), tuple(notes))


def reconcile(before: Interaction, after: Interaction) -> EditResult:
    """Updates an edited interaction's token count, if its text changed and its usage did not."""
    notes: list[str] = []
    old, new = read_answer_text(before), read_answer_text(after)
    if old is not None and new is None and after.response.status == 200:
        notes.append(
            "the answer no longer has the form of its model family, so bedtape cannot read its text"
        )
    if (
        old is not None
        and new is not None
        and old != new
        and _read_usage(before) == _read_usage(after)
    ):
        after = _update_token_count(after, old, new)
    return EditResult(with_length(after), tuple(notes))


def read_answer_text(interaction: Interaction) -> str | None:
    """Returns the answer's text, or `None` if its form is unknown or it has no text."""
    content = _read_content(interaction)
    if not isinstance(content, Message) or not any(
        isinstance(block, Text | CitedText) for block in content.blocks
    ):
        return None
    return content.text


def _read_content(interaction: Interaction) -> Content | None:
    return content_of(interaction.operation, interaction.model, interaction.response)


def _read_usage(interaction: Interaction) -> Usage | None:
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
        case "model":
            notes.append(OTHER_CALLS)
            return _with_model(interaction, value)
        case "tool.input":
            return with_tool_input(interaction, None, parse_value(key, value, interaction.file))
    if tool := _TOOL.fullmatch(key):
        return with_tool_input(interaction, int(tool[1]), parse_value(key, value, interaction.file))
    kind, _, name = key.partition("." if key.startswith("usage.") else ":")
    if kind == "usage":
        return replace(
            interaction, response=with_usage(interaction, COUNTS[name], _parse_whole(key, value, 0))
        )
    if kind == "json":
        return replace(interaction, response=with_member(interaction, name, value, notes))
    request = interaction.request
    body = with_members(request_body_of(request), name, value, interaction.file)
    notes.append(OTHER_CALLS)
    return with_request(interaction, with_request_body(request, body))


def with_request(interaction: Interaction, request: Request) -> Interaction:
    """Replaces the request, and the model that it names."""
    model = find_model(identify(request.method, request.path), request.body.data)
    return replace(interaction, request=request, model=model)


def _parse_whole(key: str, value: str, least: int, most: int = 10**9) -> int:
    if not value.isdecimal() or not value.isascii() or not least <= int(value[:12]) <= most:
        raise CassetteError(
            f"{key}: expected a whole number from {least} to {most}, found {value!r}; change the"
            " number"
        )
    return int(value)


# -- text ------------------------------------------------------------------------------------------


def _with_text(interaction: Interaction, text: str, notes: list[str]) -> Interaction:
    file, response = interaction.file, interaction.response
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CassetteError(
            f"{file}: expected text that UTF-8 can encode, found half of a surrogate pair"
        ) from None
    content = _read_content(interaction)
    if content is None and interaction.response.body == _NO_BODY:
        rendered = _render(
            interaction, Message((Text(text),)), "an answer that bedtape can write, found"
        )
        return replace(interaction, response=replace(rendered, after_ms=response.after_ms))
    if not isinstance(content, Message):
        raise CassetteError(
            f"{file}: expected an answer of a known form with text, found none; {_SET_MEMBERS}"
        )
    members = members_of(interaction.operation, interaction.model)
    body = with_text(response.body, members, content.text, text)
    changed = None if body is None else replace(interaction, response=replace(response, body=body))
    new_content = changed and _read_content(changed)
    if changed is None or not isinstance(new_content, Message) or new_content.text != text:
        actual = "none, because the answer may consist of tool calls"
        raise CassetteError(
            f"{file}: expected a place for the answer's text, found {actual}; {_SET_MEMBERS}"
        )
    if content.text != text:
        notes += _find_doubts(content)
    return _update_token_count(changed, content.text, text)


_NO_BODY = Body("text", b"")
_SET_MEMBERS = "set members of the body or of events: json:$.path=value"


def _find_doubts(content: Message) -> list[str]:
    """Returns notes about parts of the answer that may contradict the new text."""
    notes = []
    if content.stop in ("max_tokens", "stop_sequence"):
        notes.append(f"the stop reason is still {content.stop}; to change it: stop_reason=end_turn")
    if any(isinstance(block, CitedText) for block in content.blocks):
        notes.append("the citations still refer to the old text")
    return notes


def _render(interaction: Interaction, message: Message, expected: str) -> Response:
    """Renders an answer in the form of the model's family. expected: for an error."""
    try:
        return render(
            message,
            operation=interaction.operation or "",
            model=interaction.model,
            body=interaction.request.body.data,
            chance=Random(0),  # noqa: S311 -- the same edit gives the same bytes
            header=dict(interaction.request.headers).get,
        )
    except RenderError as error:
        raise CassetteError(f"{interaction.file}: expected {expected}: {error}") from None


def _update_token_count(interaction: Interaction, old: str, new: str) -> Interaction:
    usage = _read_usage(interaction)
    if usage is None or usage.output == 0 or old == new:
        return interaction
    output = max(1, usage.output + tokens(new) - tokens(old))
    return replace(interaction, response=with_usage(interaction, "output", output))


# -- stop reasons ----------------------------------------------------------------------------------


def _with_stop(interaction: Interaction, stop: str) -> Interaction:
    """Replaces each stop reason of the answer by the family's own word."""
    file, response = interaction.file, interaction.response
    if stop not in STOP_REASONS:
        raise CassetteError(
            f"{file}: expected a stop reason of {', '.join(STOP_REASONS)}, found {stop!r};"
            " choose one"
        )
    content = _read_content(interaction)
    if not isinstance(content, Message) or not can_render(interaction.operation):
        fix = "set the member: json:$.path=value"
        raise CassetteError(f"{file}: expected an answer of a known form, found another; {fix}")
    values = read_values(response.body)
    if set_stop := family_of(interaction.operation or "", interaction.model or "").set_stop:
        try:
            values = [
                value if isinstance(value, Plain) else set_stop(value, stop) for value in values
            ]
        except RenderError as error:
            raise CassetteError(f"{file}: {error}") from None
        return replace(
            interaction, response=replace(response, body=write_values(response.body, values))
        )
    word = _find_stop_word(interaction, stop)
    places = _find_stops(interaction, values)
    if word is None or not places:
        raise CassetteError(
            f"{file}: expected a stop reason in the answer, found none; set it with"
            " json:$.path=value"
        )
    for number, place, _ in places:
        values[number] = with_leaf(values[number], place, word)
    return replace(
        interaction, response=replace(response, body=write_values(response.body, values))
    )


def _find_stops(
    interaction: Interaction, values: Sequence[JsonValue | Plain]
) -> list[tuple[int, Place, str]]:
    """Returns the index of the value, the place and the word of each stop reason."""
    leaves = find_leaves(values, members_of(interaction.operation, interaction.model).stop)
    return [(number, place, leaf) for number, place, leaf in leaves if isinstance(leaf, str)]


def _find_stop_word(interaction: Interaction, stop: str) -> str | None:
    """Returns the stop reason as the model's family writes it."""
    message = Message((Text("."),), stop=stop, usage=Usage(1, 1))
    rendered = _render(interaction, message, "a stop reason that the model can give")
    return next((word for _, _, word in _find_stops(interaction, read_values(rendered.body))), None)


# -- status ----------------------------------------------------------------------------------------


def _with_status(interaction: Interaction, value: str, notes: list[str]) -> Interaction:
    """Sets the status. An answer becomes an error; an error becomes an empty answer."""
    status = _parse_whole("status", value, 200, 599)
    response = interaction.response
    if status == response.status:
        return interaction
    if status >= 400:
        return replace(interaction, response=_build_error(status, interaction, notes))
    if response.status >= 400:
        notes.append(
            "the answer is no longer an error and has no body; to set its text: answer.text=…"
        )
        return replace(
            interaction, response=replace(response, status=status, headers=(), body=_NO_BODY)
        )
    return replace(interaction, response=replace(response, status=status))


def _build_error(status: int, interaction: Interaction, notes: list[str]) -> Response:
    response, request = interaction.response, interaction.request
    error = build_error(status, identify(request.method, request.path).dialect)
    if error is None:
        notes.append(f"no known Bedrock error has the status {status}; the body is unchanged")
        return replace(response, status=status)
    headers, body = error
    return replace(response, status=status, headers=headers, body=body)


# -- models ----------------------------------------------------------------------------------------


def _with_model(interaction: Interaction, model: str) -> Interaction:
    """Replaces the model in the path or, in the APIs of OpenAI and Anthropic, in the body."""
    file, request = interaction.file, interaction.request
    target = identify(request.method, request.path)
    operation = target.operation
    if not model or operation is None or interaction.model is None:
        raise CassetteError(
            f"{file}: expected a request to a model and the id of another, found none; select"
            " others"
        )
    if not model.isprintable() or any(map(str.isspace, model)):
        raise CassetteError(
            f"{file}: expected the id of a model, found {model!r}; remove the blanks from it"
        )
    _check_family(interaction, model)
    if target.model is None:
        body = with_members(request.body, "$.model", bodies.compact(model).decode(), file)
        assert isinstance(body, Body)
        return with_request(interaction, replace(request, body=body))
    path, _, query = request.path.partition("?")
    begin, _, end = operation.path.replace("}", "{").split("{")
    changed = f"{path.partition(begin)[0]}{begin}{quote(model, safe='')}{end}" + (
        f"?{query}" if query else ""
    )
    return with_request(interaction, replace(request, path=changed))


def _check_family(interaction: Interaction, model: str) -> None:
    """Raises CassetteError if the other model has another family, and so another form."""
    names = []
    for each in (interaction.model or "", model):
        try:
            names.append(family_of(interaction.operation or "", each).name)
        except RenderError:
            return
    if names[0] != names[1]:
        fix = f"choose a model of the family {names[0]}, or record again"
        raise CassetteError(
            f"{interaction.file}: expected a model of the same family, found {names[1]}; {fix}"
        )


# -- members ---------------------------------------------------------------------------------------


# -- lengths ---------------------------------------------------------------------------------------
