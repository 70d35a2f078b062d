"""Checks the conversation in a Converse request: roles, tools and tool results. `shapes` checks the members first.

The rules and the texts of the errors come from recorded errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise

from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.model import JsonValue

JsonObject = dict[str, JsonValue]

# Models whose roles must alternate. Claude merges turns of the same role, and Titan accepts them (both recorded). Unknown
# models may accept them.
_ALTERNATING = ("meta.*", "mistral.*", "cohere.*", "ai21.*", "amazon.nova*")
_TOOLS_ALONE = ("meta.*", "mistral.*")

_ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between"
    " user and assistant roles and try again."
)
_NO_TOOLS = "The toolConfig field must be defined when using toolUse and toolResult content blocks."


def find_mistake(model: str, body: JsonObject) -> str | None:
    """Return Bedrock's message about the first mistake in a Converse request, or `None` if it has no mistake."""
    messages = _objects(body.get("messages"))
    if not any(_uses_tools(message) for message in messages):
        return check_empty_message(messages) or _check_roles(model, messages)
    return (
        check_empty_message(messages)
        or _check_empty_error(messages)
        or _check_tools(body, messages)
        or _check_roles(model, messages)
        or _check_mixed(model, messages)
        or _check_results(messages)
    )


def _uses_tools(message: JsonObject) -> bool:
    return any("toolUse" in block or "toolResult" in block for block in _objects(message.get("content")))


def check_empty_message(messages: Sequence[JsonObject]) -> str | None:
    """Return the error of the first message without content. A final message of the assistant may be empty."""
    for at, message in enumerate(messages):
        last = at == len(messages) - 1 and message.get("role") == "assistant"
        if message.get("content") in ([], "") and not last:
            return f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
    return None


def _check_empty_error(messages: Sequence[JsonObject]) -> str | None:
    for at, message in enumerate(messages):
        for index, block in enumerate(_objects(message.get("content"))):
            result = block.get("toolResult")
            if isinstance(result, dict) and result.get("status") == "error" and not result.get("content"):
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
    roles = [message.get("role") for message in messages if message.get("role") != "system"]
    return _ALTERNATE if any(one == other for one, other in pairwise(roles)) else None


def _check_mixed(model: str, messages: Sequence[JsonObject]) -> str | None:
    if not _is_one_of(model, _TOOLS_ALONE):
        return None
    for at, message in enumerate(messages):
        # In 2024 Bedrock also rejected text beside a toolUse. Today these models send such answers themselves.
        if _of(message, "toolResult") and _of(message, "text"):
            blocks = "Conversation blocks and tool result blocks"
            return f"messages.{at}.content: {blocks} cannot be provided in the same turn."
    return None


def _check_results(messages: Sequence[JsonObject]) -> str | None:
    """Compare the tool results of each turn with the tool uses of the turn before."""
    uses: list[JsonValue] = []
    for at, message in enumerate(messages):
        results = [] if message.get("role") == "assistant" else [r.get("toolUseId") for r in _of(message, "toolResult")]
        if missing := [use for use in uses if use not in results]:
            ids = ", ".join(map(str, missing))
            return f"Expected toolResult blocks at messages.{at}.content for the following Ids: {ids}"
        if len(results) > len(uses):
            return (
                f"The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of"
                " previous turn."
            )
        # The server answers uses of its own tools in the same turn.
        uses = [use.get("toolUseId") for use in _of(message, "toolUse") if use.get("type") != "server_tool_use"]
    return None


@lru_cache(maxsize=1024)
def _is_one_of(model: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(strip_profile(model), glob) for glob in globs)


def _objects(value: JsonValue) -> list[JsonObject]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _of(message: JsonObject, member: str) -> list[JsonObject]:
    """Return the values of the message's blocks of one kind; an empty object for a text block."""
    values = [block.get(member) for block in _objects(message.get("content"))]
    return [value if isinstance(value, dict) else {} for value in values if value is not None]
