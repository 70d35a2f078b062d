"""When requests are validated as Bedrock validates them.

The validation is imported with the first request that needs it, because botocore's service model takes longer to read
than a small suite takes to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call

# `rules`: before a rule answers, because a recording proves that its request was valid. `always`: before any answer.
Validate: TypeAlias = Literal["always", "rules", "never"]


@dataclass(frozen=True, slots=True)
class Checks:
    """rules: validate a request before a rule answers. all: validate every request."""

    rules: bool
    all: bool


NO_CHECKS = Checks(rules=False, all=False)


def parse_checks(validate: Validate) -> Checks:
    """Return the checks for a value of `--validate`. Raises ValueError for another value."""
    if validate not in get_args(Validate):
        raise ValueError(f"expected validate to be one of {', '.join(get_args(Validate))}, found {validate!r}")
    return Checks(validate != "never", validate == "always")


@cache
def _import_validation() -> ModuleType:
    return import_module("bedtape_replayer.engine.validation")


def find_refusal(call: Call) -> Response | None:
    """Return the error that Bedrock would answer; None for a request that Bedrock accepts."""
    if call.operation is None:
        return None
    refusal = _import_validation().find_refusal(
        call.operation, call.model, call.outline.data, header=call.head.get, path=call.path, service=call.service
    )
    return None if refusal is None else refusal.build_response(call.dialect, call.service)
