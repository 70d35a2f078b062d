"""Tables of Markdown, and plain words as it shows them. Knows nothing of what is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["cell", "code", "table"]

# What stands in plain text and is code: options, variables, files, paths with stars, commands.
_CODE = re.compile(
    r"(?<![\w`-])(?:mitmdump -s \"\$\([^)]*\)\"|bedtape (?:record|replay|run|overlay|cassette) --?[a-z-]+|bedtape (?:overlay|cassette) [a-z-]+"
    r"|--[a-z][a-z-]*|\$?[A-Z]+_[A-Z_]+(?:=\w+)?|\$[A-Z]+|\.tape\b|\.gitattributes\b|cassettes/"
    r"|[a-z]+\.[*\w.]*\*[\w.*]*|(?:us|eu|global)\.MODEL)(?!`)"
)


def code(text: str) -> str:
    return f"`{text}`"


def cell(text: str, links: Sequence[tuple[str, str]] = ()) -> str:
    """One sentence or more as a cell has it: without a capital and a full stop, code as code, names as links."""
    text = re.sub(r"\s+", " ", text).strip().removesuffix(".")
    text = re.sub(r"^[A-Z](?![A-Z'])", lambda first: first[0].lower(), text)
    text = _CODE.sub(lambda found: code(found[0]), text).replace("|", "\\|").replace("<", "&lt;")
    for name, target in links:
        text = text.replace(name, f"[{name}]({target})", 1)
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
