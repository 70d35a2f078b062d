"""Simulated features through the clients for JavaScript: limits, caches, quotas, schemas and
guardrails.
"""

import json
from typing import Any

import jsonschema
import pytest

from bedtape_replayer.engine.session import Session
from support.five_apis import CLAUDE
from support.javascript import Result, run_jobs, run_script

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "rain": {"type": "boolean"}},
    "required": ["city", "rain"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {}}
LONG = "You help. " * 2_000  # 5,000 tokens, more than Claude Haiku 4.5 needs


def _ask_apis(
    bedrock: Session,
    requests: dict[str, Any],
    *,
    stream: bool,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The result of OpenAI's and Anthropic's clients. requests: more members, by client."""
    more = {"stream": stream, "headers": headers}
    jobs = [
        {"client": client, "url": bedrock.url, "request": request, **more}
        for client, request in requests.items()
    ]
    return dict(zip(requests, json.loads(run_script("apis.mjs", jobs)), strict=True))


def _converse(bedrock: Session, *more: dict[str, Any], stream: bool) -> list[Result]:
    """The results of AWS's client, one call after the other."""
    return run_jobs(
        [
            {
                "lane": "one",
                "endpoint": bedrock.url,
                "handler": "default",
                "maxAttempts": 1,
                "operation": "ConverseStream" if stream else "Converse",
                "input": {
                    "modelId": CLAUDE,
                    "messages": [{"role": "user", "content": [{"text": "Weather in Oslo?"}]}],
                    **members,
                },
            }
            for members in more
        ]
    )


def _read(result: Result) -> tuple[str, str, dict[str, Any]]:
    """The text, the stop reason and the token counts of an answer of Converse."""
    assert "error" not in result, result
    output, events = result["output"], result["events"]
    if not events:
        text = output["output"]["message"]["content"][0]["text"]
        return text, output["stopReason"], output["usage"]
    deltas = [e["contentBlockDelta"]["delta"] for e in events if "contentBlockDelta" in e]
    stop = next(e["messageStop"]["stopReason"] for e in events if "messageStop" in e)
    return "".join(each["text"] for each in deltas), stop, events[-1]["metadata"]["usage"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_max_tokens_cuts_answers(bedrock: Session, stream: bool) -> None:
    bedrock.respond(text="One two three. Four five six.")
    bedrock.simulate(limits=True)
    told = _ask_apis(
        bedrock,
        {
            "openai chat": {"max_tokens": 3},
            "openai responses": {"max_output_tokens": 3},
            "anthropic messages": {"max_tokens": 3},
        },
        stream=stream,
    )
    stops = ("length", "max_output_tokens", "max_tokens")
    for result, stop in zip(told.values(), stops, strict=True):
        assert (result["text"], result["stop"]) == ("One two thre", stop)
    (aws,) = _converse(bedrock, {"inferenceConfig": {"maxTokens": 3}}, stream=stream)
    assert _read(aws)[:2] == ("One two thre", "max_tokens")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_marks_write_and_read_caches(bedrock: Session, stream: bool) -> None:
    bedrock.respond(text="Hello.")
    bedrock.simulate(caching=True)
    system = [{"text": LONG}, {"cachePoint": {"type": "default"}}]
    wrote, read = _converse(bedrock, {"system": system}, {"system": system}, stream=stream)
    assert _read(wrote)[2]["cacheWriteInputTokens"] == 5_000
    assert _read(read)[2]["cacheReadInputTokens"] == 5_000
    marked = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    for member in ("cache_creation_input_tokens", "cache_read_input_tokens"):
        told = _ask_apis(bedrock, {"anthropic messages": {"system": marked}}, stream=stream)
        assert told["anthropic messages"]["usage"][member] >= 5_000
    bedrock.assert_cached(at_least_tokens=5_000, operation="Messages")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_used_up_quota_throttles(bedrock: Session, stream: bool) -> None:
    bedrock.respond(text="Hello.")
    bedrock.simulate(quotas={"requests_per_minute": 1})
    text = "Too many requests, please wait before trying again."
    first, second = _converse(bedrock, {}, {}, stream=stream)
    assert _read(first)[0] == "Hello."
    assert second["error"] == {
        "name": "ThrottlingException",
        "message": text,
        "attempts": 1,
        "status": 429,
    }
    requests = {"openai chat": {}, "openai responses": {}, "anthropic messages": {}}
    for result in _ask_apis(bedrock, requests, stream=stream).values():
        assert result["text"] == "Hello."
    for result in _ask_apis(bedrock, requests, stream=stream).values():
        assert result["error"]["status"] == 429
        assert text in result["error"]["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_answers_match_the_schema_of_the_request(bedrock: Session, stream: bool) -> None:
    bedrock.respond(schema="auto")
    bedrock.simulate(structured_output=True)

    def make_requests(schema: object) -> dict[str, Any]:
        named = {"name": "weather", "schema": schema, "strict": True}
        format_ = {"type": "json_schema", "json_schema": named}
        return {
            "openai chat": {"response_format": format_},
            "openai responses": {"text": {"format": {"type": "json_schema", **named}}},
            "anthropic messages": {
                "output_config": {"format": {"type": "json_schema", "schema": schema}}
            },
        }

    for result in _ask_apis(bedrock, make_requests(SCHEMA), stream=stream).values():
        jsonschema.validate(json.loads(result["text"]), SCHEMA)
    for result in _ask_apis(bedrock, make_requests(OPEN), stream=stream).values():
        assert result["error"]["status"] == 400
        assert "must be explicitly set to false" in result["error"]["message"]
    aws = _converse(
        bedrock,
        *(
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": json.dumps(schema)}},
                    }
                }
            }
            for schema in (SCHEMA, OPEN)
        ),
        stream=stream,
    )
    jsonschema.validate(json.loads(_read(aws[0])[0]), SCHEMA)
    assert aws[1]["error"]["name"] == "ValidationException"
    assert "must be explicitly set to false" in aws[1]["error"]["message"]


POLICY = {
    "name": "mine",
    "wordPolicyConfig": {"wordsConfig": [{"text": "Oslo"}]},
    "blockedInputMessaging": "No question.",
    "blockedOutputsMessaging": "No answer.",
}


def _create_guardrail(bedrock: Session) -> str:
    """Create a guardrail with AWS's client of the control plane, and return its id."""
    call = {
        "service": "bedrock",
        "client": "BedrockClient",
        "command": "CreateGuardrailCommand",
        "input": POLICY,
    }
    (line,) = run_script("services.mjs", {"endpoint": bedrock.url, "calls": [call]}).splitlines()
    return str(json.loads(line)["output"]["guardrailId"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_created_guardrail_blocks(bedrock: Session, stream: bool) -> None:
    bedrock.respond(text="It rains in Oslo.")
    bedrock.simulate(guardrails=True)
    named = {"guardrailIdentifier": _create_guardrail(bedrock), "guardrailVersion": "DRAFT"}
    fine = {"messages": [{"role": "user", "content": [{"text": "Weather?"}]}]}
    traced = {"guardrailConfig": {**named, "trace": "enabled"}}
    question, answer = _converse(bedrock, traced, {**traced, **fine}, stream=stream)
    for result, text in ((question, "No question."), (answer, "No answer.")):
        assert _read(result)[:2] == (text, "guardrail_intervened")
        last = result["events"][-1]["metadata"] if stream else result["output"]
        assert last["trace"]["guardrail"]["actionReason"].endswith("Guardrail blocked.")
    headers = {
        "X-Amzn-Bedrock-GuardrailIdentifier": named["guardrailIdentifier"],
        "X-Amzn-Bedrock-GuardrailVersion": "DRAFT",
    }
    requests = {"openai chat": {}, "openai responses": {}, "anthropic messages": {}}
    told = _ask_apis(bedrock, requests, stream=stream, headers=headers)
    assert {result["text"] for result in told.values()} == {"No question."}
    bedrock.assert_called(simulated="prompt blocked by the word 'Oslo'", times=4)


def test_apply_guardrail_and_invoke_model(bedrock: Session) -> None:
    bedrock.respond(text="It rains in Oslo.")
    bedrock.simulate(guardrails=True)
    named = {"guardrailIdentifier": _create_guardrail(bedrock), "guardrailVersion": "DRAFT"}
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []}
    body["messages"] = [{"role": "user", "content": "Weather?"}]
    common = {"lane": "one", "endpoint": bedrock.url, "handler": "default", "maxAttempts": 1}
    applied, invoked = run_jobs(
        [
            {
                **common,
                "operation": "ApplyGuardrail",
                "input": {**named, "source": "INPUT", "content": [{"text": {"text": "Oslo?"}}]},
            },
            {
                **common,
                "operation": "InvokeModel",
                "input": {**named, "modelId": CLAUDE, "body": json.dumps(body)},
            },
        ]
    )
    assert applied["output"]["action"] == "GUARDRAIL_INTERVENED"
    assert applied["output"]["outputs"] == [{"text": "No question."}]
    assert "error" not in invoked, invoked
    assert json.loads(invoked["output"]["body"])["content"][0]["text"] == "No answer."
