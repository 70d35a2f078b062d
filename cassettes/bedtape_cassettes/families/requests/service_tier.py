"""The service tier and the latency that a request asks for, and how an answer repeats them.

InvokeModel has them in headers, Converse in members, and the APIs of OpenAI and Anthropic have the
tier in a member. Converse was seen to repeat both; the headers of InvokeModel are in botocore's
model of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access

_TIER_HEADER = "x-amzn-bedrock-service-tier"
_LATENCY_HEADER = "x-amzn-bedrock-performanceconfig-latency"
# The words of OpenAI and Anthropic with which the service chooses the tier.
_AUTOMATIC = ("", "auto", "standard_only")


def read_service_tier(body: JsonObject, header: Callable[[str], str | None]) -> str:
    """Return the tier of a request: `default` if it names none, or any text that it has.

    header: returns the value of a header by its lower-case name.
    """
    return (
        header(_TIER_HEADER) or json_access.text(body, "serviceTier", "type") or resolve_tier(body)
    )


def resolve_tier(body: JsonObject) -> str:
    """Return the tier that an answer of OpenAI's APIs names: `default` if the service chooses."""
    tier = json_access.text(body, "service_tier")
    return "default" if tier in _AUTOMATIC else tier


def render_tier_headers(header: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    """Yield the headers of InvokeModel's answer that repeat those of the request."""
    for name in (_LATENCY_HEADER, _TIER_HEADER):
        if value := header(name):
            yield name, value
