"""Validates requests as Bedrock does: a rejected request gets Bedrock's status, error and message.

`shapes` reads botocore's service models, `conversation` contains the rules of Converse, and `native` the members that
families require in InvokeModel's bodies. botocore reads its model files at the first check. Unknown models are
accepted, because users invent model ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import OPERATIONS
from bedtape_replayer.engine.validation import conversation, native
from bedtape_replayer.engine.validation.shapes import Input, input_of
from bedtape_replayer.engine.validation.values import Violation

__all__ = ["Refusal", "find_refusal"]

_SERVICES = {operation.name: operation.service for operation in OPERATIONS if operation.service != "bedrock-mantle"}
_MODEL_LABELS = ("modelId", "modelIdentifier", "inferenceProfileIdentifier")
_NATIVE = ("InvokeModel", "InvokeModelWithResponseStream")
_INVALID_MODEL = "The provided model identifier is invalid."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as Bedrock answers it: the HTTP status, the error's name and its message."""

    status: int
    error: str
    message: str


def _no_header(_name: str) -> str | None:
    return None


def find_refusal(
    operation: str,
    model: str | None,
    body: bytes,
    *,
    labels: Mapping[str, str] | None = None,
    header: Callable[[str], str | None] = _no_header,
) -> Refusal | None:
    """Return the error that Bedrock would answer; None for a valid request, and for an operation with unknown rules.

    model: percent-decoded, as `operations.Target` has it. labels: the other labels of the operation's URI, decoded.
    header: gives the request's header of a lower-case name.
    """
    known = input_of(_SERVICES[operation], operation) if operation in _SERVICES else None
    if known is None:
        return None
    if _model_is_invalid(known, model):
        return _invalid(_INVALID_MODEL)
    if outside := _check_outside_body(known, labels or {}, header):
        return _refuse(outside)
    try:
        return _check_body(operation, model or "", known, body)
    except RecursionError:  # deeper than Bedrock's parser accepts
        return _invalid(native.MALFORMED)


def _model_is_invalid(known: Input, model: str | None) -> bool:
    return any(known.labels[label](model or "") for label in _MODEL_LABELS if label in known.labels)


def _check_outside_body(
    known: Input, labels: Mapping[str, str], header: Callable[[str], str | None]
) -> list[Violation]:
    found: list[Violation] = []
    for name, value in labels.items():
        if name in known.labels and name not in _MODEL_LABELS:
            found.extend(known.labels[name](value))
    for name, check in known.headers.items():
        if (sent := header(name)) is not None:
            found.extend(check(sent))
    return found


def _check_body(operation: str, model: str, known: Input, body: bytes) -> Refusal | None:
    native_body = operation in _NATIVE
    if not native_body and known.body is None:
        return None
    try:
        value: JsonValue = orjson.loads(body or (b"" if native_body else b"{}"))
    except orjson.JSONDecodeError:
        return _invalid(native.MALFORMED)
    if known.body is None:
        return _refuse_with(native.mistake(model, value, streaming=operation != "InvokeModel"))
    if problems := known.body(value):
        return _refuse(problems)
    if operation in ("Converse", "ConverseStream") and isinstance(value, dict):
        return _refuse_with(conversation.mistake(model, value))
    return None


def _refuse(problems: Sequence[Violation]) -> Refusal:
    """Report the first wrong type, because Bedrock reads no further; then all bounds; then the first other problem."""
    if mistyped := next((problem for problem in problems if problem.kind == "type"), None):
        return Refusal(400, "SerializationException", str(mistyped))
    bounds = [str(problem) for problem in problems if problem.kind == "bounds"]
    if not bounds:
        return _invalid(str(problems[0]))
    errors = "error" if len(bounds) == 1 else "errors"
    return _invalid(f"{len(bounds)} validation {errors} detected: {'; '.join(bounds)}")


def _refuse_with(message: str | None) -> Refusal | None:
    return None if message is None else _invalid(message)


def _invalid(message: str) -> Refusal:
    return Refusal(400, "ValidationException", message)
