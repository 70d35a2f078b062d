"""When requests are validated as Bedrock validates them.

In a test's own process, the validation is imported with the first request that needs it, because
botocore's service models take longer to read than a small suite takes to run. `bedtape replay`
prepares it after its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.model import EMPTY, Body, Response
from bedtape_cassettes.operations import identify
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.service_operations import find_service_operation

# `rules`: before a rule answers, because a recording proves that its request was valid.
# `always`: before any answer.
Validate: TypeAlias = Literal["always", "rules", "never"]


@dataclass(frozen=True, slots=True)
class Checks:
    """rules: validate a request before a rule answers. all: validate every request."""

    rules: bool
    all: bool


NO_CHECKS = Checks(rules=False, all=False)

UNKNOWN_OPERATION = "UnknownOperationException"
# Recorded in 2025 for an ARN with a plain slash. SDKs do not read it as an error.
_UNKNOWN = Response(
    200,
    (("content-type", "application/json"),),
    Body(
        "json",
        b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
    ),
)
# For a wrong path of OpenAI's and Anthropic's APIs (wire contract, section 5).
_NOT_FOUND = Response(404, (), EMPTY)
_API_PATHS = ("/v1/", "/openai/", "/anthropic/")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def parse_checks(validate: Validate) -> Checks:
    """Return the checks for a value of `--validate`. Raises ValueError for another value."""
    if validate not in get_args(Validate):
        raise ValueError(
            f"expected validate to be one of {', '.join(get_args(Validate))}, found {validate!r}"
        )
    return Checks(validate != "never", validate == "always")


@cache
def _import_validation() -> ModuleType:
    return import_module("bedtape_replayer.engine.validation")


def prepare() -> None:
    """Read the service models now, in tenths of a second, so that no request reads a file."""
    _import_validation().prepare()


def find_refusal(call: Call) -> Response | None:
    """Return the error that Bedrock would answer; None for a request that Bedrock accepts."""
    if call.operation is None:
        return None
    refusal = _import_validation().find_refusal(
        call.operation,
        call.model,
        call.outline.data,
        header=call.head.get,
        path=call.path,
        service=RUNTIME if call.dialect == "aws" else call.service,
        loaded=call.loaded,
    )
    return None if refusal is None else refusal.build_response(call.dialect, call.service)


def find_unknown_operation(call: Call) -> tuple[Response, str] | None:
    """Return what Bedrock answers to a request that is not one of its operations, and
    the reason; otherwise None.

    An AWS SDK sends operations that AWS has. If bedtape does not know one,
    it is newer than bedtape.
    """
    if call.target.plain_slash:
        return _UNKNOWN, "the model in its path contains a plain `/`; send it as %2F"
    if call.known is not None or call.invocation_id is not None or call.path.startswith("/_"):
        return None
    return (_NOT_FOUND if call.path.startswith(_API_PATHS) else _UNKNOWN), _explain_unknown(
        call.path
    )


@lru_cache(maxsize=1024)
def _explain_unknown(path: str) -> str:
    for method in _METHODS:
        known = identify(method, path).operation or find_service_operation(None, method, path)
        if known is not None:
            return f"the method of this path is {method} ({known.name})"
    return "no operation has this path"
