"""Generates parts of answers: deltas, ids, token counts, latencies and vectors."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator
from hashlib import blake2b
from random import Random

from bedtape_cassettes.families.content import Message, Prompt, Reasoning, ToolUse, Usage
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"
# English prose has about four characters per token in the tokenizers of Bedrock's models.
_CHARACTERS_A_TOKEN = 4


def identifier(chance: Random, length: int, alphabet: str = ALPHABET) -> str:
    """`length` random characters of the alphabet."""
    return "".join(chance.choices(alphabet, k=length))


def deltas(text: str, chance: Random, least: int, most: int) -> Iterator[str]:
    """Split the text into pieces of `least` to `most` characters. An empty text has no piece.

    A text that is longer than `least` has at least two pieces: one piece would not test how a client joins them.
    """
    at, most = 0, min(most, max(least, len(text) // 2))
    while at < len(text):
        size = chance.randint(least, most)
        yield text[at : at + size]
        at += size


def json_text(value: JsonValue) -> str:
    """A tool's arguments as models write them."""
    return compact(value).decode()


def tokens(text: str) -> int:
    """Estimate the number of tokens. An empty text has 0 tokens."""
    return math.ceil(len(text) / _CHARACTERS_A_TOKEN)


def usage_of(message: Message, prompt: Prompt) -> Usage:
    """The message's usage, or an estimate. A guardrail that blocked the request costs no tokens."""
    if message.usage is not None:
        return message.usage
    if message.stop == "guardrail_intervened":
        return Usage(0, 0)
    return Usage(max(1, tokens(prompt.text)), max(1, sum(map(_block_tokens, message.blocks))))


def _block_tokens(block: object) -> int:
    match block:
        case ToolUse(name=name, input=value):
            return tokens(name + json_text(value))
        case Reasoning(text=text):
            return tokens(text)
    return tokens(getattr(block, "text", ""))


def latency(chance: Random, output_tokens: int) -> int:
    """A plausible time in milliseconds for this number of tokens."""
    return 200 + chance.randint(0, 200) + 10 * output_tokens


def vector(text: str, dimension: int) -> tuple[float, ...]:
    """A unit vector that depends on the text alone, so that equal texts get equal vectors.

    Numbers have 7 digits (single precision), as in real answers.
    """
    chance = Random(blake2b(text.encode(), digest_size=16).digest())  # noqa: S311 - not a secret
    raw = [chance.gauss(0.0, 1.0) for _ in range(dimension)]
    length = math.sqrt(sum(number * number for number in raw)) or 1.0
    return tuple(float(f"{number / length:.7g}") for number in raw)


def base64_text(data: bytes) -> str:
    """Encode bytes as base64 for a JSON member."""
    return b64encode(data).decode()
