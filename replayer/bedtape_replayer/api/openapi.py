"""Generates the OpenAPI document of the control API from the table of routes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bedtape_cassettes.format.json_schema import Schema
from bedtape_replayer.api.route import Route

_TOKEN = {"type": "apiKey", "in": "header", "name": "x-bedtape-token"}
_BEARER = {"type": "http", "scheme": "bearer"}


def openapi(routes: Iterable[Route], version: str, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """OpenAPI 3.1 (whose schemas are JSON Schema 2020-12).

    schemas: by the names that the document gives them; wherever one stands in a route or in
    another, it is referred to.
    """
    names = {_same(schema): name for name, schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _use_references(
            _operation(route), names
        )
    components = {
        name: {key: _use_references(value, names) for key, value in schema.items()}
        for name, schema in schemas.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bedtape control API",
            "version": version,
            "license": {"name": "Apache-2.0"},
        },
        # Without a token where the server has none.
        "security": [{}, {"token": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": _TOKEN, "bearer": _BEARER},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    parts = re.findall(r"{(\w+)}", route.path)
    parameters = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
        for part in parts
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()
    ]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            "200": {"description": "Done.", "content": {route.media: {"schema": route.gives}}},
            "default": {
                "description": "The request is invalid; the message contains the expected value.",
                "content": _content({"$ref": "#/components/schemas/Error"}),
            },
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.takes)}
    return operation


def _content(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _same(value: dict[str, Any]) -> str:
    """What is the same for schemas that differ in their description alone."""
    return json.dumps(
        {key: rest for key, rest in value.items() if key != "description"}, sort_keys=True
    )


def _use_references(value: Any, names: Mapping[str, str]) -> Any:
    """The value with references in place of the schemas that have names."""
    if isinstance(value, list):
        return [_use_references(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    name = names.get(_same(value))
    if name is None:
        return {key: _use_references(rest, names) for key, rest in value.items()}
    member = {"description": value["description"]} if "description" in value else {}
    return {"$ref": f"#/components/schemas/{name}", **member}
