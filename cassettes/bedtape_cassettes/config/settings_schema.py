"""The JSON Schema of `bedtape.toml` and `[tool.bedtape]`, made from the table of options. Pure."""

from __future__ import annotations

from typing import Any

from bedtape_cassettes.config.kinds import (
    ChoiceKind,
    CommandKind,
    Kind,
    NumberKind,
    SwitchKind,
    WholeNumberKind,
)
from bedtape_cassettes.config.options import TABLES, TOP, Option

_Schema = dict[str, Any]


def build_settings_schema() -> _Schema:
    """Return the schema.

    It has no options that a file must not contain: secret and personal options.

    A path, a regular expression and a command are texts; the schema does not check their form.
    """
    tables = {name: _describe_table(name) for name in TABLES if name != TOP}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://json.schemastore.org/bedtape-settings.json",
        "title": "bedtape settings",
        **_describe_table(TOP, tables),
    }


def _describe_table(table: str, more: _Schema | None = None) -> _Schema:
    options = {
        key: _describe_option(option)
        for key, option in TABLES[table].items()
        if not (option.secret or option.personal)
    }
    description = {"description": f"Options of bedtape {table}."} if table != TOP else {}
    properties = {**options, **(more or {})}
    return {
        "type": "object",
        **description,
        "properties": properties,
        "additionalProperties": False,
    }


def _describe_option(option: Option) -> _Schema:
    one = _describe_kind(option.kind)
    return {"type": "array", "items": one} if option.many else one


def _describe_kind(kind: Kind) -> _Schema:
    match kind:
        case SwitchKind():
            return {"type": "boolean"}
        case NumberKind(None):
            return {"type": "number", "exclusiveMinimum": 0}
        case NumberKind(low, high):
            return {"type": "number", "minimum": low, "maximum": high}
        case WholeNumberKind(low, high):
            limits = {"minimum": low, "maximum": high}
            present = {key: value for key, value in limits.items() if value is not None}
            return {"type": "integer", **present}
        case ChoiceKind(words):
            return {"enum": list(words)}
        case CommandKind(not_words, _):
            return {"type": "string", "minLength": 1, "not": {"enum": list(not_words)}}
        case _:
            return {"type": "string", "minLength": 1}
