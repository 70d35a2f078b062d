"""What models allow: the context window and the output. Data only.

Sources: figures that AWS's user guide and Anthropic's overview of models publish. They were not
compared row by row with the pages. A model that no row names has no limits, and an overlay can set
them.
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


# The first glob that matches the model id without inference profile, version and ARN decides.
_LIMITS: tuple[tuple[str, ModelLimits], ...] = (
    ("*claude-3-haiku*", ModelLimits(200_000, 4_096)),
    ("*claude-3-sonnet*", ModelLimits(200_000, 4_096)),
    ("*claude-3-opus*", ModelLimits(200_000, 4_096)),
    ("*claude-3-5-*", ModelLimits(200_000, 8_192)),
    ("*claude-3-7-sonnet*", ModelLimits(200_000, 64_000)),
    ("*claude-sonnet-4-2*", ModelLimits(200_000, 64_000)),
    ("*claude-opus-4-2*", ModelLimits(200_000, 32_000)),
    ("*claude-opus-4-1*", ModelLimits(200_000, 32_000)),
    ("*claude-sonnet-4-5*", ModelLimits(200_000, 64_000, grows=True)),
    ("*claude-haiku-4-5*", ModelLimits(200_000, 64_000, grows=True)),
    ("*claude-opus-4-5*", ModelLimits(200_000, 64_000, grows=True)),
    # Claude from 4.5 on: the published figures of newer models are not in this table
    ("*claude-[a-z]*-4-[6-9]*", ModelLimits(grows=True)),
    ("*claude-[a-z]*-[5-9]*", ModelLimits(grows=True)),
    ("*claude-v2*", ModelLimits(200_000, 4_096)),
    ("*claude-instant*", ModelLimits(100_000, 4_096)),
    ("*nova-micro*", ModelLimits(128_000, 10_000)),
    ("*nova-lite*", ModelLimits(300_000, 10_000)),
    ("*nova-pro*", ModelLimits(300_000, 10_000)),
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


# Sources: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html; for models that the
# page does not name yet, platform.claude.com/docs and
# docs.litellm.ai/docs/completion/prompt_caching.
_CACHES: tuple[tuple[str, ModelCache], ...] = (
    ("*claude-opus-5*", ModelCache(512)),
    ("*claude-haiku-4-5*", ModelCache(4_096)),
    ("*claude-opus-4-[567]*", ModelCache(4_096)),
    ("*claude-3-5-haiku*", ModelCache(2_048)),
    ("*claude-3-5-sonnet-20241022*", ModelCache(1_024)),
    ("*claude-3-7-sonnet*", ModelCache(1_024)),
    ("*claude-sonnet-[45]*", ModelCache(1_024)),
    ("*claude-opus-4*", ModelCache(1_024)),
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
