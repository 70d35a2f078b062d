"""Renders settings as TOML with the source of each value, or as JSON. Secrets are left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from bedtape_cassettes.config.options import TABLES, TOP
from bedtape_cassettes.config.settings import Settings, SettingValue
from bedtape_cassettes.text import Line, lines


def render_json(settings: Settings) -> dict[str, object]:
    """Returns all settings for programs. Null selects the default or stands for a secret."""
    rows = [
        {
            "table": table,
            "key": key,
            "value": None if TABLES[table][key].secret else setting.value,
            "by": setting.source,
            "over": over.source if over else None,
        }
        for (table, key), setting, over in settings.entries()
    ]
    return {"file": settings.file, "settings": rows, "warnings": list(settings.warnings)}


def render_toml(settings: Settings) -> Iterator[Line]:
    """Renders all settings as one `bedtape.toml`, with the source of each value as a comment."""
    yield from lines(f"# {settings.file or 'no file of settings'}", "faint")
    for table, rows in groupby(settings.entries(), lambda row: row[0][0]):
        if table != TOP:
            yield Line("")
            yield Line(f"[{table}]", "title")
        for (_, key), setting, over in rows:
            yield from lines(
                f"{_row(table, key, setting)}  #"
                f" {setting.source}{f', over {over.source}' if over else ''}"
            )


def _row(table: str, key: str, setting: SettingValue) -> str:
    if TABLES[table][key].secret:
        return f"# {key} is set"
    if setting.value is None:
        return f"# {key} is the default"
    line = f"{key} = {json.dumps(setting.value, ensure_ascii=False)}"
    return f"# {line}" if TABLES[table][key].personal else line  # a file must not contain it
