"""Token counts as bodies, streams and headers say them, under every family's names: read, and set. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Usage
from bedtape_cassettes.format.json_values import Place, Plain, at, leaves, with_leaf
from bedtape_cassettes.format.json_view import opened, sealed
from bedtape_cassettes.model import Interaction, JsonValue, Response

__all__ = ["COUNTS", "usage_said", "with_usage"]

# By Converse's names. The members of bodies, chunks and metrics; then the header.
COUNTS: dict[str, tuple[frozenset[str], str]] = {
    "inputTokens": (
        frozenset(
            {
                "inputTokens",
                "input_tokens",
                "prompt_tokens",
                "prompt_token_count",
                "inputTokenCount",
                "inputTextTokenCount",
            }
        ),
        "x-amzn-bedrock-input-token-count",
    ),
    "outputTokens": (
        frozenset(
            {
                "outputTokens",
                "output_tokens",
                "completion_tokens",
                "generation_token_count",
                "outputTokenCount",
                "totalOutputTextTokenCount",
                "tokenCount",
            }
        ),
        "x-amzn-bedrock-output-token-count",
    ),
    "cacheReadInputTokens": (
        frozenset({"cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"}),
        "x-amzn-bedrock-cache-read-input-token-count",
    ),
    "cacheWriteInputTokens": (
        frozenset({"cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens"}),
        "x-amzn-bedrock-cache-write-input-token-count",
    ),
}
_TOTALS = ("totalTokens", "total_tokens")


def _said(response: Response, name: str) -> list[tuple[int, Place, int]]:
    """Every count of that name: in which value, where, how many."""
    members, _ = COUNTS[name]
    return [
        (number, place, int(leaf))
        for number, value in enumerate(opened(response.body))
        for place, leaf in leaves(value)
        if place and place[-1] in members and _is_count(leaf)
    ]


def _is_count(leaf: JsonValue) -> TypeGuard[int | float]:
    """Guardrails turn 28 into 28.0."""
    return isinstance(leaf, int | float) and not isinstance(leaf, bool) and leaf == leaf // 1


def _in_headers(response: Response, name: str) -> int | None:
    header = COUNTS[name][1]
    return next((int(v) for n, v in response.headers if n.lower() == header and v.isdecimal()), None)


def usage_said(response: Response) -> Usage | None:
    """What the response counts in the end; None where it counts no output."""
    found = {}
    for name in COUNTS:
        said = _said(response, name)
        found[name] = said[-1][2] if said else _in_headers(response, name)
    if found["outputTokens"] is None:
        return None
    return Usage(*(found[name] or 0 for name in COUNTS))


def with_usage(interaction: Interaction, name: str, count: int) -> Response:
    """The response with that many of them. Raises CassetteError where it does not count them.

    Input is the same wherever it is said; output grows along a stream, so the last says it all and none before says more.
    """
    response = interaction.response
    said = _said(response, name)
    _, header = COUNTS[name]
    if not said and _in_headers(response, name) is None:
        fix = "set another count, or a member of the body: json:$.path=value"
        raise CassetteError(f"{interaction.file}: expected an answer that counts {name}, found none; {fix}")
    last = {place[-1]: number for number, place, _ in said}
    values = opened(response.body)
    for number, place, old in said:
        final = name != "outputTokens" or last[place[-1]] == number
        new = count if final else min(old, count)
        spelled = float(new) if isinstance(at(values[number], place), float) else new
        values[number] = _totalled(with_leaf(values[number], place, spelled), place, new - old)
    headers = tuple((n, str(count) if n.lower() == header else v) for n, v in response.headers)
    return replace(response, headers=headers, body=sealed(response.body, values))


def _totalled(value: JsonValue | Plain, place: Place, more: int) -> JsonValue | Plain:
    """The total beside a count follows it."""
    for place_of, leaf in list(leaves(value)):
        if place_of[:-1] == place[:-1] and place_of[-1] in _TOTALS and _is_count(leaf):
            value = with_leaf(value, place_of, leaf + more)
    return value
