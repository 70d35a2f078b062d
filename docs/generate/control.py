"""Renders the tables of docs/reference/control.md from the OpenAPI document of the server."""

from __future__ import annotations

from typing import Any

from tables import cell, code, table

from bedtape_replayer.api.openapi import openapi
from bedtape_replayer.api.schemas import NAMED
from bedtape_replayer.api.session_routes import ROUTES

__all__ = ["render_routes", "render_schemas"]

# The page of overlays describes the keys of these schemas.
_OVERLAYS = frozenset({"Answer", "Fault", "Overlay", "Rule", "When"})
# The page of the Python API describes these conditions.
_CONDITIONS = frozenset({"Conditions", "Counted"})


def render_routes() -> list[str]:
    """Renders every route, with its request and its response."""
    document = openapi(ROUTES, "", NAMED)
    rows = [
        (
            code(f"{method.upper()} {path}"),
            cell(described["summary"]),
            _render_request(described),
            _render_response(described),
        )
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    return table(("request", "what it does", "takes", "gives"), rows)


def render_schemas() -> list[str]:
    """Renders the members of every schema of requests and responses, except schemas of overlays."""
    lines: list[str] = []
    for name, schema in sorted(openapi(ROUTES, "", NAMED)["components"]["schemas"].items()):
        if name in _OVERLAYS or "properties" not in schema:
            continue
        lines += [f"### {name}", ""]
        if schema.get("description"):
            lines += [schema["description"], ""]
        lines += [*_render_members(name, schema), ""]
    return lines


def _render_members(name: str, schema: dict[str, Any]) -> list[str]:
    if name == "Conditions":
        known = ", ".join(code(key) for key in schema["properties"])
        return [f"Any of {known}: [what each means](python.md#calls)."]
    properties = schema["properties"]
    if name == "Counted":
        own = [key for key in properties if key not in NAMED["Conditions"]["properties"]]
        properties = {key: properties[key] for key in own}
        return [
            "The members of [Conditions](#conditions), and:",
            "",
            *_render_table(properties, set()),
        ]
    return _render_table(properties, set(schema.get("required", ())))


def _render_table(properties: dict[str, Any], required: set[str]) -> list[str]:
    rows = [
        (
            code(key),
            _render_kind(member),
            "; ".join(
                filter(None, (cell(member.get("description", "")), _render_presence(key, required)))
            ),
        )
        for key, member in properties.items()
    ]
    return table(("member", "type", "meaning"), rows)


def _render_presence(key: str, required: set[str]) -> str:
    return "" if not required or key in required else "may be absent"


def _render_request(route: dict[str, Any]) -> str:
    return _render_kind(_get_schema(route["requestBody"])) if "requestBody" in route else ""


def _render_response(route: dict[str, Any]) -> str:
    return _render_kind(_get_schema(route["responses"]["200"]))


def _get_schema(body: dict[str, Any]) -> dict[str, Any]:
    (content,) = body["content"].values()
    schema: dict[str, Any] = content["schema"]
    return schema


def _render_kind(schema: dict[str, Any]) -> str:
    """Renders a schema in a few words. A named schema is a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({'overlay.md' if name in _OVERLAYS else f'#{name.lower()}'})"
    if "enum" in schema:
        return " or ".join(
            code(str(value).lower() if value is True else str(value)) for value in schema["enum"]
        )
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_render_kind, kinds))
    kinds = schema.get("type", "any JSON")
    if kinds == "array":
        return (
            f"list of {_render_kind(schema['items'])}" if "items" in schema else "pair of strings"
        )
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
