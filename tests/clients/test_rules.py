"""What a rule gives once, every SDK reads in every operation: boto3, the AWS SDK for
JavaScript, Anthropic's client.
"""

import json
from typing import Any

import pytest
from anthropic import AnthropicBedrock

from bedtape_replayer.engine.session import Session
from support.boto import boto3_client
from support.javascript import run_jobs

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
MESSAGES: list[Any] = [{"role": "user", "content": [{"text": "Weather in Oslo?"}]}]
TOOL = {"name": "weather", "input": {"city": "Oslo"}, "id": "tooluse_abc"}
KEYS: dict[str, Any] = {
    "aws_access_key": "AKIDEXAMPLE",
    "aws_secret_key": "secret",
    "aws_region": "us-east-1",
}


def told(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What a Converse stream adds up to."""
    text, reasoning, tool, signature = "", "", "", ""
    for event in events:
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        text += delta.get("text", "")
        tool += delta.get("toolUse", {}).get("input", "")
        reasoning += delta.get("reasoningContent", {}).get("text", "")
        signature += delta.get("reasoningContent", {}).get("signature", "")
    stop = next(event["messageStop"]["stopReason"] for event in events if "messageStop" in event)
    usage = next(event["metadata"]["usage"] for event in events if "metadata" in event)
    return {
        "text": text,
        "reasoning": reasoning,
        "signature": signature,
        "tool": tool,
        "stop": stop,
        "usage": usage,
    }


def test_text_in_all_four_operations(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain, wind and 4 °C.", usage={"input": 11, "output": 7})
    client = boto3_client(bedrock.url)
    whole = client.converse(modelId=CLAUDE, messages=MESSAGES)
    assert whole["output"]["message"] == {
        "role": "assistant",
        "content": [{"text": "Rain, wind and 4 °C."}],
    }
    assert whole["stopReason"] == "end_turn"
    assert (whole["usage"]["inputTokens"], whole["usage"]["totalTokens"]) == (11, 18)
    streamed = told(list(client.converse_stream(modelId=CLAUDE, messages=MESSAGES)["stream"]))  # type: ignore[arg-type]
    assert (streamed["text"], streamed["stop"]) == ("Rain, wind and 4 °C.", "end_turn")
    assert streamed["usage"]["outputTokens"] == 7
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Oslo"}],
    }
    invoked = client.invoke_model(modelId=CLAUDE, body=json.dumps(body))
    assert json.loads(invoked["body"].read())["content"] == [
        {"type": "text", "text": "Rain, wind and 4 °C."}
    ]
    headers = invoked["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == "11"
    chunks = client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(body))["body"]
    values = [json.loads(event["chunk"]["bytes"]) for event in chunks]
    assert values[0]["type"] == "message_start"
    assert (
        "".join(v["delta"]["text"] for v in values if v["type"] == "content_block_delta")
        == "Rain, wind and 4 °C."
    )
    assert values[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 11
    bedrock.assert_called(times=4)


def test_a_tool_call_and_its_result(bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It rains.")
    bedrock.respond("Oslo", text="I look.", tool=TOOL)
    client = boto3_client(bedrock.url)
    config: Any = {
        "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]
    }
    asked = client.converse(modelId=NOVA, messages=MESSAGES, toolConfig=config)
    assert asked["stopReason"] == "tool_use"
    use = asked["output"]["message"]["content"][1]["toolUse"]
    assert use == {"toolUseId": "tooluse_abc", "name": "weather", "input": {"city": "Oslo"}}
    streamed = told(
        list(client.converse_stream(modelId=NOVA, messages=MESSAGES, toolConfig=config)["stream"])
    )  # type: ignore[arg-type]
    assert json.loads(streamed["tool"]) == {"city": "Oslo"}
    result: Any = {"toolResult": {"toolUseId": "tooluse_abc", "content": [{"text": "4 °C"}]}}
    turns = [*MESSAGES, asked["output"]["message"], {"role": "user", "content": [result]}]
    said = client.converse(modelId=NOVA, messages=turns, toolConfig=config)
    assert said["output"]["message"]["content"] == [{"text": "It rains."}]


def test_reasoning_citations_guardrail_and_stop_reason(bedrock: Session) -> None:
    bedrock.respond("think", reasoning={"text": "Hm.", "signature": "c2ln"}, text="So.")
    bedrock.respond("cite", text="Rain.", citations=[{"source": "It rains.", "title": "News"}])
    bedrock.respond("blocked", guardrail="I may not say.")
    bedrock.respond("long", text="It goes on", stop_reason="max_tokens")
    client = boto3_client(bedrock.url)

    def ask(text: str) -> Any:
        return client.converse(
            modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": text}]}]
        )

    thought = ask("think")["output"]["message"]["content"]
    assert thought[0]["reasoningContent"]["reasoningText"] == {"text": "Hm.", "signature": "c2ln"}
    assert thought[1] == {"text": "So."}
    (cited,) = ask("cite")["output"]["message"]["content"]
    assert cited["citationsContent"]["content"] == [{"text": "Rain."}]
    assert cited["citationsContent"]["citations"][0]["title"] == "News"
    assert ask("blocked")["stopReason"] == "guardrail_intervened"
    assert ask("long")["stopReason"] == "max_tokens"
    message: Any = [{"role": "user", "content": [{"text": "think"}]}]
    streamed = told(list(client.converse_stream(modelId=CLAUDE, messages=message)["stream"]))  # type: ignore[arg-type]
    assert (streamed["reasoning"], streamed["signature"], streamed["text"]) == (
        "Hm.",
        "c2ln",
        "So.",
    )


def test_a_guardrail_s_trace_where_the_request_asks_for_it(bedrock: Session) -> None:
    bedrock.respond("blocked", guardrail="I may not say.")
    bedrock.respond(text="Passed.")
    client = boto3_client(bedrock.url)
    config: Any = {"guardrailIdentifier": "abcdefghij", "guardrailVersion": "1", "trace": "enabled"}
    headers: Any = {
        "guardrailIdentifier": "abcdefghij",
        "guardrailVersion": "1",
        "trace": "ENABLED",
    }
    native = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9}
    for text, blocked in (("blocked", True), ("fine", False), ("blocked", True)):
        messages: Any = [{"role": "user", "content": [{"text": text}]}]
        body = json.dumps({**native, "messages": [{"role": "user", "content": text}]})
        answer = client.converse(modelId=CLAUDE, messages=messages, guardrailConfig=config)
        events: Any = client.converse_stream(
            modelId=CLAUDE, messages=messages, guardrailConfig=config
        )["stream"]
        for guardrail in (
            answer["trace"]["guardrail"],
            list(events)[-1]["metadata"]["trace"]["guardrail"],
        ):
            assert ("topicPolicy" in guardrail["inputAssessment"]["abcdefghij"]) == blocked
            assert ("outputAssessments" in guardrail) != blocked
        invoked = json.loads(
            client.invoke_model(modelId=CLAUDE, body=body, **headers)["body"].read()
        )
        stream: Any = client.invoke_model_with_response_stream(
            modelId=CLAUDE, body=body, **headers
        )["body"]
        for value in (invoked, [json.loads(event["chunk"]["bytes"]) for event in stream][-1]):
            assert value["amazon-bedrock-guardrailAction"] == ("INTERVENED" if blocked else "NONE")
            assert ("outputs" in value["amazon-bedrock-trace"]["guardrail"]) != blocked
        untraced = json.loads(client.invoke_model(modelId=CLAUDE, body=body)["body"].read())
        assert "amazon-bedrock-trace" not in untraced
        assert "trace" not in client.converse(modelId=CLAUDE, messages=messages)


def test_operations_without_a_message(bedrock: Session) -> None:
    bedrock.respond(operation="CountTokens", text="", usage={"input": 42})
    bedrock.respond(operation="ApplyGuardrail", guardrail="Blocked.")
    bedrock.respond(model="*embed*", embedding="auto", dimension=4)
    bedrock.respond(
        model="*rerank*", ranking=[{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]
    )
    client = boto3_client(bedrock.url)
    assert (
        client.count_tokens(modelId=CLAUDE, input={"converse": {"messages": MESSAGES}})[
            "inputTokens"
        ]
        == 42
    )
    guarded = client.apply_guardrail(
        guardrailIdentifier="gr123456",
        guardrailVersion="1",
        source="INPUT",
        content=[{"text": {"text": "x"}}],
    )
    assert (guarded["action"], guarded["outputs"]) == (
        "GUARDRAIL_INTERVENED",
        [{"text": "Blocked."}],
    )

    def invoke(model: str, **body: Any) -> Any:
        return json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())

    one, two = (
        invoke("amazon.titan-embed-text-v2:0", inputText=text)["embedding"] for text in ("a", "b")
    )
    assert (len(one), one == two, one) == (
        4,
        False,
        invoke("amazon.titan-embed-text-v2:0", inputText="a")["embedding"],
    )
    ranked = invoke("cohere.rerank-v3-5:0", query="q", documents=["a", "b"], api_version=2)
    assert [row["index"] for row in ranked["results"]] == [1, 0]


def test_a_count_of_tokens_uses_up_no_answer(bedrock: Session) -> None:
    """CrewAI counts the tokens of each prompt before it sends the prompt."""
    bedrock.respond("Oslo", answers=["Rain.", {"text": "Snow.", "usage": {"input": 7}}], times=2)
    client = boto3_client(bedrock.url)
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": MESSAGES}
    texts = []
    for _ in range(2):
        for given in (
            {"converse": {"messages": MESSAGES}},
            {"invokeModel": {"body": json.dumps(body)}},
        ):
            assert client.count_tokens(modelId=CLAUDE, input=given)["inputTokens"] > 0  # type: ignore[arg-type]
        answer = client.converse(modelId=CLAUDE, messages=MESSAGES)
        texts.append(answer["output"]["message"]["content"][0]["text"])  # type: ignore[typeddict-item]
    assert texts == ["Rain.", "Snow."]
    bedrock.respond(when={"operation": "CountTokens"}, usage={"input": 11}, times=1)
    counted = client.count_tokens(modelId=CLAUDE, input={"converse": {"messages": MESSAGES}})
    assert counted["inputTokens"] == 11
    bedrock.assert_all_used()


def test_anthropics_client(bedrock: Session) -> None:
    bedrock.respond("think", reasoning={"text": "Hm.", "signature": "c2ln"}, text="So.")
    bedrock.respond("Oslo", text="I look.", tool=TOOL, allow_unoffered_tools=True)
    with AnthropicBedrock(**KEYS, base_url=bedrock.url, max_retries=0) as client:
        ask: Any = {"model": CLAUDE, "max_tokens": 99}
        whole = client.messages.create(messages=[{"role": "user", "content": "Oslo?"}], **ask)
        assert [block.type for block in whole.content] == ["text", "tool_use"]
        assert whole.stop_reason == "tool_use"
        with client.messages.stream(
            messages=[{"role": "user", "content": "think"}], **ask
        ) as stream:
            final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.usage.output_tokens > 0


@pytest.mark.parametrize("handler", ["default", "http1"])
def test_the_sdk_for_javascript(bedrock: Session, handler: str) -> None:
    bedrock.respond(operation="CountTokens", text="", usage={"input": 42})
    bedrock.respond("Oslo", reasoning="Hm.", text="I look.", tool=TOOL, allow_unoffered_tools=True)
    given = {"modelId": NOVA, "messages": MESSAGES}
    native = {"messages": MESSAGES}
    body = {"modelId": NOVA, "contentType": "application/json", "body": json.dumps(native).encode()}
    inputs = {
        "Converse": given,
        "ConverseStream": given,
        "InvokeModel": body,
        "InvokeModelWithResponseStream": body,
        "CountTokens": {"modelId": NOVA, "input": {"converse": {"messages": MESSAGES}}},
    }
    jobs = [
        {"endpoint": bedrock.url, "handler": handler, "operation": o, "input": i}
        for o, i in inputs.items()
    ]
    whole, streamed, invoked, chunks, counted = run_jobs(jobs)
    assert not any(result.get("error") for result in (whole, streamed, invoked, chunks, counted))
    content = whole["output"]["output"]["message"]["content"]
    assert [next(iter(block)) for block in content] == ["reasoningContent", "text", "toolUse"]
    summed = told(streamed["events"])
    assert (summed["reasoning"], summed["text"], json.loads(summed["tool"])) == (
        "Hm.",
        "I look.",
        {"city": "Oslo"},
    )
    assert json.loads(invoked["output"]["body"])["stopReason"] == "tool_use"
    last = json.loads(chunks["events"][-1]["chunk"]["bytes"])
    assert "amazon-bedrock-invocationMetrics" in last
    assert counted["output"]["inputTokens"] == 42
