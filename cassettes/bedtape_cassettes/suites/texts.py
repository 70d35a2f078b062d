"""The texts of an interaction: the request's, the answer's, and the name of its error.

Searches and replaces them.
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
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.format.json_values import Place, Plain, leaves, with_leaf
from bedtape_cassettes.format.json_view import read_values, write_values
from bedtape_cassettes.format.patterns import matches
from bedtape_cassettes.model import Body, Events, Interaction, Response


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
    """Returns a request's text: system prompt, messages and tool results, or the whole body."""
    request = interaction.request
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
    body = interaction.response.body
    pieces = [body.data] if isinstance(body, Body) else [event.payload for event in body.events]
    return "\n".join(piece.decode(errors="replace") for piece in pieces)


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
    """Changes every text of the request's JSON, or its whole text; no ids, names or bytes."""
    body = _replace_texts(interaction.request.body, change)
    return replace(interaction, request=replace(interaction.request, body=body))


def replace_error_texts(interaction: Interaction, change: Callable[[str], str]) -> Interaction:
    """Changes every text of a whole answer whose form is unknown, such as an error."""
    body = interaction.response.body
    if isinstance(body, Events):
        return interaction
    return replace(
        interaction, response=replace(interaction.response, body=_replace_texts(body, change))
    )


def _replace_texts(body: Body, change: Callable[[str], str]) -> Body:
    value = read_values(body)[0]
    for place, text in _list_texts(value):
        value = with_leaf(value, place, change(text))
    changed = write_values(body, [value])
    assert isinstance(changed, Body)
    return changed


def _list_texts(value: object) -> Iterator[tuple[Place, str]]:
    for place, leaf in leaves(value):  # type: ignore[arg-type]  # a value of a body
        names = [part for part in place if isinstance(part, str)]
        if isinstance(leaf, str) and not (names and _NO_TEXTS.fullmatch(names[-1])):
            yield place, leaf
