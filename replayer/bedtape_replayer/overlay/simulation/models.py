"""What models allow: context window, output, prompt caches, service tiers and quotas. Data only.

Compared on 2026-11-30 with the first source that has a figure: recordings and error texts of
Bedrock, then the model cards of AWS's user guide
(docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html), of which four were seen (Opus 4.6,
Opus 4.8, Sonnet 4, Nova Premier), then platform.claude.com/docs/en/models and quotations of cards
elsewhere. They disagree in three rows, which say so. A Claude model that no row names is newer than
the table and has the figures of the last row of Claude; another model that no row names has no
limits. An overlay can set them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """context, output: tokens, None if unknown. grows: whether the model begins an answer
    that may exceed the context.

    A model that does not grow refuses a request whose prompt and max_tokens
    together exceed the context.
    """

    context: int | None = None
    output: int | None = None
    grows: bool = False


# The first glob that matches the model id decides.
_LIMITS: tuple[tuple[str, ModelLimits], ...] = (
    ("*claude-3-haiku*", ModelLimits(200_000, 4_096)),
    ("*claude-3-sonnet*", ModelLimits(200_000, 4_096)),
    ("*claude-3-opus*", ModelLimits(200_000, 4_096)),
    ("*claude-3-5-*", ModelLimits(200_000, 8_192)),
    ("*claude-3-7-sonnet*", ModelLimits(200_000, 64_000)),
    ("*claude-sonnet-4-2*", ModelLimits(200_000, 64_000)),
    ("*claude-opus-4-2*", ModelLimits(200_000, 32_000)),
    ("*claude-opus-4-1*", ModelLimits(200_000, 32_000)),
    ("*claude-*-4-5*", ModelLimits(200_000, 64_000, grows=True)),
    ("*claude-v2:1*", ModelLimits(200_000, 4_096)),
    ("*claude-v2*", ModelLimits(100_000, 4_096)),
    ("*claude-instant*", ModelLimits(100_000, 4_096)),
    # Opus 4.6 to 4.8, Sonnet 4.6, and all models of version 5 that have a page.
    ("*claude-*", ModelLimits(1_000_000, 128_000, grows=True)),
    # The cards of Nova Micro, Lite and Pro say 5K. The service's error says 10,000.
    ("*nova-micro*", ModelLimits(128_000, 10_000)),
    ("*nova-lite*", ModelLimits(300_000, 10_000)),
    ("*nova-pro*", ModelLimits(300_000, 10_000)),
    ("*nova-premier*", ModelLimits(1_000_000, 25_000)),
    ("*nova-2-lite*", ModelLimits(1_000_000, 65_535)),
    ("*titan-text-lite*", ModelLimits(4_096, 4_096)),
    ("*titan-text-express*", ModelLimits(8_192, 8_192)),
    ("*titan-text-premier*", ModelLimits(32_000, 3_072)),
)
_UNKNOWN = ModelLimits()


@dataclass(frozen=True, slots=True)
class ModelCache:
    """minimum: the fewest tokens of a cached prefix; None for a model without prompt caching.

    tools: whether prefixes contain the tools. automatic: whether prefixes
    without a mark are cached.
    """

    minimum: int | None = None
    tools: bool = True
    automatic: bool = False


_CACHES: tuple[tuple[str, ModelCache], ...] = (
    # Anthropic's page. A card of these models was not found.
    *(
        (f"*claude-{name}-5{end}", ModelCache(512))
        for name in ("fable", "mythos", "opus")
        for end in ("", "-v*")
    ),
    ("*claude-haiku-4-5*", ModelCache(4_096)),
    # Anthropic's page has 1,024 for Opus 4.8. The card has 4,096.
    ("*claude-opus-4-[5678]*", ModelCache(4_096)),
    ("*claude-3-5-haiku*", ModelCache(2_048)),
    ("*claude-3-5-sonnet-20241022*", ModelCache(1_024)),
    ("*claude-3-7-sonnet*", ModelCache(1_024)),
    ("*claude-opus-4*", ModelCache(1_024)),
    # The card of Sonnet 4.5 says 4,096. Bedrock wrote a recorded cache of 1,322 tokens.
    ("*claude-sonnet-4*", ModelCache(1_024)),
    ("*claude-[a-z]*-[5-9]*", ModelCache(1_024)),
    ("*amazon.nova-*", ModelCache(1_000, tools=False)),
    ("*openai.gpt-5*", ModelCache(1_024, automatic=True)),
)
_NO_CACHE = ModelCache()


@lru_cache(maxsize=1024)
def find_cache(model: str) -> ModelCache:
    """Return the prompt caching of a model id, which may be an ARN."""
    return next((cache for glob, cache in _CACHES if fnmatchcase(model, glob)), _NO_CACHE)


@lru_cache(maxsize=1024)
def find_limits(model: str) -> ModelLimits:
    """Return the limits of a model id, which may have an inference profile and may be an ARN."""
    return next((limits for glob, limits in _LIMITS if fnmatchcase(model, glob)), _UNKNOWN)


# The tokens of a quota that one output token takes at the end of a request. Source: docs.aws.amazon
# .com/bedrock/latest/userguide/quotas-token-burndown.html, as its readers quote it: five for Claude
# 3.7 and later, one for all others. Newer models may have higher rates, which were not found.
_RATES = (("*claude-3-7-*", 5), ("*claude-[a-z]*-[4-9]*", 5))

# The models that refuse the service tiers flex and priority. Sources: cards, and errors that users
# of the models report. Other models accept them here.
_DEFAULT_TIER_MODELS = (
    "*claude*",
    "*amazon.nova-lite*",
    "*amazon.nova-micro*",
    "*xai.grok*",
    "*openai.gpt-5*",
)


@lru_cache(maxsize=1024)
def find_output_rate(model: str) -> int:
    """Return the tokens of a quota that an output token of the model takes."""
    return next((rate for glob, rate in _RATES if fnmatchcase(model, glob)), 1)


@lru_cache(maxsize=1024)
def has_tiers(model: str) -> bool:
    """Return whether the model accepts the service tiers flex and priority."""
    return not any(fnmatchcase(model, glob) for glob in _DEFAULT_TIER_MODELS)
