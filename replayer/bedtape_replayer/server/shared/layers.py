"""The layers and settings of a session as JSON, for the servers that share the session. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.api.fakecloud import Exactly, content
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.values import ValueDamaged
from bedtape_replayer.overlay.document import OverlayInvalid, parse_overlay
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Schedule

# Marks a layer of fakecloud's routes, whose conditions no overlay can express.
_FAKECLOUD: Final = "fakecloud"


def build_document(session: SessionState) -> bytes:
    """Return a session's own layers and settings as JSON: an object with `overlay`, `cassette` and
    `strict`, for `read_document`.
    """
    overlay = dump_overlay(session.layers.own)
    return compact({"overlay": overlay, "cassette": session.cassette, "strict": session.strict})


def dump_overlay(overlay: Overlay) -> JsonObject:
    """Return the layers as the document of an overlay file, but for layers of fakecloud."""
    ids = {} if overlay.ids is None else {"ids": overlay.ids}
    return {
        "bedtape-overlay": 1,
        "seed": overlay.seed,
        "simulate": overlay.features.document,
        "rules": list(_dump_layers(overlay.rules)),
        "faults": list(_dump_layers(overlay.faults)),
        **ids,
    }


def _dump_layers(layers: Iterable[Rule | Fault]) -> Iterator[JsonValue]:
    for layer in layers:
        dumped = _dump_layer(layer)
        yield {**layer.document, "name": layer.id} if dumped is None else {_FAKECLOUD: dumped}


def read_document(session: SessionState, document: bytes) -> None:
    """Give the session the layers and settings of a document of `build_document`.

    Raises ValueDamaged.
    """
    try:
        value: Any = parse(document) if document else {}
        overlay = _read_overlay(value["overlay"]) if document else NOTHING
        session.cassette, session.strict = value.get("cassette"), value.get("strict")
    except (ValueError, LookupError, TypeError, OverlayInvalid) as error:
        raise ValueDamaged(f"expected layers of this version, found {error}") from error
    session.layers.replace_own(overlay)


def _read_overlay(document: dict[str, Any]) -> Overlay:
    kinds = ("rules", "faults")
    own = {kind: [each for each in document[kind] if _FAKECLOUD not in each] for kind in kinds}
    overlay = parse_overlay({**document, **own})
    rules, faults = iter(overlay.rules), iter(overlay.faults)
    return replace(
        overlay,
        rules=tuple(
            _load_rule(each[_FAKECLOUD]) if _FAKECLOUD in each else next(rules)
            for each in document["rules"]
        ),
        faults=tuple(
            _load_fault(each[_FAKECLOUD]) if _FAKECLOUD in each else next(faults)
            for each in document["faults"]
        ),
    )


def _dump_layer(layer: Rule | Fault) -> JsonObject | None:
    """Return a layer of fakecloud's routes as JSON, or `None` for another layer."""
    when = layer.when
    if not isinstance(when, Exactly):
        return None
    conditions = {"model_id": when.model_id, "contains": when.contains, "single": when.single}
    operations = list[JsonValue](when.operation)
    return {
        "name": layer.id,
        "when": {**conditions, "operation": operations},
        "document": layer.document,
    }


def _load_rule(dumped: dict[str, Any]) -> Rule:
    """Return the rule of `_dump_layer`."""
    when, document = _load_when(dumped), dumped["document"]
    text = document["answer"]["text"]
    is_raw = when.operation == ("InvokeModel",)
    given = Raw(text.encode()) if is_raw else content(when.model_id or "", text)
    name: str = dumped["name"]
    return Rule(name, (given,), when, document=document, allows_unoffered_tools=True)


def _load_fault(dumped: dict[str, Any]) -> Fault:
    """Return the fault of `_dump_layer`."""
    document = dumped["document"]
    failure = Failure(document["error"], document["message"], document["status"])
    schedule = Schedule(times=document["times"])
    return Fault(dumped["name"], Refuse(failure), _load_when(dumped), schedule, document)


def _load_when(dumped: dict[str, Any]) -> Exactly:
    conditions = dumped["when"]
    return Exactly(**{**conditions, "operation": tuple(conditions["operation"])})
