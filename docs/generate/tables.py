"""Renders tables and cells of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["cell", "code", "table"]

# Code in plain text: options, variables, files, paths with stars, commands.
_CODE = re.compile(
    r"(?<![\w`-])(?:mitmdump -s \"\$\([^)]*\)\"|bedtape (?:record|replay|run|overlay|cassette)"
    r" --?[a-z-]+|bedtape (?:overlay|cassette) [a-z-]+"
    r"|--[a-z][a-z-]*|\$?[A-Z]+_[A-Z_]+(?:=\w+)?|\$[A-Z]+|\.tape\b|\.gitattributes\b|cassettes/"
    r"|[a-z]+\.[*\w.]*\*[\w.*]*|(?:us|eu|global)\.MODEL)(?!`)"
)


def code(text: str) -> str:
    return f"`{text}`"


def cell(text: str, links: Sequence[tuple[str, str]] = ()) -> str:
    """Renders sentences as a cell: no capital at the start, no full stop at the end, code
    as code, names as links.
    """
    text = re.sub(r"\s+", " ", text).strip().removesuffix(".")
    text = re.sub(r"^[A-Z](?=[a-z]*\b(?!'))", lambda match: match[0].lower(), text)
    text = _CODE.sub(lambda match: code(match[0]), text).replace("|", "\\|").replace("<", "&lt;")
    for name, target in links:
        text = text.replace(name, f"[{name}]({target})", 1)
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
