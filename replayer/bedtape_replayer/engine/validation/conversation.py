"""Checks the conversation in a Converse request: roles, tools and tool results.

`shapes` checks the members first.

The rules and the texts of the errors come from recorded errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise

from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.model import JsonValue

JsonObject = dict[str, JsonValue]

# Models whose roles must alternate, by reports of 2024 and 2025. Claude, Nova and Titan accept
# turns of the same role (all recorded). Unknown models may accept them.
_ALTERNATING = ("meta.*", "mistral.*", "cohere.*", "ai21.*")
_USER_FIRST = (*_ALTERNATING, "amazon.nova*")
_TOOLS_ALONE = ("meta.*", "mistral.*")

_ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation"
    " alternates between user and assistant roles and try again."
)
_START = (
    "A conversation must start with a user message. Try again with a conversation that starts with"
    " a user message."
)
_DUPLICATE = (
    "Messages can't contain duplicate document names. Rename the document and retry your request."
)
_FILE_NAME = (
    "The document file name can only contain alphanumeric characters, whitespace characters,"
    " hyphens, parentheses, and square brackets. The name can't contain more than one consecutive"
    " whitespace character. Check that the file name conforms to these restrictions and retry your"
    " request."
)
# Underscores are accepted, although the message does not list them. A tab is not.
_GOOD_NAME = re.compile(r"[A-Za-z0-9_()\[\]-]+(?: [A-Za-z0-9_()\[\]-]+)*")
# Models that reject a blank text. Claude rejects an empty text alone.
_BLANK = ("meta.*", "mistral.*", "cohere.*", "ai21.*", "amazon.nova*", "deepseek.*")
_CLAUDE = ("anthropic.*",)
# Claude models that check tool results themselves (several logs of 2026). Bedrock checks
# them for all other models.
_OWN_RESULT_CHECK = ("anthropic.claude-[a-z]*-4-[5-9]*", "anthropic.claude-[a-z]*-5*")
_NO_RESULT = (
    "The model returned the following errors: messages.{}: `tool_use` ids were found without"
    " `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding"
    " `tool_result` block in the next message."
)
_NO_TOOLS = "The toolConfig field must be defined when using toolUse and toolResult content blocks."


def find_mistake(model: str, body: JsonObject) -> str | None:
    """Return Bedrock's message about the first mistake in a Converse request, or `None`."""
    messages = _objects(body.get("messages"))
    # most requests; a text is no empty content, document or tool
    if messages and all(map(_is_text_alone, messages)):
        return _check_start(model, messages) or _check_roles(model, messages)
    if (
        mistake := _check_start(model, messages)
        or _check_texts(model, messages)
        or _check_documents(messages)
    ):
        return mistake
    if not any(_uses_tools(message) for message in messages):
        return check_empty_message(messages) or _check_roles(model, messages)
    return (
        check_empty_message(messages)
        or _check_empty_error(messages)
        or _check_tools(body, messages)
        or _check_roles(model, messages)
        or _check_mixed(model, messages)
        or _check_results(model, messages)
    )


def _is_text_alone(message: JsonObject) -> bool:
    """Whether the content of a message is one text that is not blank."""
    match message.get("content"):
        case [{"text": str(text), **others}]:
            return not others and bool(text) and not text.isspace()
    return False


def _check_start(model: str, messages: Sequence[JsonObject]) -> str | None:
    """Claude accepts an assistant's message first (recorded)."""
    if not messages:
        return _START if _is_one_of(model, (*_USER_FIRST, *_CLAUDE)) else None
    return (
        _START
        if messages[0].get("role") == "assistant" and _is_one_of(model, _USER_FIRST)
        else None
    )


def _check_texts(model: str, messages: Sequence[JsonObject]) -> str | None:
    for at, message in enumerate(messages):
        for index, block in enumerate(_objects(message.get("content"))):
            text = block.get("text")
            if not isinstance(text, str) or text.strip():
                continue
            if _is_one_of(model, _BLANK):
                place = f"messages.{at}.content.{index}"
                return (
                    f"The text field in the ContentBlock object at {place} is blank. Add text to"
                    " the text field, and try again."
                )
            if not text and _is_one_of(model, _CLAUDE):
                return "messages: text content blocks must be non-empty"
    return None


def _check_documents(messages: Sequence[JsonObject]) -> str | None:
    names = [name for message in messages for name in _list_document_names(message.get("content"))]
    if any(not _GOOD_NAME.fullmatch(name) for name in names):
        return _FILE_NAME
    return _DUPLICATE if len(set(names)) < len(names) else None


def _list_document_names(content: JsonValue) -> Iterator[str]:
    """Yield the names of documents, also in tool results."""
    for block in _objects(content):
        match block:
            case {"document": {"name": str(name)}}:
                yield name
            case {"toolResult": {"content": inner}}:
                yield from _list_document_names(inner)


def _uses_tools(message: JsonObject) -> bool:
    return any(
        "toolUse" in block or "toolResult" in block for block in _objects(message.get("content"))
    )


def check_empty_message(messages: Sequence[JsonObject]) -> str | None:
    """Return the error of the first message without content, except a final assistant's."""
    for at, message in enumerate(messages):
        last = at == len(messages) - 1 and message.get("role") == "assistant"
        if message.get("content") in ([], "") and not last:
            return (
                f"messages.{at}: all messages must have non-empty content except for the optional"
                " final assistant message"
            )
    return None


def _check_empty_error(messages: Sequence[JsonObject]) -> str | None:
    for at, message in enumerate(messages):
        for index, block in enumerate(_objects(message.get("content"))):
            result = block.get("toolResult")
            if (
                isinstance(result, dict)
                and result.get("status") == "error"
                and not result.get("content")
            ):
                place = f"messages.{at}.content.{index}.toolResult"
                return f"The content field at {place} cannot be empty when status value is error."
    return None


def _check_tools(body: JsonObject, messages: Sequence[JsonObject]) -> str | None:
    if body.get("toolConfig") is not None:
        return None
    used = any(_of(message, "toolUse") or _of(message, "toolResult") for message in messages)
    return _NO_TOOLS if used else None


def _check_roles(model: str, messages: Sequence[JsonObject]) -> str | None:
    if not _is_one_of(model, _ALTERNATING):
        return None
    if len(messages) < 2:
        return None
    roles = [message.get("role") for message in messages if message.get("role") != "system"]
    return _ALTERNATE if any(one == other for one, other in pairwise(roles)) else None


def _check_mixed(model: str, messages: Sequence[JsonObject]) -> str | None:
    if not _is_one_of(model, _TOOLS_ALONE):
        return None
    for at, message in enumerate(messages):
        # In 2024 Bedrock also rejected text beside a toolUse. Today these models send
        # such answers themselves.
        if _of(message, "toolResult") and _of(message, "text"):
            blocks = "Conversation blocks and tool result blocks"
            return f"messages.{at}.content: {blocks} cannot be provided in the same turn."
    return None


def _check_results(model: str, messages: Sequence[JsonObject]) -> str | None:
    """Compare the tool results of each turn with the tool uses of the turn before."""
    uses: list[JsonValue] = []
    for at, message in enumerate(messages):
        results = (
            []
            if message.get("role") == "assistant"
            else [r.get("toolUseId") for r in _of(message, "toolResult")]
        )
        if missing := [use for use in uses if use not in results]:
            ids = ", ".join(map(str, missing))
            if _is_one_of(model, _OWN_RESULT_CHECK):
                return _NO_RESULT.format(at - 1, ids)
            return (
                f"Expected toolResult blocks at messages.{at}.content for the following Ids: {ids}"
            )
        if len(results) > len(uses):
            return (
                f"The number of toolResult blocks at messages.{at}.content exceeds the number of"
                " toolUse blocks of previous turn."
            )
        # The server answers uses of its own tools in the same turn.
        uses = [
            use.get("toolUseId")
            for use in _of(message, "toolUse")
            if use.get("type") != "server_tool_use"
        ]
    return None


@lru_cache(maxsize=1024)
def _is_one_of(model: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(strip_profile(model), glob) for glob in globs)


def _objects(value: JsonValue) -> list[JsonObject]:
    return (
        [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []
    )


def _of(message: JsonObject, member: str) -> list[JsonObject]:
    """Return the values of the message's blocks of one kind; an empty object for a text block."""
    values = [block.get(member) for block in _objects(message.get("content"))]
    return [value if isinstance(value, dict) else {} for value in values if value is not None]
