"""The tables of docs/reference/control.md, from the OpenAPI document that the server itself gives."""

from __future__ import annotations

from typing import Any

from tables import cell, code, table

from bedtape_replayer.api.openapi import openapi
from bedtape_replayer.api.schemas import NAMED
from bedtape_replayer.api.session_routes import ROUTES

__all__ = ["routes", "schemas"]

# Told on the page of overlays, key by key.
_OVERLAYS = frozenset({"Answer", "Fault", "Overlay", "Rule", "When"})
# Told once, as conditions.
_CONDITIONS = frozenset({"Conditions", "Counted"})


def routes() -> list[str]:
    """Every route, with what it takes and gives."""
    document = openapi(ROUTES, "", NAMED)
    rows = [
        (code(f"{method.upper()} {path}"), cell(told["summary"]), _taken(told), _given(told))
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    return table(("request", "what it does", "takes", "gives"), rows)


def schemas() -> list[str]:
    """Every schema that a route takes or gives, but those of overlays, member by member."""
    found: list[str] = []
    for name, schema in sorted(openapi(ROUTES, "", NAMED)["components"]["schemas"].items()):
        if name in _OVERLAYS or "properties" not in schema:
            continue
        found += [f"### {name}", ""]
        if schema.get("description"):
            found += [schema["description"], ""]
        found += [*_members(name, schema), ""]
    return found


def _members(name: str, schema: dict[str, Any]) -> list[str]:
    if name == "Conditions":
        known = ", ".join(code(key) for key in schema["properties"])
        return [f"Any of {known}: [what each means](python.md#calls)."]
    properties = schema["properties"]
    if name == "Counted":
        own = [key for key in properties if key not in NAMED["Conditions"]["properties"]]
        properties = {key: properties[key] for key in own}
        return ["What [Conditions](#conditions) has, and:", "", *_table(properties, set())]
    return _table(properties, set(schema.get("required", ())))


def _table(properties: dict[str, Any], required: set[str]) -> list[str]:
    rows = [
        (code(key), _kind(member), "; ".join(filter(None, (cell(member.get("description", "")), _rest(key, required)))))
        for key, member in properties.items()
    ]
    return table(("member", "type", "meaning"), rows)


def _rest(key: str, required: set[str]) -> str:
    return "" if not required or key in required else "may be absent"


def _taken(told: dict[str, Any]) -> str:
    return _kind(_schema(told["requestBody"])) if "requestBody" in told else ""


def _given(told: dict[str, Any]) -> str:
    return _kind(_schema(told["responses"]["200"]))


def _schema(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["content"]["application/json"]["schema"]
    return found


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a word or two; those that have names lead to them."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({'overlay.md' if name in _OVERLAYS else f'#{name.lower()}'})"
    if "enum" in schema:
        return " or ".join(code(str(value).lower() if value is True else str(value)) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    kinds = schema.get("type", "any JSON")
    if kinds == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "pair of strings"
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
