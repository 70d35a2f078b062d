"""Service tiers: what answers repeat, and which tiers are refused."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from bedtape_replayer import Replayer
from bedtape_replayer.overlay.simulation.models import has_tiers
from support.boto import boto3_client
from support.five_apis import CLAUDE, NOVA, OSS, Asked, ask


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    server.respond(text="Hello.")
    return server


PRO = "us.amazon.nova-pro-v1:0"
BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def test_invoke_model_repeats_tier_and_latency_in_headers(bedrock: Replayer) -> None:
    client = boto3_client(bedrock.url)
    asked: dict[str, Any] = {
        "modelId": PRO,
        "body": json.dumps(BODY),
        "serviceTier": "flex",
        "performanceConfigLatency": "optimized",
    }
    for answer in (client.invoke_model(**asked), client.invoke_model_with_response_stream(**asked)):
        assert (answer["serviceTier"], answer["performanceConfigLatency"]) == ("flex", "optimized")
        list(answer["body"])
    plain = client.invoke_model(modelId=PRO, body=json.dumps(BODY))
    assert "serviceTier" not in plain
    assert "performanceConfigLatency" not in plain


def test_converse_repeats_tier_and_latency(bedrock: Replayer) -> None:
    asked: dict[str, Any] = {
        "modelId": PRO,
        **BODY,
        "serviceTier": {"type": "priority"},
        "performanceConfig": {"latency": "standard"},
    }
    client = boto3_client(bedrock.url)
    answer = client.converse(**asked)
    *_, last = client.converse_stream(**asked)["stream"]
    for told in (answer, last["metadata"]):
        assert told["serviceTier"] == {"type": "priority"}
        assert told["performanceConfig"] == {"latency": "standard"}


@pytest.mark.parametrize(("asked", "told"), [(None, "default"), ("auto", "default"), ("flex",) * 2])
@pytest.mark.parametrize("model", [OSS, "openai.gpt-5.6"])
def test_openai_apis_name_the_tier_that_was_used(
    bedrock: Replayer, model: str, asked: Any, told: str
) -> None:
    client = openai.OpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="x", max_retries=0)
    chosen = {"service_tier": asked} if asked else {}
    response = client.responses.create(model=model, input="hi", **chosen)
    if model != OSS:
        assert response.service_tier == told
        return
    messages: Any = [{"role": "user", "content": "hi"}]
    chat = client.chat.completions.create(model=model, messages=messages, **chosen)
    assert chat.service_tier == told


def _ask_tier(bedrock: Replayer, api: str, model: str, tier: str) -> None:
    if api == "InvokeModel":
        body = json.dumps(BODY)
        boto3_client(bedrock.url).invoke_model(modelId=model, body=body, serviceTier=tier)
        return
    member: dict[str, Any] = (
        {"serviceTier": {"type": tier}} if api == "Converse" else {"service_tier": tier}
    )
    more = {"extra_body": member} if api == "Messages" else member
    ask(api, bedrock.url, Asked(more=more), stream=False, model=model)


UNSUPPORTED = "The provided service tier is not supported for this model."
ERRORS: dict[str, type[Exception]] = {
    "Converse": ClientError,
    "InvokeModel": ClientError,
    "Messages": anthropic.BadRequestError,
    "Chat Completions": openai.BadRequestError,
    "Responses": openai.BadRequestError,
}


@pytest.mark.parametrize(
    ("api", "model", "tier", "error"),
    [
        ("Converse", CLAUDE, "flex", UNSUPPORTED),
        ("Converse", NOVA, "priority", UNSUPPORTED),
        ("Converse", PRO, "flex", None),
        ("Converse", PRO, "reserved", "Reservation not found."),
        ("Converse", CLAUDE, "default", None),
        ("InvokeModel", NOVA, "flex", UNSUPPORTED),
        ("InvokeModel", PRO, "priority", None),
        ("Messages", "anthropic.claude-sonnet-4-5", "standard_only", None),
        ("Chat Completions", OSS, "flex", None),
        ("Chat Completions", OSS, "scale", "service tier provided is invalid"),
        ("Responses", "openai.gpt-5.6", "flex", UNSUPPORTED),
        ("Responses", "openai.gpt-5.6", "auto", None),
    ],
)
def test_tiers_that_a_model_does_not_have_are_refused(
    bedrock: Replayer, api: str, model: str, tier: str, error: str | None
) -> None:
    bedrock.simulate(service_tiers=True)
    if error is None:
        _ask_tier(bedrock, api, model, tier)
        assert bedrock.calls[-1].simulated == ()
        return
    with pytest.raises(ERRORS[api], match=error):
        _ask_tier(bedrock, api, model, tier)
    assert bedrock.calls[-1].simulated == (f"service_tiers: {tier!r} is not supported",)


def test_the_tiers_of_an_account_can_be_named(bedrock: Replayer) -> None:
    bedrock.simulate(service_tiers={"supported": ["reserved"]})
    _ask_tier(bedrock, "Converse", CLAUDE, "reserved")
    with pytest.raises(ClientError, match=UNSUPPORTED):
        _ask_tier(bedrock, "Converse", PRO, "flex")


def test_models_without_a_row_have_all_tiers() -> None:
    assert has_tiers("openai.gpt-oss-20b")
    assert has_tiers("a.new-model")
    assert not has_tiers("global.anthropic.claude-opus-5-5")
