"""The texts of an interaction: the request's, the answer's, and the name of its error.

Searches and replaces them. The request of a conversation consists of the events of the client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from bedtape_cassettes.failures import read_error
from bedtape_cassettes.families.content import (
    CitedText,
    Json,
    Message,
    Reasoning,
    Refusal,
    Text,
    ToolUse,
)
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place, Plain, leaves, with_leaf
from bedtape_cassettes.format.json_view import (
    read_event,
    read_values,
    request_body_of,
    with_request_body,
    write_values,
)
from bedtape_cassettes.format.patterns import matches
from bedtape_cassettes.model import Body, Event, Events, Interaction, JsonValue, Response


class Side(StrEnum):
    """A part of an interaction that is searched or changed."""

    request = "request"
    answer = "answer"


SIDES = tuple(Side)

# Members whose strings are words of an API, ids or bytes. `replace` changes only texts.
_NO_TEXTS = re.compile(
    r"(?i)(.*_)?(id|ids|role|type|model|name|format|media_?type|bytes|data|status|version|signature)|.*(Id|Ids|Arn|Type|Token)"
)


def read_request_text(interaction: Interaction) -> str:
    """Returns a request's text: system prompt, messages and tool results, or the whole body.

    Of a conversation: the texts and tool results of the client's events, a line each.
    """
    request = interaction.request
    if request.events is not None:
        return _read_body_text(request.events)
    prompt = prompt_of(interaction.operation, interaction.model, request.body.data)
    text = "\n".join(filter(None, (prompt.text, *(result.text for result in prompt.results))))
    return text or request.body.data.decode(errors="replace")


def read_response_text(interaction: Interaction) -> str:
    """Returns an answer's text: of a message with its tool calls, or else the body or events."""
    content = content_of(interaction.operation, interaction.model, interaction.response)
    if isinstance(content, Message):
        return "\n".join(filter(None, map(_read_block, content.blocks)))
    if content is not None:  # embeddings, images
        return ""
    return _read_body_text(interaction.response.body)


def _read_body_text(body: Body | Events) -> str:
    """Returns the text of a body of unknown form, or of the events of a conversation."""
    if isinstance(body, Body):
        return body.data.decode(errors="replace")
    return "\n".join(filter(None, map(_read_event_text, body.events)))


def _read_event_text(event: Event) -> str:
    value = read_event(event) if event.form == "bytes" else Plain(None)
    if isinstance(value, Plain):
        return event.payload.decode(errors="replace")
    text = sonic.read_text(value)
    return bodies.compact(value).decode() if text is None else text


def _read_block(block: object) -> str:
    match block:
        case Text(text=text) | CitedText(text=text) | Refusal(text=text) | Reasoning(text=text):
            return text
        case ToolUse(name=name, input=value):
            return f"{name} {json.dumps(value, ensure_ascii=False)}"
        case Json(value=value):
            return json.dumps(value, ensure_ascii=False)
    return ""


def read_stop_reason(interaction: Interaction) -> str:
    """Returns the stop reason as Converse spells it; an empty text if the answer has none."""
    content = content_of(interaction.operation, interaction.model, interaction.response)
    return content.stop if isinstance(content, Message) else ""


def read_error_name(response: Response) -> str:
    """Returns the error's name from header, body or the stream's exception; else an empty text."""
    headers = {name.lower(): value for name, value in response.headers}
    if named := headers.get("x-amzn-errortype"):
        return named.split(":")[0]
    if isinstance(response.body, Events):
        last = response.body.events[-1:]
        return next((dict(event.headers).get(":exception-type", "") for event in last), "")
    value = read_values(response.body)[0] if response.status >= 400 else None
    return "" if isinstance(value, Plain) else read_error(value)[0] or ""


# -- search ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A line that matches. side: the part that contains it. line: the complete line of the text."""

    side: Side
    line: str


def search(
    interaction: Interaction, pattern: re.Pattern[str], sides: tuple[Side, ...] = SIDES
) -> list[TextMatch]:
    """Returns the lines that contain a match, the request's first. Raises SlowPattern."""
    readers = {Side.request: read_request_text, Side.answer: read_response_text}
    return [
        TextMatch(side, line)
        for side in sides
        for line in readers[side](interaction).splitlines()
        if matches(pattern, line)
    ]


# -- replacement -----------------------------------------------------------------------------------


def replace_request_texts(interaction: Interaction, change: Callable[[str], str]) -> Interaction:
    """Changes every text of the request's JSON, or its whole text; no ids, names or bytes.

    Of a conversation: the texts of each event of the client.
    """
    request = interaction.request
    body = _replace_texts(request_body_of(request), change)
    return replace(interaction, request=with_request_body(request, body))


def replace_answer_texts(interaction: Interaction, change: Callable[[str], str]) -> Interaction:
    """Changes every text of an answer of unknown form, such as an error or a conversation.

    The texts of a stream are changed in each event alone.
    """
    body = _replace_texts(interaction.response.body, change)
    return replace(interaction, response=replace(interaction.response, body=body))


def _replace_texts(body: Body | Events, change: Callable[[str], str]) -> Body | Events:
    return write_values(body, [_replace_in_value(value, change) for value in read_values(body)])


def _replace_in_value(value: JsonValue | Plain, change: Callable[[str], str]) -> JsonValue | Plain:
    texts = None if isinstance(value, Plain) else sonic.list_texts(value)
    if texts is None:
        for place, text in _list_texts(value):
            value = with_leaf(value, place, change(text))
        return value
    for place, text, is_json in texts:
        new = _replace_in_json(text, change) if is_json else change(text)
        value = with_leaf(value, place, new)
    return value


def _replace_in_json(text: str, change: Callable[[str], str]) -> str:
    """Changes the texts of a JSON value in a text. Other text is changed as a whole."""
    try:
        value = bodies.parse(text.encode())
    except ValueError:
        return change(text)
    changed = _replace_in_value(value, change)
    if changed == value or isinstance(changed, Plain):
        return text
    spaced = '": ' in text
    return json.dumps(changed, ensure_ascii=False) if spaced else bodies.compact(changed).decode()


def _list_texts(value: JsonValue | Plain) -> Iterator[tuple[Place, str]]:
    for place, leaf in leaves(value):
        names = [part for part in place if isinstance(part, str)]
        if isinstance(leaf, str) and not (names and _NO_TEXTS.fullmatch(names[-1])):
            yield place, leaf
