"""The AWS SDK for JavaScript has a conversation over a bidirectional stream,
over HTTP/2 and HTTP/1.1.
"""

import json
from typing import Any

import pytest

from bedtape_replayer.engine.session import Session
from support.duplex import MODEL, OPERATION, audio_content, chunk, text_content, tool_result
from support.javascript import run_script

both_handlers = pytest.mark.parametrize("handler", ["default", "http1"])
START = {"event": {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024}}}}


def converse(bedrock: Session, handler: str, *steps: dict[str, Any]) -> list[Any]:
    """The events and the error that the SDK returns. The input stays open unless a step ends it."""
    job = {"endpoint": bedrock.url, "handler": handler, "model": MODEL, "steps": steps}
    return [json.loads(line) for line in run_script("conversation.mjs", job).splitlines()]


@both_handlers
def test_a_miss_arrives_at_the_head(bedrock: Session, handler: str) -> None:
    (error,) = converse(bedrock, handler, {"send": START})
    assert (error["error"], error["status"]) == ("CassetteMissException", 400)
    assert "No recording answers InvokeModelWithBidirectionalStream" in error["message"]


@both_handlers
def test_an_error_arrives_at_the_head_and_is_sent_once(bedrock: Session, handler: str) -> None:
    bedrock.fault(error="ThrottlingException")
    (error,) = converse(bedrock, handler, {"send": START})
    assert (error["error"], error["status"]) == ("ThrottlingException", 429)
    assert len(bedrock.calls) == 1


@both_handlers
def test_a_fault_ends_the_stream_of_a_rule_whose_input_is_open(
    bedrock: Session, handler: str
) -> None:
    event = {"completionStart": {}}
    bedrock.fail("ModelStreamErrorException", after_events=1)
    bedrock.respond(operation=OPERATION, events=[chunk(event)])
    first, error = converse(bedrock, handler, {"send": START})
    assert first == {"event": event}
    assert error["error"] == "ModelStreamErrorException"


@both_handlers
def test_the_sdk_has_a_conversation_with_a_rule(bedrock: Session, handler: str) -> None:
    weather = {"name": "weather", "input": {"city": "Oslo"}, "id": "t1"}
    bedrock.respond(
        operation=OPERATION,
        conversation=[
            {"hears": "Hello?", "text": "Hi!", "silence_ms": 100},
            {"tool": weather},
            {"text": "It rains."},
        ],
    )
    said = [
        START,
        *({"event": each} for each in (*text_content("SYSTEM", "Be kind."), *audio_content(3))),
    ]
    events = converse(
        bedrock,
        handler,
        *[{"send": each} for each in said],
        {"await": "audioOutput"},
        *[{"send": {"event": each}} for each in audio_content(2, "b")],
        {"await": "toolUse"},
        *[{"send": {"event": each}} for each in tool_result("t1", {"weather": "rain"})],
        {"await": "completionStart"},
        {"end": True},
    )
    texts = [
        each["event"]["textOutput"]["content"] for each in events if "textOutput" in each["event"]
    ]
    assert texts == ["Hello?", "Hi!", "Hi!", "It rains.", "It rains."]
    assert "completionEnd" in events[-1]["event"]
    (call,) = bedrock.calls
    assert (call.operation, call.hung_up, len(call.json["events"])) == (OPERATION, False, 13)
