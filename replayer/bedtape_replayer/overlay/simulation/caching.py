"""Prompt caches: which tokens of a request are read from a cache, and which are written to one.

Sources: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html (order of tools, system
and messages, minimum tokens, lifetimes, at most four marks), platform.claude.com/docs, "Prompt
caching" (a mark also finds the caches that end at one of the 20 blocks before it; a read renews the
lifetime), and developers.openai.com, "Prompt caching" (automatic prefixes from 1,024 tokens on, in
steps of 128 tokens).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import accumulate

from bedtape_cassettes.families.content import Message, Usage
from bedtape_cassettes.families.requests.prompt_parts import Part
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_replayer.overlay.simulation.context import Context, Feature
from bedtape_replayer.overlay.simulation.models import find_cache

_LIFETIMES = {"5m": 300.0, "1h": 3600.0}
# OpenAI's caches live from 5 to 10 minutes without use. The shorter time is simulated.
_AUTOMATIC_LIFETIME = 300.0
_BLOCKS_BACK, _MARKS, _STEP = 20, 4, 128


@dataclass(frozen=True, slots=True)
class Caching(Feature):
    """minimum_tokens: of a cached prefix; None for the value of the model. automatic: whether
    prefixes without a mark are cached; None for the models that do so.
    """

    minimum_tokens: int | None = None
    automatic: bool | None = None

    def change(self, message: Message, context: Context) -> Message:
        """Return the message with the tokens that a cache gave or got, if the request uses one."""
        if message.stop == "guardrail_intervened":
            return message
        model = find_cache(context.model)
        automatic = model.automatic if self.automatic is None else self.automatic
        minimum = self.minimum_tokens or model.minimum
        parts = [part for part in context.parts if part.group != "tools" or model.tools]
        marks = [number for number, part in enumerate(parts) if part.lifetime is not None][-_MARKS:]
        if minimum is None or not (marks or automatic):
            return message
        usage = usage_of(message, context.prompt)
        if usage.total_input == max(1, context.prompt.tokens):  # an estimate, without the tools
            usage = replace(usage, input=context.input_tokens)
        ends = _count_ends(parts, sum(part.characters for part in context.parts), usage)
        if marks:
            read, written = _use_marks(parts, marks, ends, minimum, context)
        else:
            read, written = _use_prefix(parts, ends, minimum, context), 0
        # An answer that counts cached tokens and is read from or written to the cache in the
        # same way stays as it is.
        cached = usage.cache_read + usage.cache_write
        if cached and marks and not (read and written):
            read, written = cached * bool(read), cached * bool(written)
        if (read, written) == (usage.cache_read, usage.cache_write):
            return message
        note = f"caching: read {read} tokens, wrote {written}"
        context.notes.append(note if read or written else "caching: nothing read or written")
        left = max(0, usage.total_input - read - written)
        return replace(
            message, usage=replace(usage, input=left, cache_read=read, cache_write=written)
        )


def _count_ends(parts: Sequence[Part], characters: int, usage: Usage) -> list[int]:
    """Return the tokens up to the end of each part: its share of the request's characters."""
    total = max(usage.total_input, 1)
    return [
        total * end // max(1, characters) for end in accumulate(part.characters for part in parts)
    ]


def _use_marks(
    parts: Sequence[Part], marks: Sequence[int], ends: Sequence[int], minimum: int, context: Context
) -> tuple[int, int]:
    """Return the tokens that are read and written at marks, and keep the caches."""
    caches, now = context.caches, context.now
    keys = _list_keys(parts, context.model)
    hits = [
        number
        for mark in marks
        for number in range(mark, max(-1, mark - _BLOCKS_BACK - 1), -1)
        if caches.is_alive(keys[number], now)
    ]
    read = end = 0
    if hits:
        read = ends[max(hits)]
        caches.renew(keys[max(hits)], now)
    for mark in marks:
        if ends[mark] >= minimum:
            end = max(end, ends[mark])
            caches.keep(keys[mark], now, _LIFETIMES.get(parts[mark].lifetime or "5m", 300.0))
    return read, max(0, end - read)


def _use_prefix(parts: Sequence[Part], ends: Sequence[int], minimum: int, context: Context) -> int:
    """Return the tokens that are read from an automatic cache, and keep the request's prefixes."""
    keys, now = _list_keys(parts, context.model), context.now
    hit = max((n for n, key in enumerate(keys) if context.caches.is_alive(key, now)), default=None)
    for key, end in zip(keys, ends, strict=True):
        if end >= minimum:
            context.caches.keep(key, now, _AUTOMATIC_LIFETIME)
    return 0 if hit is None or ends[hit] < minimum else ends[hit] // _STEP * _STEP


def _list_keys(parts: Sequence[Part], model: str) -> list[bytes]:
    """The keys of all beginnings of a request. Models share no cache."""
    digest, keys = blake2b(model.encode(errors="replace"), digest_size=16), []
    for part in parts:
        digest.update(b"%d:" % len(part.text))
        digest.update(part.text)
        keys.append(digest.copy().digest())
    return keys
