"""How many tokens an answer says that it took, whatever its family calls them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Interaction, JsonValue

__all__ = ["Tokens", "tokens_of"]

Tokens = tuple[int, int]

_HEADERS = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")
_NAMES = (
    {"inputTokens", "input_tokens", "prompt_tokens", "inputTokenCount", "inputTextTokenCount", "prompt_token_count"},
    {"outputTokens", "output_tokens", "completion_tokens", "outputTokenCount", "generation_token_count", "tokenCount"},
)


def tokens_of(interaction: Interaction) -> Tokens:
    """Input and output tokens; 0 where the answer does not say. Running counts of a stream are its last."""
    named = {name.lower(): value for name, value in interaction.response.headers}
    if any(name in named for name in _HEADERS):
        return _number(named.get(_HEADERS[0])), _number(named.get(_HEADERS[1]))
    asked, answered = (max(_said(_values(interaction), names), default=0) for names in _NAMES)
    return asked, answered


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _values(interaction: Interaction) -> list[JsonValue]:
    body = interaction.response.body
    if isinstance(body, Body):
        return [bodies.value_of(body.form, body.data)]
    return [bodies.value_of(event.form, event.payload) for event in body.events]


def _said(value: JsonValue, names: set[str]) -> Iterator[int]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in names and isinstance(item, int):
                yield item
            else:
                yield from _said(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _said(item, names)
