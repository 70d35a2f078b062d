"""Checks the required members of a family's own JSON in InvokeModel, with the error texts of
the service or the model.

Bedrock checks some families with a JSON schema (`Malformed input request: #: required key [...] not
found`). Newer Claude models check the body themselves (`max_tokens: Field required`). An unknown
family is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from types import NoneType

from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.table import family_of, strip_profile
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.engine.validation.conversation import check_empty_message

MALFORMED = "Malformed input request, please reformat your input and try again."

JsonObject = dict[str, JsonValue]
Required = Iterable[str | tuple[str, ...]]

_CLAUDE = "anthropic.claude-"
# Claude models whose bodies Bedrock checks with a schema: all before Claude 4.
_GUARDED = ("anthropic.claude-3-*", "anthropic.claude-v*", "anthropic.claude-instant-*")
_CLAUDE_MESSAGES = ("anthropic_version", "max_tokens", "messages")
# Claude's schema accepts a prompt or messages. For an invalid body with messages it
# reports the other choice too.
_NOT_A_PROMPT = '#: subject must not be valid against schema {"required":["messages"]}'

# Bedrock opens the stream before these models check the body: a body with `messages` and no
# `prompt` for Mistral 7B got a 200, and a validationException in the stream (recorded).
_STREAMED_UNSEEN = "mistral.*"

_NOVA = "amazon.nova-*"
_NOVA_BLOCKS = frozenset(
    (
        "text",
        "image",
        "document",
        "video",
        "audio",
        "toolUse",
        "toolResult",
        "cachePoint",
        "reasoningContent",
    )
)

# JSON types as the schema's checker names them.
_JSON_TYPES = {
    NoneType: "Null",
    bool: "Boolean",
    int: "Integer",
    float: "BigDecimal",
    str: "String",
    list: "JSONArray",
    dict: "JSONObject",
}


def find_mistake(model: str, body: JsonValue, *, streaming: bool) -> str | None:
    """Return Bedrock's message about the mistakes in an InvokeModel body, or `None` if
    the body has no mistake.

    Returns `None` for streams of models that check the body after Bedrock has opened the stream.
    """
    name = strip_profile(model)
    if streaming and fnmatchcase(name, _STREAMED_UNSEEN):
        return None
    if not name.startswith(_CLAUDE):
        return _format_malformed(_check_schema(model, name, body))
    if not isinstance(body, dict):
        return MALFORMED
    if _is_guarded(name):
        return _format_malformed(_check_claude(model, body))
    missing = next(_list_missing(_CLAUDE_MESSAGES, body), None)
    return f"{missing}: Field required" if missing else check_empty_message(_messages(body))


@lru_cache(maxsize=1024)
def _is_guarded(name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in _GUARDED)


def _check_schema(model: str, name: str, body: JsonValue) -> list[str]:
    required = _find_required(model)
    nova = fnmatchcase(name, _NOVA)
    if required is None and not nova:
        return []
    if not isinstance(body, dict):
        return [f"#: expected type: JSONObject, found: {_JSON_TYPES[type(body)]}"]
    return _report_missing(required, body) + (list(_check_nova_blocks(body)) if nova else [])


def _check_claude(model: str, body: JsonObject) -> list[str]:
    """Return the problems of a body for Claude before version 4, with messages or a prompt."""
    if "messages" not in body:
        return _report_missing(_find_required(model), body)
    problems = _report_missing(_CLAUDE_MESSAGES, body)
    for at, message in enumerate(_messages(body)):
        content = message.get("content")
        if not isinstance(content, str | list):
            place, kind = f"#/messages/{at}/content: expected type: ", _JSON_TYPES[type(content)]
            problems += [f"{place}JSONArray, found: {kind}", f"{place}String, found: {kind}"]
    return [_NOT_A_PROMPT, *problems] if problems else []


def _check_nova_blocks(body: JsonObject) -> Iterator[str]:
    for at, message in enumerate(_messages(body)):
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(block, dict):
                continue
            place = f"#/messages/{at}/content/{index}"
            if not _NOVA_BLOCKS & block.keys():
                # Any of the keys would be valid, but the schema reports this key.
                yield f"{place}: required key [toolUse] not found"
            else:
                yield from (
                    f"{place}: extraneous key [{key}] is not permitted"
                    for key in block
                    if key not in _NOVA_BLOCKS
                )


def _find_required(model: str) -> Required | None:
    try:
        return family_of("InvokeModel", model).required
    except RenderError:
        return None


def _report_missing(required: Required | None, body: JsonObject) -> list[str]:
    return [f"#: required key [{key}] not found" for key in _list_missing(required or (), body)]


def _list_missing(required: Required, body: JsonObject) -> Iterator[str]:
    """Yield the missing keys, and the first key of each choice without a present key."""
    for entry in required:
        choice = (entry,) if isinstance(entry, str) else entry
        if not any(key in body for key in choice):
            yield choice[0]


def _format_malformed(problems: list[str]) -> str | None:
    if not problems:
        return None
    return (
        f"Malformed input request: {''.join(problems)}, please reformat your input and try again."
    )


def _messages(body: JsonObject) -> list[JsonObject]:
    messages = body.get("messages")
    return (
        [m if isinstance(m, dict) else {} for m in messages] if isinstance(messages, list) else []
    )
