"""Settings to read: as TOML with who said each, or as JSON. Secrets are never shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from bedtape_cassettes.config.options import TABLES, TOP
from bedtape_cassettes.config.settings import Said, Settings
from bedtape_cassettes.text import Line, lines

__all__ = ["as_json", "as_toml"]


def as_json(settings: Settings) -> dict[str, object]:
    """All of it, for programs. A value is null where the default was asked for, or is a secret."""
    rows = [
        {
            "table": table,
            "key": key,
            "value": None if TABLES[table][key].secret else said.value,
            "by": said.by,
            "over": over.by if over else None,
        }
        for (table, key), said, over in settings.said()
    ]
    return {"file": settings.file, "settings": rows, "warnings": list(settings.warnings)}


def as_toml(settings: Settings) -> Iterator[Line]:
    """What `bedtape.toml` would be if it said all that is said."""
    yield from lines(f"# {settings.file or 'no file of settings'}", "faint")
    for table, rows in groupby(settings.said(), lambda row: row[0][0]):
        if table != TOP:
            yield Line("")
            yield Line(f"[{table}]", "title")
        for (_, key), said, over in rows:
            yield from lines(f"{_row(table, key, said)}  # {said.by}{f', over {over.by}' if over else ''}")


def _row(table: str, key: str, said: Said) -> str:
    if TABLES[table][key].secret:
        return f"# {key} is set"
    if said.value is None:
        return f"# {key} is the default"
    return f"{key} = {json.dumps(said.value, ensure_ascii=False)}"
