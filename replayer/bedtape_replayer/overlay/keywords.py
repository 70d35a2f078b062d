"""The keyword arguments of `respond`, `fail` and `fault`, typed: the keys of an overlay document. Types only.

A test holds them against the schema, key by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

__all__ = ["Answering", "Conditions", "Failing", "Faulting", "Responding", "Scheduling"]


class Conditions(TypedDict, total=False):
    """Which calls a layer is about; all that is given must hold. See `When`."""

    operation: str | Sequence[str]
    model: str
    prompt_contains: str
    prompt_regex: str
    prompt_equals: str
    text_contains: str
    text_regex: str
    system_contains: str
    system_regex: str
    tool_offered: str
    tool_result: str
    json_path: Mapping[str, Any]
    turn: int
    attempt: int
    call: int
    header: Mapping[str, str]
    session: str
    access_key: str


class Scheduling(TypedDict, total=False):
    """Which of those calls it takes. See `Schedule`."""

    times: int
    after: int
    every: int
    probability: float


class Answering(TypedDict, total=False):
    """What a rule answers."""

    text: str
    json: Any
    tool: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    reasoning: str | Mapping[str, str]
    citations: Sequence[Mapping[str, Any]]
    blocks: Sequence[Mapping[str, Any]]
    guardrail: str
    embedding: str | Sequence[float] | Sequence[Sequence[float]]
    dimension: int
    image: str | Sequence[str]
    ranking: str | Sequence[Mapping[str, float]]
    error: str
    message: str
    status: int
    members: Mapping[str, Any]
    retry_after_ms: int
    raw: Mapping[str, Any]
    stop_reason: str
    stop_sequence: str
    usage: Mapping[str, int]


class Responding(Conditions, Answering, Scheduling, total=False):
    """All of a rule."""

    answers: Sequence[Mapping[str, Any] | str]
    family: str
    name: str


class Failing(Conditions, Scheduling, total=False):
    """All of a fault that is an error."""

    message: str
    status: int
    members: Mapping[str, Any]
    retry_after_ms: int
    after_events: int
    name: str


class Faulting(Conditions, Scheduling, total=False):
    """All of any other fault: one of its kinds, see the overlay reference."""

    name: str
