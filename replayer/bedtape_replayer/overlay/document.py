"""Overlays as documents: JSON or YAML to rules and faults, checked whole, every problem at once with its place.

What a file says, what the control API is sent and what `respond` and `fail` are called with all come through here.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bedtape_cassettes import yamlio
from bedtape_cassettes.bodies import compact
from bedtape_cassettes.checking import Path, Wrong, problems
from bedtape_cassettes.content import (
    Block,
    Citation,
    Cited,
    Embeddings,
    Image,
    Images,
    Message,
    Ranking,
    Reasoning,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.errors import CassetteError, Problem
from bedtape_cassettes.families.family import Cannot
from bedtape_cassettes.families.table import family_of
from bedtape_cassettes.jsonpath import parts
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.layers.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.failure import Failure
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.raw import Raw
from bedtape_replayer.overlay.rule import Given, Rule
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.schema import FAULT, OVERLAY, RULE, SCHEDULE
from bedtape_replayer.overlay.when import When

__all__ = ["OverlayInvalid", "fault_of", "overlay_of", "read", "rule_of"]

JsonObject = dict[str, Any]
# Makes the id of a layer that has no name, from its kind.
Namer = Callable[[str], str]


class OverlayInvalid(CassetteError):
    """An overlay is not one. `wrong` holds every problem; `problems` has their lines, where it came from a file."""

    def __init__(self, wrong: tuple[Wrong, ...], found: tuple[Problem, ...] = ()) -> None:
        self.wrong = wrong
        self.problems = found
        super().__init__("\n".join(map(str, found or wrong)))


def read(data: bytes, file: str) -> Overlay:
    """The overlay in a YAML (or JSON) file. Raises OverlayInvalid, or CassetteInvalid where it is not YAML at all."""
    value = yamlio.load(data, file)
    try:
        return overlay_of(value, "file-")
    except OverlayInvalid as error:
        lines = yamlio.locate(data)
        located = (
            Problem(file, _line(lines, wrong.path), _placed(wrong), wrong.found, wrong.mend) for wrong in error.wrong
        )
        raise OverlayInvalid(error.wrong, tuple(sorted(located, key=lambda problem: problem.line))) from None


def _placed(wrong: Wrong) -> str:
    return f"{wrong.expected} at {wrong.where}" if wrong.path else wrong.expected


def _line(lines: Mapping[Path, int], path: Path) -> int:
    """The line of the path, or of what stands around it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def overlay_of(value: JsonValue, prefix: str = "") -> Overlay:
    """A whole overlay; layers without a name are called `rule-1`, after the prefix. Raises OverlayInvalid."""
    _refuse(_all_wrong(value))
    assert isinstance(value, dict)
    rules: Any = value.get("rules", [])
    faults: Any = value.get("faults", [])
    seed: Any = value.get("seed", 0)
    return Overlay(
        tuple(_rule(rule, rule.get("name") or f"{prefix}rule-{number}") for number, rule in enumerate(rules, 1)),
        tuple(_fault(fault, fault.get("name") or f"{prefix}fault-{number}") for number, fault in enumerate(faults, 1)),
        seed,
    )


def _all_wrong(value: JsonValue) -> list[Wrong]:
    """What the schema says, and, of every layer that is of its form, what no schema can say."""
    wrong = problems(value, OVERLAY)
    misformed = {found.path[:2] for found in wrong}
    for kind, more in (("rules", _rule_wrong), ("faults", _fault_wrong)):
        layers = value.get(kind) if isinstance(value, dict) else None
        for number, layer in enumerate(layers if isinstance(layers, list) else ()):
            if (kind, number) not in misformed and isinstance(layer, dict):
                wrong += more(layer, (kind, number))
    return wrong or list(_twice(value))


def rule_of(value: JsonValue, namer: Namer) -> Rule:
    """One rule. Raises OverlayInvalid."""
    _refuse(problems(value, RULE) or list(_rule_wrong(value, ())))  # type: ignore[arg-type]  # an object, by now
    return _rule(value, value.get("name") or namer("rule"))  # type: ignore[arg-type, union-attr]


def fault_of(value: JsonValue, namer: Namer) -> Fault:
    """One fault. Raises OverlayInvalid."""
    _refuse(problems(value, FAULT) or list(_fault_wrong(value, ())))  # type: ignore[arg-type]
    return _fault(value, value.get("name") or namer("fault"))  # type: ignore[arg-type, union-attr]


def _refuse(wrong: list[Wrong]) -> None:
    if wrong:
        raise OverlayInvalid(tuple(wrong))


def _twice(overlay: Any) -> Iterator[Wrong]:
    seen: set[str] = set()
    for kind in ("rules", "faults"):
        for number, layer in enumerate(overlay.get(kind, [])):
            name = layer.get("name")
            if name in seen:
                yield Wrong((kind, number, "name"), "a name of its own", repr(name), "two layers have it: rename one")
            if name is not None:
                seen.add(name)


# -- what a schema cannot say ----------------------------------------------------------------------------------

# Each line of an answer is a kind of content; keys of different lines do not go together.
_SAID = ("text", "json", "tool", "reasoning", "citations")
_KINDS = {
    **dict.fromkeys(_SAID, "a message"),
    "blocks": "blocks",
    "guardrail": "a guardrail's intervention",
    "embedding": "embeddings",
    "image": "images",
    "ranking": "a ranking",
    "error": "an error",
    "raw": "a raw body",
}
_BELONGS = {
    "stop_reason": ("a message", "blocks"),
    "stop_sequence": ("a message", "blocks"),
    "usage": ("a message", "blocks", "embeddings", "a guardrail's intervention"),
    "dimension": ("embeddings",),
    "message": ("an error",),
    "status": ("an error",),
    "members": ("an error",),
    "retry_after_ms": ("an error",),
}


def _rule_wrong(rule: JsonObject, path: Path) -> Iterator[Wrong]:
    yield from _when_wrong(rule, path)
    if "answer" in rule:
        yield from _answer_wrong(rule["answer"], (*path, "answer"))
    for number, answer in enumerate(rule.get("answers", [])):
        yield from _answer_wrong(answer, (*path, "answers", number))
    if "family" in rule:
        try:
            family_of("InvokeModel", "", rule["family"])
        except Cannot as error:
            yield Wrong((*path, "family"), "a family that is known", repr(rule["family"]), str(error))


def _when_wrong(layer: JsonObject, path: Path) -> Iterator[Wrong]:
    for told in layer.get("when", {}).get("json_path", {}):
        try:
            parts(told)
        except ValueError as error:
            yield Wrong((*path, "when", "json_path", told), "a JSON path", str(error))


def _answer_wrong(answer: JsonObject, path: Path) -> Iterator[Wrong]:
    kinds = list(dict.fromkeys(_KINDS[key] for key in answer if key in _KINDS))
    if len(kinds) != 1 and not (not kinds and set(answer) <= {"usage"}):
        keys = ", ".join(key for key in answer if key in _KINDS) or "none of them"
        yield Wrong(path, f"one kind of answer ({', '.join(dict.fromkeys(_KINDS))})", keys)
        return
    for key in answer:
        if key in _BELONGS and kinds and kinds[0] not in _BELONGS[key]:
            yield Wrong((*path, key), f"{key} only with {' or '.join(_BELONGS[key])}", f"it with {kinds[0]}")
    if "text" in answer and "json" in answer:
        yield Wrong(path, "text or json", "both")
    for kind in ("error", "raw"):
        if kind in answer:
            try:
                _given(answer)
            except ValueError as error:
                yield Wrong((*path, kind), f"{_KINDS[kind]} that can be", str(error))
    for number, block in enumerate(answer.get("blocks", [])):
        yield from _block_wrong(block, (*path, "blocks", number))


def _block_wrong(block: JsonObject, path: Path) -> Iterator[Wrong]:
    kinds = [key for key in ("text", "reasoning", "tool", "image") if key in block]
    if len(kinds) != 1:
        yield Wrong(path, "exactly one of text, reasoning, tool, image", ", ".join(kinds) or "none of them")
    if "citations" in block and "text" not in block:
        yield Wrong((*path, "citations"), "citations of a text", "no text")
    if "format" in block and "image" not in block:
        yield Wrong((*path, "format"), "the format of an image", "no image")


def _fault_wrong(fault: JsonObject, path: Path) -> Iterator[Wrong]:
    yield from _when_wrong(fault, path)
    kind = next(name for name in KINDS if name in fault)
    try:
        harm = KINDS[kind].make(fault)
    except ValueError as error:
        yield Wrong((*path, kind), "a fault that can be", str(error))
        return
    if problem := harm.problem(_operations(fault.get("when", {}))):
        yield Wrong((*path, kind), "a fault that can happen to these calls", problem)
    for key in BESIDE_ERROR:
        if key in fault and kind != "error":
            yield Wrong((*path, key), f"{key} beside error only", f"it beside {kind}")


# -- layers ----------------------------------------------------------------------------------------------------


def _rule(value: JsonObject, name: str) -> Rule:
    answers = tuple(map(_given, value.get("answers") or [value["answer"]]))
    return Rule(name, answers, _when(value), _schedule(value), value.get("family"), value)


def _fault(value: JsonObject, name: str) -> Fault:
    kind = next(kind for kind in KINDS if kind in value)
    return Fault(name, KINDS[kind].make(value), _when(value), _schedule(value), value)


def _schedule(value: JsonObject) -> Schedule:
    return Schedule(**{key: value[key] for key in SCHEDULE if key in value})


def _operations(when: JsonObject) -> tuple[str, ...]:
    named = when.get("operation", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _when(value: JsonObject) -> When:
    when = value.get("when", {})
    header = {name.lower(): glob for name, glob in when.get("header", {}).items()}
    return When(**{**when, "operation": _operations(when), "header": header})


# -- answers ---------------------------------------------------------------------------------------------------


def _given(answer: JsonObject) -> Given:
    match answer:
        case {"error": error}:
            members = {key: answer[key] for key in ("message", "status", "members", "retry_after_ms") if key in answer}
            return Failure(error, **members)
        case {"raw": raw}:
            return _raw(raw)
        case {"embedding": given}:
            return Embeddings(_vectors(given), answer.get("dimension"), _usage(answer))
        case {"image": given}:
            return Images(
                None if given == "auto" else tuple(map(b64decode, [given] if isinstance(given, str) else given))
            )
        case {"ranking": given}:
            return Ranking(None if given == "auto" else tuple((one["index"], float(one["score"])) for one in given))
        case {"guardrail": text}:
            return Message((Text(text),), "guardrail_intervened", usage=_usage(answer))
    blocks = tuple(map(_block, answer["blocks"])) if "blocks" in answer else tuple(_said(answer))
    calls = any(isinstance(block, ToolUse) for block in blocks)
    stop = answer.get("stop_reason") or (
        "tool_use" if calls else "stop_sequence" if "stop_sequence" in answer else "end_turn"
    )
    return Message(blocks, stop, answer.get("stop_sequence"), _usage(answer))


def _said(answer: JsonObject) -> Iterator[Block]:
    if "reasoning" in answer:
        yield _reasoning(answer["reasoning"])
    if "json" in answer:
        yield Text(compact(answer["json"]).decode())
    if "text" in answer:
        yield _text(answer)
    tools = answer.get("tool", [])
    for tool in [tools] if isinstance(tools, dict) else tools:
        yield _tool(tool)


def _block(block: JsonObject) -> Block:
    if "reasoning" in block:
        return _reasoning(block["reasoning"])
    if "tool" in block:
        return _tool(block["tool"])
    if "image" in block:
        return Image(b64decode(block["image"]), block.get("format", "png"))
    return _text(block)


def _text(answer: JsonObject) -> Block:
    citations = answer.get("citations")
    if not citations:
        return Text(answer["text"])
    return Cited(answer["text"], tuple(Citation(c["source"], c.get("title"), c.get("location")) for c in citations))


def _tool(tool: JsonObject) -> ToolUse:
    return ToolUse(tool["name"], tool.get("input", {}), tool.get("id"))


def _reasoning(given: str | JsonObject) -> Reasoning:
    if isinstance(given, str):
        return Reasoning(given)
    redacted = given.get("redacted")
    return Reasoning(given.get("text", ""), given.get("signature"), None if redacted is None else b64decode(redacted))


def _usage(answer: JsonObject) -> Usage | None:
    usage = answer.get("usage")
    return None if usage is None else Usage(**{"input": 0, "output": 0, **usage})


def _vectors(given: str | list[Any]) -> tuple[tuple[float, ...], ...] | None:
    if isinstance(given, str):
        return None
    rows = given if isinstance(given[0], list) else [given]
    return tuple(tuple(map(float, row)) for row in rows)


def _raw(raw: JsonObject) -> Raw:
    headers = tuple(raw.get("headers", {}).items())
    status = raw.get("status", 200)
    match raw:
        case {"chunks": chunks}:
            return Raw(chunks=tuple(chunks), status=status, headers=headers)
        case {"events": events}:
            if odd := [event for event in events if len(event) != 1]:
                raise ValueError(f"expected each event as {{type: payload}}, found {len(odd[0])} types in one")
            named = tuple(next(iter(event.items())) for event in events)
            return Raw(events=named, status=status, headers=headers)
        case {"text": text}:
            return Raw(text.encode(), status=status, headers=headers)
        case {"base64": data}:
            return Raw(b64decode(data), status=status, headers=headers)
    return Raw(compact(raw["json"]), status=status, headers=headers)
