"""The tables of docs/reference/errors.md that the code has: Bedrock's errors by name, and what the wire refuses."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

from tables import code, table

from bedtape_cassettes.failures import FAILURES
from bedtape_replayer.wire import http1
from bedtape_replayer.wire import http1_grammar as grammar
from bedtape_replayer.wire.http2 import connection

__all__ = ["bedrock_errors", "own_errors"]


def bedrock_errors() -> list[str]:
    """The errors that `fail` and overlays know by name."""
    rows = [
        (code(name), str(known.status), f"{known.message}", ", ".join(map(code, known.streams)) or "none")
        for name, known in sorted(FAILURES.items())
    ]
    return table(("error", "status", "what it says", "in the middle of which streams"), rows)


def own_errors() -> list[str]:
    """What is refused before it is a call, with the status; the same over both wires stands once."""
    refusals = (
        *_refusals(grammar, "RequestError", 0),
        *_refusals(http1, "RequestError", 0),
        *_refusals(connection, "_refuse", 1),
    )
    found = dict.fromkeys(refusals)
    rows = [(str(status), message) for status, message in sorted(found)]
    return table(("status", "message"), rows)


def _refusals(module: ModuleType, name: str, first: int) -> Iterator[tuple[int, str]]:
    """The literal status and message of each call of that name in the module."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and len(node.args) == first + 2 and _called(node) == name:
            status, message = node.args[first:]
            if isinstance(status, ast.Constant):
                yield status.value, _text(message, module)


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _text(node: ast.expr, module: ModuleType) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, module) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)) if hasattr(module, name):
            return f"{getattr(module, name):,}"
    return "…"
