"""The features that an overlay simulates, and how they act on a call and on its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.family import JsonObject, RenderError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.families.text_slots import slots
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Events, Response
from bedtape_cassettes.operations import SERVER_SENT
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.simulation.caching import Caching
from bedtape_replayer.overlay.simulation.context import Chance, Context, Feature
from bedtape_replayer.overlay.simulation.guardrails import feature as guardrails
from bedtape_replayer.overlay.simulation.limits import Limits
from bedtape_replayer.overlay.simulation.quotas import Quotas
from bedtape_replayer.overlay.simulation.service_tiers import ServiceTiers
from bedtape_replayer.overlay.simulation.structured_output import StructuredOutput

_MODELS = frozenset(
    ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream", *SERVER_SENT)
)


class Effect(NamedTuple):
    """notes: what was simulated, in words. error: Bedrock's name of the error in the response."""

    response: Response
    notes: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """The simulated features, in the order in which they act.

    document: the key `simulate`, as JSON.
    """

    features: tuple[Feature, ...] = ()
    document: JsonObject = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.features)

    def answers(self, operation: str | None) -> bool:
        """Whether a feature answers the operation, in place of rules and recordings."""
        return operation in guardrails.OPERATIONS and any(map(_is_guardrails, self.features))

    def refuse(self, context: Context) -> Effect | None:
        """Return the answer of the service if it does not give the request to a model."""
        operation, features = context.call.operation, self.features
        if operation not in _MODELS:
            if not self.answers(operation):
                return None
            features = tuple(filter(_is_guardrails, features))
        for feature in features:
            if (response := feature.refuse(context)) is not None:
                if context.error is None:  # an answer in place of the model's
                    self._accept(features, context, blocked=True)
                return Effect(response, tuple(context.notes), context.error)
        return None

    def accept(self, context: Context) -> None:
        """Count a request that is not refused."""
        if context.call.operation in _MODELS:
            self._accept(self.features, context)

    @staticmethod
    def _accept(features: Sequence[Feature], context: Context, *, blocked: bool = False) -> None:
        for feature in features:
            feature.accept(context, blocked=blocked)

    def change(
        self, context: Context, response: Response, seed: bytes, family: str | None = None
    ) -> Effect | None:
        """Return the answer as the service sends it; None if no feature changes it.

        Raises Mismatch if a rule's answer does not match the schema of the request.

        seed: of the ids of a new answer. family: the model family, if the model
        id does not determine it.
        """
        call = context.call
        if call.operation not in _MODELS or response.status != 200 or response.ends is not None:
            return None
        message = content_of(call.operation, call.model, response, family=family)
        if not isinstance(message, Message):
            return None
        changed = message = replace(message, pieces=_list_deltas(call, response, family))
        for feature in self.features:
            changed = feature.change(changed, context)
        if changed == message:
            return Effect(response, tuple(context.notes)) if context.notes else None
        try:
            rendered = _render(changed, call, response, seed, family)
            return Effect(rendered, tuple(context.notes))
        except RenderError as error:
            return Effect(response, (f"not simulated: {error}",))


def _is_guardrails(feature: Feature) -> bool:
    return isinstance(feature, guardrails.Guardrails)


def _list_deltas(call: Call, response: Response, family: str | None) -> tuple[str, ...]:
    """The deltas of a stream's text; nothing for a whole answer."""
    if not isinstance(response.body, Events):
        return ()
    members = members_of(call.operation, call.model, family)
    return tuple(slot.text for slot in slots(read_values(response.body), members))


def _render(
    message: Message, call: Call, response: Response, seed: bytes, family: str | None
) -> Response:
    """Render a changed answer. It keeps the deltas and times of the answer before."""
    chance = Chance(seed)
    if isinstance(response.body, Events):
        own = "".join(message.pieces) == message.text
        chance.pieces = message.pieces if own else ()
    rendered = render(
        message,
        operation=call.operation or "",
        model=call.model,
        body=call.body,
        chance=chance,
        family=family,
        service=call.service,
        header=call.head.get,
    )
    body = rendered.body
    if isinstance(body, Events) and isinstance(response.body, Events):
        times = [event.at_ms for event in response.body.events] or [0]
        times += [times[-1]] * len(body.events)
        events = [
            replace(event, at_ms=at_ms) for event, at_ms in zip(body.events, times, strict=False)
        ]
        body = Events.of(events, padded=body.padded)
    return replace(rendered, body=body, after_ms=response.after_ms)


# -- reading ---------------------------------------------------------------------------------------

# The features by their key, in the order in which they act.
_MAKERS: Mapping[str, Callable[..., Feature]] = {
    "structured_output": StructuredOutput,
    "service_tiers": ServiceTiers,
    "caching": Caching,
    "limits": Limits,
    "quotas": Quotas,
    "guardrails": guardrails.Guardrails,
}
# The features that need no options.
_NAMES = ("caching", "guardrails", "limits", "service_tiers", "structured_output")
NO_FEATURES = Features()


def parse_features(document: Mapping[str, Any]) -> Features:
    """Read the key `simulate`, which must match the schema."""
    made = (
        make(**(value if isinstance(value, dict) else {}))
        for name, make in _MAKERS.items()
        if (value := document.get(name, False)) is not False
    )
    return Features(tuple(made), dict(document))


def parse_names(names: Sequence[str]) -> Features:
    """Return the features with these names and the values of the real service.

    Raises ValueError for another name.
    """
    if unknown := [name for name in names if name not in _NAMES]:
        raise ValueError(f"expected simulate to name {' or '.join(_NAMES)}, found {unknown[0]!r}")
    return parse_features(dict.fromkeys(map(str, names), True))


def merge_features(base: Features, over: Features) -> Features:
    """Return the features of both.

    A feature of `over`, which may be false, replaces the feature of `base`.
    """
    return parse_features({**base.document, **over.document}) if over.document else base
