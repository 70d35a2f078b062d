"""Builds the report: the inspector's page as one file that needs no server, with what the
server would return inside it.

The file contains no link to another file or host. Its Content-Security-Policy allows its own script
and style by their digests, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from graphlib import TopologicalSorter

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_replayer.api.inspector.capture import Part, merge
from bedtape_replayer.api.inspector.page import read_files
from bedtape_replayer.api.route import VERSION

_IMPORT = re.compile(r'^import \{([^}]+)\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:const|let|function|class) (\w+))", re.MULTILINE)
_STYLE = '<link rel="stylesheet" href="inspector/style.css">'
_SCRIPT = '<script type="module" src="inspector/app.js"></script>'


def build_report(parts: Iterable[Part], title: str) -> bytes:
    """Return the HTML file. parts: of `capture`. title: what ran, `pytest` or a command."""
    data: JsonValue = {"title": scrub_text(title), "version": VERSION, "answers": merge(parts)}
    # A `<` inside a string is the only character that could end the element.
    held = compact(data).replace(b"<", rb"\u003c")
    before, after = _read_frame()
    return b"".join((before, held, after))


@cache
def _read_frame() -> tuple[bytes, bytes]:
    """Return the page before and after the data."""
    files = {name: data.decode() for name, data in read_files().items()}
    style, script = files["style.css"], _bundle(files)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src"
        " data:; base-uri 'none'; form-action 'none'"
    )
    page = files["index.html"].replace(_STYLE, f"<style>{style}</style>", 1)
    meta = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    page = page.replace('<meta charset="utf-8">', meta, 1)
    before, after = page.split(_SCRIPT)
    return (
        f'{before}<script type="application/json" id="report">'.encode(),
        f'</script>\n<script type="module">{script}</script>{after}'.encode(),
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _bundle(files: dict[str, str]) -> str:
    """Return the page's modules as one script: each becomes a function that returns its exports."""
    modules = {
        name.removesuffix(".js"): text for name, text in files.items() if name.endswith(".js")
    }
    graph = {name: {match[2] for match in _IMPORT.finditer(text)} for name, text in modules.items()}
    return "\n".join(_wrap(name, modules[name]) for name in TopologicalSorter(graph).static_order())


def _wrap(name: str, text: str) -> str:
    names = ", ".join(match[2] for match in _EXPORT.finditer(text))
    body = _EXPORT.sub(r"\1", _IMPORT.sub(r"const {\1} = module_\2;\n", text))
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"
