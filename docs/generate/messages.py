"""Renders tables of docs/reference/errors.md: Bedrock's errors, and errors of requests
that the server cannot read.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

from tables import code, table

from bedtape_cassettes.failures import FAILURES
from bedtape_replayer.wire import http1, http1_body
from bedtape_replayer.wire import http1_grammar as grammar
from bedtape_replayer.wire.http2 import requests

__all__ = ["render_bedrock_errors", "render_own_errors"]


def render_bedrock_errors() -> list[str]:
    """Renders the errors that `fail` and overlays accept by name."""
    rows = [
        (
            code(name),
            str(known.status),
            f"{known.message}",
            ", ".join(map(code, known.streams)) or "none",
        )
        for name, known in sorted(FAILURES.items())
    ]
    return table(("error", "status", "message", "in the middle of these streams"), rows)


def render_own_errors() -> list[str]:
    """Renders the errors for requests that are refused before they are
    calls, without duplicates.
    """
    refusals = (
        *_find_refusals(grammar, "RequestError", 0),
        *_find_refusals(http1, "RequestError", 0),
        *_find_refusals(http1_body, "RequestError", 0),
        *_find_refusals(requests, "_refuse", 1),
    )
    distinct = dict.fromkeys(refusals)
    rows = [(str(status), message) for status, message in sorted(distinct)]
    return table(("status", "message"), rows)


def _find_refusals(module: ModuleType, name: str, first: int) -> Iterator[tuple[int, str]]:
    """Yields the literal status and message of each call of the function `name` in the module."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and len(node.args) == first + 2 and _get_name(node) == name:
            status, message = node.args[first:]
            if isinstance(status, ast.Constant):
                yield status.value, _render_text(message, module)


def _get_name(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _render_text(node: ast.expr, module: ModuleType) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_render_text(part, module) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)) if hasattr(module, name):
            return f"{getattr(module, name):,}"
    return "…"
