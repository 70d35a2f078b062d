"""Calls that type checkers accept, with a check of what the values are."""

from datetime import datetime
from pathlib import Path
from typing import assert_type

from bedtape_replayer import Bedrock, Call, Failure, Message, Replayer, Session, Text


def answers(bedrock: Bedrock) -> None:
    assert_type(bedrock.respond("spam", "yes"), str)
    bedrock.respond("spam", "yes", when={"model": "*nova*", "operation": "Converse"}, times=2)
    bedrock.respond("spam", json={"label": "spam"}, operation=["Converse", "InvokeModel"])
    bedrock.respond(text="hi", stop_reason="max_tokens", usage={"output": 3})
    bedrock.respond(tool={"name": "weather", "input": {"city": "Lyon"}})
    bedrock.respond(tool=[{"name": "weather"}, {"name": "time", "id": "t1"}])
    bedrock.respond(reasoning={"text": "Hm."}, text="Yes.", citations=[{"source": "a page"}])
    bedrock.respond(blocks=[{"text": "a"}, {"image": b"\x89PNG", "format": "png"}])
    bedrock.respond(answers=["one", {"error": "ThrottlingException", "retry_after_ms": 1}])
    bedrock.respond(embedding=[[0.5, 0.25], [1, 0]])
    bedrock.respond(embedding="auto", dimension=8)
    bedrock.respond(image=Path("picture.png").read_bytes())
    bedrock.respond(ranking=[{"index": 0, "score": 0.5}])
    bedrock.respond(raw={"events": [{"messageStop": {}}], "headers": {"x-a": "b"}})
    bedrock.respond(
        "hours",
        passages=[{"text": "a", "source": "s3://a/b", "score": 0.5, "metadata": {"page": 1}}],
    )
    bedrock.respond(passages="auto", operation="Retrieve")
    bedrock.respond(
        "agent", text="a", trace=[{"failureTrace": {"traceId": "t"}}], citations=[{"source": "a"}]
    )
    bedrock.respond(nodes={"Out": 1, "Other": {"a": "b"}}, operation="InvokeFlow")
    bedrock.respond(server_sent=["a", {"b": 1}], operation="InvokeAgentRuntime")
    bedrock.respond(operation="GetAgent", output={"agent": {"createdAt": datetime(2026, 1, 31)}})
    bedrock.respond(operation="InvokeAgent", output={}, events=[{"chunk": {"bytes": b"a"}}])
    bedrock.respond(
        operation="GetAsyncInvoke", answers=[{"state": "InProgress"}, {"state": "Completed"}]
    )
    for operation in ("Converse", "InvokeModel"):
        bedrock.respond(text="a", operation=operation)


def functions(bedrock: Bedrock) -> None:
    def answer(call: Call) -> str | None:
        return call.prompt.last if call.model else None

    bedrock.respond(answer, when={"turn": 1}, name="own")
    bedrock.respond(lambda call: f"You said: {call.prompt.last}", model="*claude*")
    bedrock.respond(lambda _: {"label": "spam"})
    bedrock.respond(lambda _: Message((Text("hello"),)))
    bedrock.respond(lambda call: Failure("ThrottlingException") if call.attempt == 1 else None)


def faults(session: Session, name: str) -> None:
    assert_type(session.fail("ThrottlingException", times=2, retry_after_ms=1), str)
    session.fail(name, status=418, members={"a": 1}, when={"header": {"x-team": "a*"}})
    session.fail("ModelStreamErrorException", after_events=2)
    session.fault(error="ThrottlingException", message="Slow down.", every=2, probability=0.5)
    session.fault(http={"status": 502, "text": "Bad Gateway", "headers": {"server": "proxy"}})
    session.fault(latency={"first_byte_ms": 200, "between_ms": 20, "jitter_ms": 5}, name="slow")
    session.fault(stall={}, when={"model": "*claude*"})
    session.fault(error_frame={"code": "overloaded", "after_events": 1})
    session.fault(truncate={"after_events": 4, "in_order": True, "bytes_more": 3})
    session.fault(corrupt={"what": "message_crc", "event": 2}, times=1)
    session.fault(drop={"types": ["messageStop"]})
    session.fault(repeat={"numbers": [1, 2], "times": 2})
    session.fault(swap={"first": 1, "second": 2})
    session.fault(insert={"type": "unknown", "payload": {"a": 1}})
    session.fault(reset={"after_events": 2, "code": 8})
    session.fault(quota={"requests_per_minute": 60}, access_key="AKIA*")
    session.fault(misanswer="max_tokens")
    session.fault(misanswer={"what": "stop_sequence", "text": "END"})


def calls(bedrock: Bedrock) -> None:
    bedrock.assert_called("spam", times=1, model="*nova*", temperature=0, error=None)
    bedrock.assert_not_called(status=500)
    bedrock.assert_sequence([{"status": 429, "attempt": 1}, {"by": "rule-1"}], consecutive=True)
    statuses = [call.status for call in bedrock.calls.filter(hung_up=False, tools=["weather"])]
    assert_type(statuses, list[int | None])


with Replayer("cassettes/", overlay={"bedtape-overlay": 1}) as server:
    server.respond("spam", "yes")
    server.session("test").fault(reset={})
