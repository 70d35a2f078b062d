"""Strings of requests that contain JSON by the definition of their API, such as the
arguments of a tool call.

SDKs and languages spell the same JSON differently: with or without spaces, in another order of
members. The match key compares the values.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Sequence

import orjson

from bedtape_cassettes.format.json_values import parse_path
from bedtape_cassettes.model import JsonValue

_CONVERSE = ("outputConfig.textFormat.structure.jsonSchema.schema",)
_CHAT = ("messages.*.tool_calls.*.function.arguments", "messages.*.function_call.arguments")
# For each operation, the paths of the strings, an outer string before the strings inside of it.
# None: operations that `operations.OPERATIONS` does not name. A test compares the paths with the
# descriptions in botocore's models.
PATHS: dict[str | None, tuple[str, ...]] = {
    "Converse": _CONVERSE,
    "ConverseStream": _CONVERSE,
    "InvokeModel": _CHAT,
    "InvokeModelWithResponseStream": _CHAT,
    "ChatCompletions": _CHAT,
    "Responses": ("input.*.arguments",),
    "CountTokens": (
        "input.invokeModel.body",
        *(f"input.invokeModel.body.{path}" for path in _CHAT),
    ),
    "InvokeInlineAgent": (
        "actionGroups.*.apiSchema.payload",
        "collaborators.*.actionGroups.*.apiSchema.payload",
    ),
    None: (
        "resourcePolicy",
        "policy",
        "apiSchema.payload",
        "paymentTokenRequest.coinbaseCdpTokenRequest.requestBody",
        "paymentTokenRequest.stripePrivyTokenRequest.requestBody",
        "datasetExecutionConfig.agentInvocation.agentCoreRuntime.requestTemplate",
        "descriptors.*.*.inlineContent",
        "descriptors.custom.inlineContent",
        "descriptors.optionalValue.*.optionalValue.*.inlineContent",
        "descriptors.optionalValue.*.optionalValue.*.optionalValue.inlineContent",
        "descriptors.optionalValue.custom.optionalValue.inlineContent",
    ),
}
# Members of the type blob, whose JSON is in base64.
_BLOBS = frozenset({("input", "invokeModel", "body")})


def _compile(paths: Sequence[str]) -> tuple[re.Pattern[bytes], tuple[tuple[str, ...], ...]]:
    names = sorted({path.rpartition(".")[2] for path in paths})
    return re.compile(rf'"(?:{"|".join(names)})"\s*:\s*"'.encode()), tuple(map(parse_path, paths))


_COMPILED = {operation: _compile(paths) for operation, paths in PATHS.items()}


def has_json_texts(operation: str | None, body: bytes) -> bool:
    """Whether the body may contain such strings. operation: None for one without a name."""
    compiled = _COMPILED.get(operation)
    return compiled is not None and compiled[0].search(body) is not None


def parse_json_texts(operation: str | None, value: JsonValue) -> None:
    """Replaces the strings in a parsed body by the objects and lists that they contain, in place.

    A string that contains anything else stays.
    """
    for path in _COMPILED[operation][1]:
        _parse_below(value, path, 0)


def _parse_below(value: JsonValue, path: tuple[str, ...], at: int) -> None:
    """Parses the strings at the rest of the path, which begins at the part with the number `at`."""
    part = path[at]
    if part == "*":
        members = (
            value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        )
        for member in members:
            _parse_below(member, path, at + 1)
    elif isinstance(value, dict) and part in value:
        member = value[part]
        if at + 1 < len(path):
            _parse_below(member, path, at + 1)
        elif isinstance(member, str) and isinstance(
            parsed := _parse(member, path in _BLOBS), dict | list
        ):
            value[part] = parsed


def _parse(text: str, blob: bool) -> JsonValue:
    try:
        value: JsonValue = orjson.loads(b64decode(text, validate=True) if blob else text)
    except (Error, ValueError):  # not base64, not ASCII, or not JSON
        return None
    return value
