"""The control API's OpenAPI document, made from the table of its routes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bedtape_cassettes.checking import Schema
from bedtape_replayer.control.routes import Route

__all__ = ["openapi"]


def openapi(routes: Iterable[Route], version: str, schemas: dict[str, Schema]) -> dict[str, Any]:
    """OpenAPI 3.1 (whose schemas are JSON Schema 2020-12). `schemas` are those that routes refer to by name."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bedtape control API", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Route) -> dict[str, Any]:
    parts = re.findall(r"{(\w+)}", route.path)
    parameters = [{"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": route.gives}}},
            "default": {
                "description": "Refused; the message says what was expected.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.takes}}}
    return operation
