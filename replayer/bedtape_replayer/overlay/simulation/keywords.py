"""The types of the keyword arguments of `simulate`. Types only.

Each name is a key of `simulate` in an overlay document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from bedtape_replayer.overlay.simulation.guardrails.keywords import GuardrailsDict
from bedtape_replayer.overlay.simulation.limits import CutTools


class LimitsDict(TypedDict, total=False):
    """The limits of a model. See `Limits`."""

    context_tokens: int
    max_output_tokens: int
    long_prompt: str
    cut_tools: CutTools


class CachingDict(TypedDict, total=False):
    """Prompt caching. See `Caching`."""

    minimum_tokens: int
    automatic: bool


class ModelQuotasDict(TypedDict, total=False):
    """The quotas of a model. See `Quotas`."""

    requests_per_minute: int
    tokens_per_minute: int
    tokens_per_day: int
    output_rate: int


class QuotasDict(ModelQuotasDict, total=False):
    """The quotas of all models and of some models. See `Quotas`."""

    models: Mapping[str, ModelQuotasDict]
    count_blocked: bool


class ServiceTiersDict(TypedDict, total=False):
    """The service tiers of models. See `ServiceTiers`."""

    supported: Sequence[Literal["flex", "priority", "reserved"]]


class StructuredOutputDict(TypedDict, total=False):
    """Answers that match the schema of a request. See `StructuredOutput`."""

    check_answers: bool
    check_schemas: bool


class SimulateDict(TypedDict, total=False):
    """The features of the service to simulate. `True` for the values of the real service."""

    caching: bool | CachingDict
    guardrails: bool | GuardrailsDict
    limits: bool | LimitsDict
    quotas: Literal[False] | QuotasDict
    service_tiers: bool | ServiceTiersDict
    structured_output: bool | StructuredOutputDict
