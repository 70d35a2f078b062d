"""Quotas by a clock that the test moves."""

import json
from typing import Any

import pytest

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Body, Response
from bedtape_replayer.overlay.faults.base import FaultContext
from bedtape_replayer.overlay.faults.quota import Quota
from support.faulty import call

FOUR_TOKENS = "0123456789abcdef"


class Asker:
    """Asks at times, and remembers as a session does."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.memory: dict[str, object] = {}

    def __call__(self, now: float, text: str = "q", max_tokens: int | None = None) -> int | None:
        """Milliseconds to retry after; None where the call may pass."""
        response = self.ask(now, text, max_tokens)
        return None if response is None else int(dict(response.headers)["x-amz-retry-after"])

    def ask(self, now: float, text: str = "q", max_tokens: int | None = None) -> Response | None:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": text}]}]}
        if max_tokens is not None:
            body["inferenceConfig"] = {"maxTokens": max_tokens}
        return self.quota.build_answer(
            call(body=compact(body)), FaultContext(b"", now, self.memory)
        )


def test_requests_a_minute_are_those_of_the_last_minute() -> None:
    ask = Asker(Quota(requests_per_minute=2))
    assert [ask(0), ask(10), ask(10), ask(59.5)] == [None, None, 50_000, 500]
    assert [ask(60), ask(60), ask(69.9999), ask(70), ask(70)] == [None, 10_000, 1, None, 50_000]


def test_tokens_a_minute_are_prompt_and_max_tokens() -> None:
    ask = Asker(Quota(tokens_per_minute=20))
    assert ask(0, FOUR_TOKENS, 6) is None  # 10
    assert ask(20, FOUR_TOKENS, 6) is None  # 20
    assert ask(30, FOUR_TOKENS) == 30_000  # when the first 10 are free
    assert ask(30, FOUR_TOKENS, 7) == 50_000  # 11 need both
    assert ask(60, FOUR_TOKENS, 6) is None


def test_what_is_refused_takes_nothing() -> None:
    ask = Asker(Quota(requests_per_minute=1))
    assert [ask(0), *(ask(second) for second in range(1, 60, 20)), ask(60)] == [
        None,
        59_000,
        39_000,
        19_000,
        None,
    ]


def test_more_than_a_minute_has_is_never_let_through() -> None:
    ask = Asker(Quota(tokens_per_minute=5))
    assert [ask(0, FOUR_TOKENS, 2), ask(6000, FOUR_TOKENS, 2), ask(6000, FOUR_TOKENS)] == [
        60_000,
        60_000,
        None,
    ]


def test_the_one_that_lasts_longer_is_told() -> None:
    ask = Asker(Quota(requests_per_minute=2, tokens_per_minute=8))
    assert ask(0) is None
    assert ask(10, FOUR_TOKENS, 3) is None
    for text, wait, word in (("q", 40_000, "requests"), (FOUR_TOKENS * 2, 50_000, "tokens")):
        response = ask.ask(20, text)
        assert response is not None
        assert isinstance(response.body, Body)
        assert response.status == 429
        assert dict(response.headers)["x-amz-retry-after"] == str(wait)
        assert json.loads(response.body.data) == {
            "message": f"Too many {word}, please wait before trying again."
        }


@pytest.mark.parametrize("wrong", [{}, {"requests_per_minute": 0}, {"tokens_per_minute": 0}])
def test_what_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Quota(**wrong)
