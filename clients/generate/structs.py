"""Reads the schemas of the control API that a client in a typed language
needs, as structs with fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bedtape_replayer.api.openapi import openapi
from bedtape_replayer.api.schemas import NAMED
from bedtape_replayer.api.session_routes import ROUTES

__all__ = ["Field", "Kind", "Struct", "list_structs"]

# What a client sends, and what it reads.
SENT = ("When", "Answer", "Rule", "Fault", "Overlay", "Conditions", "Counted", "Settings")
READ = ("Call", "Finding", "Layers", "Summary")
# Names of objects that the document does not name. Without a name here, the key is the name.
NAMES = {
    ("Answer", "usage"): "TokenCounts",
    ("Answer", "reasoning"): "ReasoningText",
    ("Answer", "conversation"): "SpokenTurn",
    ("SpokenTurn", "when"): "Cue",
    ("Block", "reasoning"): "ReasoningText",
    ("Fault", "http"): "Response",
    ("Simulate", "quotas"): "ModelQuotas",
    ("Rule", "script"): "ScriptTurn",
    ("LaidRule", "script"): "ScriptTurn",
    ("LaidRule", "answer"): "AnswerFunction",
}
# A list of alternatives has the keys of `When`, but contains no lists of alternatives itself.
INSTEAD = {"any_of": "When", "none_of": "When"}
_KINDS = {"string": "text", "integer": "whole", "number": "number", "boolean": "truth"}


@dataclass(frozen=True)
class Kind:
    """A type. name: text, whole, number, truth, json, map, texts (a map of texts), list or struct.

    item: of a list. struct: the name of a struct.
    """

    name: str
    item: Kind | None = None
    struct: str = ""


@dataclass(frozen=True)
class Field:
    """A member. required: is always there. nullable: may be null. blank: an object
    without members has a meaning.
    """

    key: str
    kind: Kind
    description: str
    required: bool
    nullable: bool
    blank: bool


@dataclass(frozen=True)
class Struct:
    """An object. owner: the struct in which it was first used, or "". sent: a client sends it."""

    name: str
    owner: str
    description: str
    fields: tuple[Field, ...]
    sent: bool


JSON = Kind("json")


def list_structs() -> list[Struct]:
    """Return the structs of requests, then of responses, each with the structs that it uses."""
    reader = _Reader()
    for names in (SENT, READ):
        for name in names:
            reader.add(name, "", reader.schemas[name])
        reader.sent = False
    return list(reader.structs.values())


class _Reader:
    def __init__(self) -> None:
        self.schemas: dict[str, Any] = openapi(ROUTES, "", NAMED)["components"]["schemas"]
        self.structs: dict[str, Struct] = {}
        self.sent = True

    def add(self, name: str, owner: str, schema: dict[str, Any]) -> Kind:
        """Read an object, if no equal one has the name.

        Raises ValueError if another one has the name.
        """
        if name in (*SENT, *READ):
            owner = ""
        kind = Kind("struct", struct=name)
        known = self.structs.get(name)
        if known is None:
            # keeps the place, and ends recursion
            self.structs[name] = Struct(name, owner, "", (), self.sent)
            fields = tuple(self._read_fields(name, schema))
            described = schema.get("description", "")
            self.structs[name] = replace(self.structs[name], description=described, fields=fields)
        elif known.fields and [each.key for each in known.fields] != list(schema["properties"]):
            raise ValueError(f"two different objects are named {name}: add one to NAMES")
        return kind

    def _read_fields(self, name: str, schema: dict[str, Any]) -> Iterator[Field]:
        required = set(schema.get("required", ()))
        for key, member in schema["properties"].items():
            kind, other = self._read_kind(name, key, member)
            described = " ".join(filter(None, (member.get("description", ""), other)))
            target = self._resolve(member)
            blank = not (
                target.get("minProperties") or target.get("required") or target.get("oneOf")
            )
            yield Field(key, kind, described, key in required, _is_nullable(member), blank)

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            resolved: dict[str, Any] = self.schemas[schema["$ref"].rpartition("/")[2]]
            return resolved
        return schema

    def _read_kind(self, owner: str, key: str, schema: dict[str, Any]) -> tuple[Kind, str]:
        """Return the type of a member, and a sentence about its forms if it has several."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.add(name, owner, self.schemas[name]), ""
        if options := [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]:
            return self._read_options(owner, key, options)
        if schema.get("enum") and isinstance(schema["enum"][0], str):
            shown = (
                f"One of {', '.join(map(str, schema['enum']))}." if len(schema["enum"]) < 12 else ""
            )
            return Kind("text"), shown
        match _without_null(schema.get("type")):
            case "object" if "properties" in schema:
                return self.add(NAMES.get((owner, key), _name(key)), owner, schema), ""
            case "object":
                texts = schema.get("additionalProperties") == {"type": "string"}
                return Kind("texts" if texts else "map"), ""
            case "array":
                return Kind("list", self._read_item(owner, key, schema)), ""
            case kind if kind in _KINDS:
                return Kind(_KINDS[kind]), ""
        if isinstance(schema.get("enum", [None])[0], int):
            return Kind("whole"), ""
        return JSON, ""

    def _read_item(self, owner: str, key: str, schema: dict[str, Any]) -> Kind:
        if key in INSTEAD:
            return Kind("struct", struct=INSTEAD[key])
        if "prefixItems" in schema:
            return (
                Kind("text")
                if all(each == {"type": "string"} for each in schema["prefixItems"])
                else JSON
            )
        return self._read_kind(owner, key, schema["items"])[0] if "items" in schema else JSON

    def _read_options(
        self, owner: str, key: str, options: list[dict[str, Any]]
    ) -> tuple[Kind, str]:
        kinds = [self._read_kind(owner, key, each)[0] for each in options]
        if len(kinds) == 1:
            return kinds[0], ""
        if len(kinds) == 2 and kinds[1] == Kind("list", kinds[0]):
            return kinds[1], ""  # the server accepts a list of one
        words = dict.fromkeys(
            _describe(each, kind) for each, kind in zip(options, kinds, strict=True)
        )
        return JSON, f"Either {' or '.join(words)}."


def _describe(schema: dict[str, Any], kind: Kind) -> str:
    if schema.get("enum"):
        return " or ".join(map(json.dumps, schema["enum"]))
    if kind.item is not None:
        return f"a list of {kind.item.struct or kind.item.name}"
    word = kind.struct or kind.name
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


def _without_null(kind: Any) -> Any:
    return next(each for each in kind if each != "null") if isinstance(kind, list) else kind


def _is_nullable(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (isinstance(kind, list) and "null" in kind) or {"type": "null"} in schema.get(
        "anyOf", ()
    )


def _name(key: str) -> str:
    """Return the name of an object by its key: `citations` is a list of Citation."""
    words = re.sub(r"(?<!s)s$", "", key).split("_")
    return "".join(word.capitalize() for word in words)
