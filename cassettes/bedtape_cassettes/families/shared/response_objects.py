"""Objects of the Responses API that are read again: their states and the items of their input."""

from __future__ import annotations

from collections.abc import Mapping

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.format.bodies import read_value
from bedtape_cassettes.model import Body, JsonValue, Response


def read_response(response: Response) -> JsonObject:
    """Return the response object of an answer: the body, or the object in
    the last event of a stream.

    An answer that is no response object, such as a raw body, gives an empty object.
    """
    if isinstance(response.body, Body):
        inner = read_value("json", response.body.data)
    else:
        last = response.body.events[-1]
        value = read_value(last.form, last.payload)
        inner = value.get("response") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def change_state(value: JsonObject, status: str) -> JsonObject:
    """Return the response as it is before it has an output, or after it was cancelled."""
    empty: Mapping[str, JsonValue] = {
        "completed_at": None,
        "incomplete_details": None,
        "usage": None,
    }
    hidden = {name: member for name, member in empty.items() if name in value}
    return {**value, **hidden, "output": [], "status": status}


def read_input_items(request: JsonObject, name: str) -> list[JsonValue]:
    """Return the input of a request as items with id and status. name: the response's id."""
    given = request.get("input")
    items: list[JsonValue] = (
        given if isinstance(given, list) else [{"role": "user", "content": given}]
    )
    return [
        _complete_item(item, f"msg_{number}_{name}")
        for number, item in enumerate(items)
        if isinstance(item, dict)
    ]


def _complete_item(item: JsonObject, item_id: str) -> JsonValue:
    content = item.get("content")
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    parts: JsonValue = [{"type": kind, "text": content}] if isinstance(content, str) else content
    message: JsonObject = {"content": parts, "type": "message"} if "role" in item else {}
    return {"id": item_id, "status": "completed", **item, **message}


def list_items(items: list[JsonValue], query: dict[str, list[str]]) -> JsonObject:
    """Return the page of items that `order` (`asc` or last first), `after` and `limit` choose."""
    ordered = items if query.get("order") == ["asc"] else items[::-1]
    ids = [item["id"] for item in ordered if isinstance(item, dict)]
    after = query.get("after", [""])[0]
    start = ids.index(after) + 1 if after in ids else 0
    limit = query.get("limit", ["20"])[0]
    end = start + (int(limit[:9]) if limit.isdecimal() else 20)
    page = ordered[start:end]
    shown = ids[start:end]
    return {
        "object": "list",
        "data": page,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
        "has_more": end < len(ordered),
    }
