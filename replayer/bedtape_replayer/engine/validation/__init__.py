"""Validates requests as Bedrock does: a rejected request gets Bedrock's status, error and message.

`shapes` reads botocore's service models, `conversation` contains the rules of Converse, `native`
the members that families require in InvokeModel's bodies, and `known_errors` a table of errors that
real requests got. botocore reads its model files at the first check, or in `prepare`. Unknown
models are accepted, because users invent model ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import orjson

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import OPERATIONS
from bedtape_replayer.engine.validation import conversation, native, openai_apis
from bedtape_replayer.engine.validation.known_errors import find_known_error
from bedtape_replayer.engine.validation.shapes import Input, input_of
from bedtape_replayer.engine.validation.values import Violation
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.simulation.guardrails import control_plane

__all__ = ["find_refusal", "prepare"]

_SERVICES = {
    operation.name: operation.service for operation in OPERATIONS if operation.dialect == "aws"
} | dict.fromkeys(control_plane.OPERATIONS, "bedrock")
_MODEL_LABELS = ("modelId", "modelIdentifier", "inferenceProfileIdentifier")
_NATIVE = ("InvokeModel", "InvokeModelWithResponseStream")
_INVALID_MODEL = "The provided model identifier is invalid."


def prepare() -> None:
    """Read the models of all services and compile the inputs of their operations."""
    for operation, service in _SERVICES.items():
        input_of(service, operation)


def find_refusal(
    operation: str,
    model: str | None,
    body: bytes,
    *,
    header: Callable[[str], str | None] = lambda _: None,
    path: str = "",
    service: str = RUNTIME,
    loaded: JsonValue = None,
) -> Failure | None:
    """Return the error that Bedrock would answer; `None` for a valid request, and for an
    operation with unknown rules.

    model: percent-decoded, as in `operations.Target`. header: returns the value of a header by its
    lower-case name. path: without prefixes. service: bedrock-runtime or bedrock-mantle. loaded: the
    body as orjson parses it, or None.
    """
    if operation not in _SERVICES:
        if operation not in openai_apis.REQUIRED:
            return None
        try:
            value = orjson.loads(body or b"null") if loaded is None else loaded
            mistake = openai_apis.find_mistake(operation, path, service, value)
        except orjson.JSONDecodeError:
            return _invalid(native.MALFORMED)
        return _invalid(mistake) if mistake else None
    known = input_of(_SERVICES[operation], operation)
    if known is None:
        return None
    if not _is_model_id(operation, model or ""):
        return _invalid(_INVALID_MODEL)
    if known.headers:
        sent = ((check, header(name)) for name, check in known.headers.items())
        if violations := [
            violation for check, value in sent if value is not None for violation in check(value)
        ]:
            return _refuse(violations)
    try:
        return _check_body(operation, model or "", known, body, loaded)
    except RecursionError:  # deeper than Bedrock's parser accepts
        return _invalid(native.MALFORMED)


def _find_input(operation: str) -> Input | None:
    return input_of(_SERVICES[operation], operation) if operation in _SERVICES else None


@lru_cache(maxsize=1024)
def _is_model_id(operation: str, model: str) -> bool:
    """Whether the model id has the form that the operation accepts."""
    known = _find_input(operation)
    return known is None or not any(
        known.labels[label](model) for label in _MODEL_LABELS if label in known.labels
    )


def _check_body(
    operation: str, model: str, known: Input, body: bytes, loaded: JsonValue
) -> Failure | None:
    native_body = operation in _NATIVE
    if not native_body and known.body is None:
        return None
    try:
        value: JsonValue = (
            orjson.loads(body or (b"" if native_body else b"{}")) if loaded is None else loaded
        )
    except orjson.JSONDecodeError:
        return _invalid(native.MALFORMED)
    if known.body is None:
        mistake = find_known_error(operation, model, value) if isinstance(value, dict) else None
        mistake = mistake or native.find_mistake(model, value, streaming=operation != "InvokeModel")
    elif problems := known.body(value):
        return _refuse(problems)
    elif operation in ("Converse", "ConverseStream") and isinstance(value, dict):
        mistake = conversation.find_mistake(model, value) or find_known_error(
            operation, model, value
        )
    else:
        return None
    return _invalid(mistake) if mistake else None


def _refuse(problems: Sequence[Violation]) -> Failure:
    """Return the error of a violated shape.

    Like Bedrock, report the first wrong type alone, or else all bounds, or else
    the first other problem.
    """
    if mistyped := next((problem for problem in problems if problem.kind == "type"), None):
        return Failure("SerializationException", str(mistyped), 400)
    bounds = [str(problem) for problem in problems if problem.kind == "bounds"]
    if not bounds:
        return _invalid(str(problems[0]))
    errors = "error" if len(bounds) == 1 else "errors"
    return _invalid(f"{len(bounds)} validation {errors} detected: {'; '.join(bounds)}")


def _invalid(message: str) -> Failure:
    return Failure("ValidationException", message, 400)
