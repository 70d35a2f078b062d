"""Generates parts of answers: deltas, ids, token counts and latencies."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import shake_128
from random import Random

from bedtape_cassettes.families.content import Message, Prompt, Reasoning, ToolUse, Usage, tokens
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.text import format_uuid

# About as many pieces as the longest answers of models have.
MOST_DELTAS = 4096
HEX = "0123456789abcdef"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class IdSlots(Random):
    """Random numbers for an answer whose ids are filled in later, because ids depend on more
    than the rest of the answer.

    slots: the length and the alphabet of each id, in order. An id without an alphabet is a UUID.
    pieces: the chosen deltas of the text.
    """

    pieces: tuple[str, ...] = ()

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.slots: list[tuple[int, str]] = []

    def reserve(self, length: int, alphabet: str = "") -> str:
        """Return the text that stands for the next id."""
        self.slots.append((length, alphabet))
        return _SLOT % (len(self.slots) - 1)


# No other text contains these digits, which are of a random UUID.
_SLOT = "b55c5ba0-2f5f-4b4c-9f32-0a5f5d0b9d6e-%d-"
_SLOTS = re.compile(_SLOT.replace("%d", "([0-9]+)").encode())


def fill_slots(text: bytes, slots: Sequence[tuple[int, str]], seed: bytes) -> bytes:
    """Replace what stands for ids in the text of an answer."""
    ids = make_ids(slots, seed)
    return _SLOTS.sub(lambda slot: ids[int(slot[1])], text)


def make_ids(slots: Sequence[tuple[int, str]], seed: bytes) -> list[bytes]:
    """Return the ids of an answer.

    They depend on the seed and on their number, and have one length for every seed.
    """
    ids = []
    for number, (length, alphabet) in enumerate(slots):
        digest = shake_128(b"%b/%d" % (seed, number)).digest(length)
        ids.append(digest.translate(_table(alphabet)) if alphabet else format_uuid(digest).encode())
    return ids


@lru_cache(maxsize=16)
def _table(alphabet: str) -> bytes:
    """The table that maps each byte to a character."""
    return (alphabet * (256 // len(alphabet) + 1))[:256].encode()


def identifier(chance: Random, length: int, alphabet: str = ALPHABET) -> str:
    """An id of `length` random characters of the alphabet."""
    return (
        chance.reserve(length, alphabet)
        if isinstance(chance, IdSlots)
        else letters(chance, length, alphabet)
    )


def letters(chance: Random, length: int, alphabet: str = ALPHABET) -> str:
    """`length` random characters of the alphabet that identify nothing."""
    return "".join(chance.choices(alphabet, k=length))


def deltas(text: str, chance: Random, least: int, most: int) -> Iterator[str]:
    """Split the text into pieces of `least` to `most` characters. An empty text has no piece.

    A text that is longer than `least` has at least two pieces: one piece would not test how a
    client joins them. A very long text has longer pieces, because rendering a million pieces would
    block the server for a minute. If the answer has chosen deltas of this text, these are the
    pieces.
    """
    if (chosen := getattr(chance, "pieces", ())) and "".join(chosen) == text:
        yield from chosen
        return
    at, most = 0, min(most, max(least, len(text) // 2))
    longer = max(1, 2 * len(text) // ((least + most) * MOST_DELTAS))
    least, most = longer * least, longer * most
    while at < len(text):
        size = chance.randint(least, most)
        yield text[at : at + size]
        at += size


def json_text(value: JsonValue) -> str:
    """A tool's arguments as models write them."""
    return compact(value).decode()


def usage_of(message: Message, prompt: Prompt) -> Usage:
    """The message's usage, or an estimate. A guardrail that blocked the request costs no tokens."""
    if message.usage is not None:
        return message.usage
    if message.stop == "guardrail_intervened":
        return Usage(0, 0)
    return Usage(max(1, prompt.tokens), max(1, sum(map(_block_tokens, message.blocks))))


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


def base64_text(data: bytes) -> str:
    """Encode bytes as base64 for a JSON member."""
    return b64encode(data).decode()
