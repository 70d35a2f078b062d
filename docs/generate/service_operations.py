"""Writes the modules `service_table` and `operation_names` from botocore's service models.

`make fix` runs this after an upgrade.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from bedtape_cassettes.families.shared.service_models import load_service
from bedtape_replayer.answering import operation_names, service_operations, service_table

__all__ = ["render", "render_names", "write"]

# The table is data: a wider line keeps its module short.
_WIDTH, _TABLE_WIDTH = 96, 116


def render() -> str:
    """Return the text of the module with the operations of the botocore that is installed."""
    text = Path(service_table.__file__).read_text()
    tables = []
    for service in service_operations.SERVICES:
        model = load_service(service)
        rows = []
        for name in model.operation_names:
            operation = model.operation_model(name)
            mark = "*" * (operation.has_event_stream_output + operation.has_event_stream_input)
            rows.append(f"{operation.http['method']} {operation.http['requestUri']} {name}{mark}")
        target = f" {model.metadata['targetPrefix']}" if model.protocol == "json" else ""
        lines = textwrap.wrap(
            " ".join(rows), _TABLE_WIDTH, break_long_words=False, break_on_hyphens=False
        )
        tables.append("\n".join([f"# {service}{target}", *lines]))
    table = 'TABLE = """\n' + "\n".join(tables) + '\n"""\n'
    return re.sub(r'TABLE = """\n.*?"""\n', lambda _: table, text, flags=re.DOTALL)


def render_names() -> str:
    """Return the text of the module with the type of operations' names."""
    names = ", ".join(f'"{name}"' for name in service_operations.OPERATION_NAMES)
    lines = textwrap.indent(textwrap.fill(f"{names},", _WIDTH), "    ")
    text = Path(operation_names.__file__).read_text()
    return re.sub(r"Literal\[\n.*?\]\n", lambda _: f"Literal[\n{lines}\n]\n", text, flags=re.DOTALL)


def write() -> bool:
    """Write both modules, and return whether one changed."""
    changed = False
    for module, text in ((service_table, render()), (operation_names, render_names())):
        path = Path(module.__file__)
        if path.read_text() != text:
            path.write_text(text)
            changed = True
    return changed
