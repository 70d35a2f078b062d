"""Quotas: requests and tokens a minute, over the last 60 seconds of the session's virtual clock.

A request uses the tokens that Bedrock reserves at its start: the estimated tokens of the prompt
plus max tokens. An answer that is shorter returns no tokens. A refused request uses no tokens.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias, cast

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind, check_minimum
from bedtape_replayer.overlay.faults.error_response import Failure

_SECONDS = 60.0
_REQUESTS = "Too many requests, please wait before trying again."
_TOKENS = "Too many tokens, please wait before trying again."


# The requests of the last minute: time and number of tokens. Of plain types, because servers
# share it.
_Window: TypeAlias = deque[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Quota(FaultKind):
    """Answers with ThrottlingException and x-amz-retry-after while the quota is used up."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    replaces = True

    def __post_init__(self) -> None:
        check_minimum(
            1,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
        )
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError("expected requests or tokens a minute, found neither")

    def build_answer(self, call: Call, context: FaultContext) -> Response | None:
        window = cast(_Window, context.memory.setdefault("window", deque()))
        while window and window[0][0] <= context.now - _SECONDS:
            window.popleft()
        cost = _count_cost(call)
        waits = (
            (self._find_request_time(window), _REQUESTS),
            (self._find_token_time(window, cost), _TOKENS),
        )
        free, message = max(waits, key=lambda wait: wait[0])
        if free <= context.now:
            window.append((context.now, cost))
            return None
        wait = math.ceil((min(free, context.now + _SECONDS) - context.now) * 1000)
        return Failure("ThrottlingException", message, retry_after_ms=wait).build_response(
            call.dialect, call.service
        )

    def _find_request_time(self, window: _Window) -> float:
        """Returns the time from which another request is allowed, minus infinity if allowed now."""
        most = self.requests_per_minute
        return -math.inf if most is None or len(window) < most else window[-most][0] + _SECONDS

    def _find_token_time(self, window: _Window, cost: int) -> float:
        """Returns the time from which the tokens are available; infinity above the whole quota."""
        if self.tokens_per_minute is None:
            return -math.inf
        over = sum(used for _, used in window) + cost - self.tokens_per_minute
        if over <= 0:
            return -math.inf
        for at, cost in window:
            over -= cost
            if over <= 0:
                return at + _SECONDS
        return math.inf


def _count_cost(call: Call) -> int:
    prompt = call.prompt
    return prompt.tokens + (prompt.max_tokens or 0)
