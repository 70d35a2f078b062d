"""Quotas of requests and tokens, on the virtual clock.

Sources: docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html (a request reserves
its input tokens and max_tokens; at its end it has used its input, the tokens written to a cache,
and its output times a rate; tokens read from a cache are free), quotas.html (bedrock-runtime and
bedrock-mantle have separate quotas; no quota counts requests since 2026). The texts of the errors
are those that users of the service report. Quotas differ by account, so there are no defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.model import Response
from bedtape_replayer.overlay.simulation.context import Context, Feature
from bedtape_replayer.overlay.simulation.models import find_limits, find_output_rate
from bedtape_replayer.overlay.simulation.state import QuotaKey

_MINUTE, _DAY = 60.0, 86_400.0
_AGAIN = ", please wait before trying again."


@dataclass(frozen=True, slots=True)
class Quotas(Feature):
    """Each model has quotas of its own. None for no limit.

    output_rate: the tokens that one output token uses; None for the rate of the model. models:
    other options for models, by glob; the first glob that matches the model id counts.
    count_blocked: whether a prompt that a guardrail blocks counts as a request.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    output_rate: int | None = None
    models: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    count_blocked: bool = True

    def refuse(self, context: Context) -> Response | None:
        """Return ThrottlingException if a quota is used up."""
        own, key = self._find(context), _make_key(context)
        most = context.prompt.max_tokens
        reserved = find_limits(context.model).output or 0 if most is None else most
        cost = context.input_tokens + reserved
        requests, tokens = context.usage.count(key, context.now, _MINUTE)
        if own.requests_per_minute is not None and requests >= own.requests_per_minute:
            return context.refuse(
                f"Too many requests{_AGAIN}",
                f"quotas: {requests} requests in the last minute, {own.requests_per_minute}"
                " are allowed",
                "ThrottlingException",
            )
        today = context.usage.count(key, context.now, _DAY)[1]
        for used, limit, unit, words in (
            (tokens, own.tokens_per_minute, "minute", ""),
            (today, own.tokens_per_day, "day", " per day"),
        ):
            if limit is not None and used + cost > limit:
                return context.refuse(
                    f"Too many tokens{words}{_AGAIN}",
                    f"quotas: {used} tokens in the last {unit}, and the request reserves {cost};"
                    f" {limit} are allowed",
                    "ThrottlingException",
                )
        return None

    def accept(self, context: Context, *, blocked: bool = False) -> None:
        """Count the request, also one that a guardrail blocks unless the options say otherwise."""
        if not blocked or self._find(context).count_blocked:
            context.usage.add(_make_key(context), context.now, requests=1)

    def change(self, message: Message, context: Context) -> Message:
        """Count the tokens of the answer, and return it as it is."""
        usage = usage_of(message, context.prompt)
        rate = self._find(context).output_rate or find_output_rate(context.model)
        tokens = usage.input + usage.cache_write + usage.output * rate
        context.usage.add(_make_key(context), context.now, tokens=tokens)
        return message

    def _find(self, context: Context) -> Quotas:
        for glob, options in self.models.items():
            if fnmatchcase(context.model, glob):
                return replace(self, **cast(dict[str, Any], options))
        return self


def _make_key(context: Context) -> QuotaKey:
    return context.call.service, context.model
