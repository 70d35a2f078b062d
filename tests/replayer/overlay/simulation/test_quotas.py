"""Quotas of requests and tokens of each model, on the virtual clock."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from bedtape_replayer import Replayer
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.document import OverlayInvalid
from bedtape_replayer.overlay.simulation.state import Usage
from support.five_apis import CLAUDE, FORMS, NOVA, Asked, ask, name_form

ERRORS: dict[str, type[Exception]] = {
    "Converse": ClientError,
    "InvokeModel": ClientError,
    "Messages": anthropic.RateLimitError,
    "Chat Completions": openai.RateLimitError,
    "Responses": openai.RateLimitError,
}
REQUESTS = "Too many requests, please wait before trying again."
TOKENS = "Too many tokens, please wait before trying again."
DAY = "Too many tokens per day, please wait before trying again."


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    server.respond(text="One two.", name="only")  # two tokens
    return server


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_requests_above_the_quota_are_throttled_until_a_minute_has_passed(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.simulate(quotas={"requests_per_minute": 2})
    for _ in range(2):
        assert ask(api, bedrock.url, Asked(), stream=stream).text == "One two."
        bedrock.advance(20)
    with pytest.raises(ERRORS[api], match=REQUESTS):
        ask(api, bedrock.url, Asked(), stream=stream)
    refused = bedrock.calls[-1]
    assert (refused.source, refused.error, refused.status) == (
        "simulation",
        "ThrottlingException",
        429,
    )
    assert refused.simulated == ("quotas: 2 requests in the last minute, 2 are allowed",)
    bedrock.advance(19)
    with pytest.raises(ERRORS[api], match=REQUESTS):
        ask(api, bedrock.url, Asked(), stream=stream)
    bedrock.advance(1)
    assert ask(api, bedrock.url, Asked(), stream=stream).text == "One two."


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_request_reserves_its_input_and_max_tokens(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.simulate(quotas={"tokens_per_minute": 100})
    with pytest.raises(ERRORS[api], match=TOKENS):
        ask(api, bedrock.url, Asked(max_tokens=99), stream=stream)
    assert ask(api, bedrock.url, Asked(max_tokens=98), stream=stream).text == "One two."


# hello: 2 tokens. The answer: 2 tokens, which count five times for Claude.
@pytest.mark.parametrize(
    ("model", "options", "used"), [(CLAUDE, {}, 12), (NOVA, {}, 4), (NOVA, {"output_rate": 3}, 8)]
)
def test_at_its_end_a_request_has_used_its_input_and_its_output_times_a_rate(
    bedrock: Replayer, model: str, options: dict[str, int], used: int
) -> None:
    bedrock.simulate(quotas={"tokens_per_minute": 100, **options})
    most = Asked(max_tokens=98 - used)
    ask("Converse", bedrock.url, Asked(max_tokens=1), stream=False, model=model)
    with pytest.raises(ClientError, match=TOKENS):
        ask("Converse", bedrock.url, Asked(max_tokens=99 - used), stream=False, model=model)
    assert ask("Converse", bedrock.url, most, stream=False, model=model).text == "One two."


def test_tokens_that_were_read_from_a_cache_are_free(bedrock: Replayer) -> None:
    system = [("You help. " * 500, True)]  # 1,250 tokens
    bedrock.simulate(caching=True, quotas={"tokens_per_minute": 10_000})
    for _ in range(2):
        ask("Converse", bedrock.url, Asked(system=system, max_tokens=1), stream=False)
    told = ask(
        "Converse",
        bedrock.url,
        Asked(system=system, max_tokens=10_000 - 1_252 - 12 - 1_250 - 12),
        stream=False,
    )
    assert told.read == 1_250


def test_a_day_has_a_quota_too(bedrock: Replayer) -> None:
    bedrock.simulate(quotas={"tokens_per_day": 100})
    ask("Converse", bedrock.url, Asked(max_tokens=1), stream=False, model=NOVA)
    bedrock.advance(86_399)
    with pytest.raises(ClientError, match=DAY):
        ask("Converse", bedrock.url, Asked(max_tokens=98), stream=False, model=NOVA)
    bedrock.advance(1)
    ask("Converse", bedrock.url, Asked(max_tokens=98), stream=False, model=NOVA)


def test_each_model_and_each_session_has_quotas_of_its_own(bedrock: Replayer) -> None:
    bedrock.simulate(
        quotas={"requests_per_minute": 1, "models": {"*nova*": {"requests_per_minute": 2}}}
    )
    for model in (CLAUDE, NOVA, NOVA):
        ask("Converse", bedrock.url, Asked(), stream=False, model=model)
    for model in (CLAUDE, NOVA):
        with pytest.raises(ClientError, match=REQUESTS):
            ask("Converse", bedrock.url, Asked(), stream=False, model=model)
    other = bedrock.session("other")
    other.respond(text="One two.")
    other.simulate(quotas={"requests_per_minute": 1})
    ask("Converse", other.url, Asked(), stream=False)
    bedrock.reset()
    bedrock.respond(text="One two.")
    bedrock.simulate(quotas={"requests_per_minute": 1})
    ask("Converse", bedrock.url, Asked(), stream=False)


def test_a_request_that_another_feature_refuses_is_not_counted(bedrock: Replayer) -> None:
    bedrock.simulate(limits=True, quotas={"requests_per_minute": 1})
    with pytest.raises(ClientError, match="exceeds the model limit"):
        ask("Converse", bedrock.url, Asked(max_tokens=64_001), stream=False)
    ask("Converse", bedrock.url, Asked(), stream=False)


def test_without_max_tokens_the_output_of_the_model_is_reserved(bedrock: Replayer) -> None:
    bedrock.simulate(quotas={"tokens_per_minute": 10_001})
    with pytest.raises(ClientError, match=TOKENS):
        ask("Converse", bedrock.url, Asked(), stream=False, model=NOVA)
    ask("Converse", bedrock.url, Asked(), stream=False, model="meta.llama3-70b-instruct-v1:0")


@pytest.mark.parametrize("count", [None, True, False])
def test_options_decide_whether_a_blocked_prompt_counts(
    bedrock: Replayer, count: bool | None
) -> None:
    options: Any = {} if count is None else {"count_blocked": count}
    bedrock.simulate(
        guardrails={"abc": {"wordPolicyConfig": {"wordsConfig": [{"text": "secret"}]}}},
        quotas={"requests_per_minute": 1, "tokens_per_minute": 100, **options},
    )
    named = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    blocked = Asked(("my secret",), max_tokens=80, more={"guardrailConfig": named})
    told = ask("Converse", bedrock.url, blocked, stream=False)
    assert (told.stop, told.input, told.output) == ("guardrail_intervened", 0, 0)
    if count is False:
        ask("Converse", bedrock.url, Asked(max_tokens=98), stream=False)  # no token is used
        return
    with pytest.raises(ClientError, match=REQUESTS):
        ask("Converse", bedrock.url, Asked(max_tokens=98), stream=False)


def test_a_rule_that_passes_a_request_on_does_not_count_it(bedrock: Replayer) -> None:
    bedrock.reset()
    bedrock.respond(lambda _: None, name="passes")
    bedrock.respond(text="One two.")
    bedrock.simulate(quotas={"requests_per_minute": 2})
    for _ in range(2):
        ask("Converse", bedrock.url, Asked(), stream=False)
    with pytest.raises(ClientError, match=REQUESTS):
        ask("Converse", bedrock.url, Asked(), stream=False)


WRONG: list[tuple[Any, str]] = [
    (True, "quotas have no defaults.* set tokens_per_minute"),
    ({}, "the key 'tokens_per_minute'"),
    ({"output_rate": 5}, "the key 'tokens_per_minute'"),
    ({"requests": 1}, r"quotas\.requests: expected no key"),
    ({"tokens_per_minute": 0}, "a number from 1"),
    ({"models": {}}, r"quotas\.models: expected at least 1 member"),
    (
        {"models": {"*a*": {"tokens_per_day": 1}, "*x*": {"output_rate": 5}}},
        r"quotas\.models\.\*x\*: expected the key 'requests_per_minute' or the key"
        r" 'tokens_per_minute' or the key 'tokens_per_day', found",
    ),
    ({"models": {"*": {}}}, r"quotas\.models\.\*: expected at least 1 of requests_per_minute"),
]


@pytest.mark.parametrize(("value", "message"), WRONG)
def test_quotas_need_numbers(bedrock: Replayer, value: Any, message: str) -> None:
    with pytest.raises(OverlayInvalid, match=message):
        bedrock.simulate(quotas=value)


def test_a_model_may_have_a_rate_alone_beside_a_limit_of_all_models(bedrock: Replayer) -> None:
    bedrock.simulate(quotas={"tokens_per_minute": 100, "models": {"*nova*": {"output_rate": 3}}})
    ask("Converse", bedrock.url, Asked(max_tokens=1), stream=False, model=NOVA)
    with pytest.raises(ClientError, match=TOKENS):  # 8 are used
        ask("Converse", bedrock.url, Asked(max_tokens=91), stream=False, model=NOVA)
    ask("Converse", bedrock.url, Asked(max_tokens=90), stream=False, model=NOVA)


def test_counted_requests_are_bounded_and_forgotten() -> None:
    memory = Memory()
    usage = Usage(memory)
    for number in range(3_000):
        usage.add(("bedrock-runtime", str(number)), 0.0, requests=1, tokens=2)
    kept = memory.used
    assert usage.count(("bedrock-runtime", "2999"), 59.0, 60.0) == (1, 2)
    assert usage.count(("bedrock-runtime", "0"), 0.0, 60.0) == (0, 0)
    for number in range(2_000, 3_000):
        usage.add(("bedrock-runtime", str(number)), 100_000.0, requests=1)
    assert memory.used == kept
    usage.clear()
    assert memory.used == 0
