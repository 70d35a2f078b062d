"""Checks requests of OpenAI's and Anthropic's APIs: required members, roles, and
models on the wrong route.

The types of the clients `openai` and `anthropic` define the required members and the roles. A
comment names the source of every other check. Rules that appear in documentation alone are not
checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from bedtape_cassettes.addresses import MANTLE
from bedtape_cassettes.model import JsonValue

JsonObject = dict[str, JsonValue]

REQUIRED = {
    "ChatCompletions": ("messages", "model"),
    "Responses": ("model",),
    "Messages": ("max_tokens", "messages", "model"),
    "CountMessageTokens": ("messages", "model"),
    "Embeddings": ("input", "model"),
}
_ROLES = {
    "ChatCompletions": ("developer", "system", "user", "assistant", "tool", "function"),
    "Messages": ("user", "assistant"),
    "CountMessageTokens": ("user", "assistant"),
}
# The error of bedrock-mantle for a body of the wrong shape. A user reported the
# first half of the text.
_UNREADABLE = "Failed to deserialize the JSON body into the target type"
# Models that bedrock-mantle refuses: the operation, the start of the path, the model, and the text
# of the error. The first text is recorded. Users of several clients reported the other two.
_ROUTES = (
    ("*", "/v1/", "google.gemma-4-*", "model `{model}` isn't supported on this route"),
    (
        "ChatCompletions",
        "",
        "openai.gpt-5*",
        "The model '{model}' does not support the '/v1/chat/completions' API",
    ),
    (
        "ChatCompletions",
        "",
        "anthropic.*",
        "The model '{model}' does not support the '/v1/chat/completions' API",
    ),
    (
        "Responses",
        "",
        "anthropic.*",
        "The model '{model}' does not support the '/v1/responses' API",
    ),
)
# GPT-5.6 and later on bedrock-runtime, tried against the service by another
# project in October 2026.
_NEEDS_COMPLETION_TOKENS = "openai.gpt-5.[6-9]*"
_MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
    " 'max_completion_tokens' instead."
)


def find_mistake(operation: str, path: str, service: str, body: JsonValue) -> str | None:
    """Return Bedrock's message about the first mistake in a request, or `None`.

    operation: a key of `REQUIRED`. path: without prefixes.
    """
    if not isinstance(body, dict):
        return f"{_UNREADABLE}: expected an object"
    return next(_find_mistakes(operation, path, service, body), None)


def _find_mistakes(operation: str, path: str, service: str, body: JsonObject) -> Iterator[str]:
    anthropic = operation in ("Messages", "CountMessageTokens")
    for name in REQUIRED[operation]:
        if name not in body:
            yield (
                f"{name}: Field required" if anthropic else f"{_UNREADABLE}: missing field `{name}`"
            )
    roles, messages = _ROLES.get(operation, ()), body.get("messages")
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        role = message.get("role") if isinstance(message, dict) else None
        if roles and role not in roles:
            yield (
                _explain_role(number, role, roles)
                if anthropic
                else (
                    f"{_UNREADABLE}: messages[{number}].role: unknown variant `{role}`, expected"
                    f" one of {', '.join(f'`{name}`' for name in roles)}"
                )
            )
    model = body.get("model")
    if not isinstance(model, str):
        return
    if service == MANTLE:
        for named, beginning, glob, text in _ROUTES:
            if (
                fnmatchcase(operation, named)
                and path.startswith(beginning)
                and fnmatchcase(model, glob)
            ):
                yield text.format(model=model)
    if (
        operation == "ChatCompletions"
        and fnmatchcase(model, "openai.gpt-oss-*")
        and _has_image(messages)
    ):
        yield "Model does not support image modality"  # recorded in 2026, twice
    if (
        operation == "ChatCompletions"
        and "max_tokens" in body
        and fnmatchcase(model, _NEEDS_COMPLETION_TOKENS)
    ):
        yield _MAX_TOKENS


def _has_image(messages: JsonValue) -> bool:
    contents = (
        [m.get("content") for m in messages if isinstance(m, dict)]
        if isinstance(messages, list)
        else []
    )
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


def _explain_role(number: int, role: JsonValue, roles: tuple[str, ...]) -> str:
    """Return the message of Anthropic's API about a missing or unknown role."""
    if role is None:
        return f"messages.{number}.role: Field required"
    return f"messages.{number}.role: Input should be {' or '.join(map(repr, roles))}"
