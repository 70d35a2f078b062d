"""What the history says of one call: read from what came over the wire, and nothing
of it can break a report.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.model import Events
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply, build_reply
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.truncation import Truncate
from support import authored, corpus
from support.examples import examples
from support.recordings import converse, prompt, stream
from support.scene import BEGAN, Scene, aws

_SCOPE = "20261122/eu-west-3/bedrock/aws4_request, SignedHeaders=host, Signature=0123456789abcdef"
_CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
_TOOL = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
_CHAT: dict[str, Any] = {
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "How is the weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"in": "Oslo"}}}
            ],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "Rain"}]}}],
        },
    ],
    "toolConfig": {"tools": [_TOOL]},
    "inferenceConfig": {"temperature": 0.5, "topP": 0.9, "maxTokens": 64, "stopSequences": ["END"]},
}


def _signed(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"AWS4-HMAC-SHA256 Credential={key}/{_SCOPE}")]


def test_what_was_asked() -> None:
    record = Scene().send(_CHAT)
    assert (record.operation, record.model) == ("Converse", "us.amazon.nova-lite-v1:0")
    assert (record.system, record.tools) == ("Be brief.", ("weather",))
    assert [turn.role for turn in record.messages] == ["user", "assistant", "user"]
    assert [(result.id, result.text) for result in record.tool_results] == [("t1", "Rain")]
    assert (record.temperature, record.top_p, record.max_tokens) == (0.5, 0.9, 64)
    assert record.stop_sequences == ("END",)
    assert record.json == _CHAT


def test_native_bodies_are_read_in_the_same_words() -> None:
    body = {
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        **authored.say("Hello"),
    }
    record = Scene().send(body, url=f"/model/{_CLAUDE}/invoke")
    assert (record.operation, record.system, record.last_prompt) == (
        "InvokeModel",
        "Be brief.",
        "Hello",
    )
    assert (record.temperature, record.top_p, record.max_tokens) == (0.5, 0.9, 64)
    assert record.stop_sequences == ("END",)


def test_who_asked() -> None:
    record = Scene().send(_CHAT, headers=[*_signed("bedtape-default"), *aws("id-1", 2)])
    assert (record.region, record.access_key_id) == ("eu-west-3", "bedtape-default")
    assert (record.user_agent, record.http_version) == ("Boto3/1.44", "HTTP/2")
    assert (record.invocation_id, record.attempt, record.number, record.session) == (
        "id-1",
        2,
        1,
        "default",
    )


def test_http_1_is_told_from_http_2() -> None:
    call = Call("s", "POST", "/", Head(b"\r\nHost: a\r\n"), b"")
    reply = Reply(200, (), (), streamed=False)
    assert (
        Record(Outcome(Answer(call, reply, "miss"), 0.0, 0.0, True, 0)).http_version == "HTTP/1.1"
    )


@pytest.mark.parametrize("key", ["bedtape-checkout", "test", "AKIDEXAMPLE"])
def test_keys_that_are_none_are_shown(key: str) -> None:
    assert Scene().send(_CHAT, headers=_signed(key)).access_key_id == key


def test_secrets_are_not_shown() -> None:
    key, bearer = "AKIAQWERTYUIOPASDFGH", "ABSK" + "Q" * 60
    headers = [
        *_signed(key),
        ("x-api-key", bearer),
        ("x-amz-security-token", "secret-token"),
        ("x-note", bearer),
    ]
    record = Scene().send(_CHAT, headers=headers)
    shown = json.dumps(record.as_json())
    for secret in (key, bearer, "secret-token", "0123456789abcdef"):
        assert secret not in shown
    assert record.access_key_id is not None
    assert [name for name, _ in record.headers] == [name for name, _ in headers]


def test_what_a_recording_answered() -> None:
    scene = Scene(converse("Hello", "Hi"))
    record = scene.send(prompt("Hello"), at=2.0, seconds=0.25)
    assert (record.source, record.status, record.error, record.message, record.miss) == (
        "cassette",
        200,
        *[None] * 3,
    )
    assert (record.text, record.stop_reason) == ("Hi", "end_turn")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output) == (1, 1)
    assert (record.began, record.seconds, record.hung_up) == (BEGAN + 2, 0.25, False)
    assert str(record) == "call 1: Converse of us.amazon.nova-lite-v1:0 -> 200"


def test_what_an_error_was() -> None:
    scene = Scene(converse("Hello", "Hi"))
    scene.fail("ThrottlingException", message="Slow down", times=1)
    record, again = scene.send(prompt("Hello")), scene.send(prompt("Hello"))
    assert (record.source, record.by, record.faults) == ("fault", "fault-1", ())
    assert (record.status, record.error, record.message) == (
        429,
        "ThrottlingException",
        "Slow down",
    )
    assert (record.text, record.stop_reason, record.usage) == (None, None, None)
    assert (again.source, again.faults, again.error) == ("cassette", (), None)


def test_an_error_without_a_name_has_none() -> None:
    scene = Scene()
    scene.fail(
        None, status=503, body=b"<html>Busy</html>", headers=(("content-type", "text/html"),)
    )
    record = scene.send(prompt("Hello"))
    assert (record.status, record.error, record.message) == (503, None, "<html>Busy</html>")


def test_a_miss_has_its_report() -> None:
    record = Scene(converse("Hello", "Hi")).send(prompt("Bye"))
    assert (record.source, record.error) == ("miss", "CassetteMissException")
    assert record.miss is not None
    assert record.miss == record.message


def test_a_stream_counts_its_events() -> None:
    record = Scene(stream("Hello", ["Hi", " there"])).send(
        prompt("Hello"), operation="converse-stream"
    )
    assert (record.text, record.events, record.cut) == ("Hi there", 5, False)
    assert record.outcome.answer.response is not None
    assert isinstance(record.outcome.answer.response.body, Events)


def test_an_error_in_the_middle_of_a_stream_has_its_name() -> None:
    scene = Scene(stream("Hello", ["Hi", " there"]))
    scene.add_fault(Raise("ThrottlingException", after_events=2, message="Slow down"))
    record = scene.send(prompt("Hello"), operation="converse-stream")
    assert (record.status, record.error, record.message) == (
        200,
        "ThrottlingException",
        "Slow down",
    )


def test_an_error_frame_has_its_code() -> None:
    scene = Scene(stream("Hello", ["Hi", " there"]))
    scene.add_fault(RaiseUnmodelled("internalFailure", "Oops"))
    record = scene.send(prompt("Hello"), operation="converse-stream")
    assert (record.error, record.message) == ("internalFailure", "Oops")


@pytest.mark.parametrize(("complete", "cut"), [(True, True), (False, False)])
def test_a_stream_is_cut_where_the_server_ended_it(complete: bool, cut: bool) -> None:
    scene = Scene(stream("Hello", ["Hi", " there"]))
    scene.add_fault(Truncate(after_events=2))
    record = scene.send(prompt("Hello"), operation="converse-stream", complete=complete)
    assert (record.cut, record.hung_up) == (cut, not complete)


def _strict(record: Record) -> dict[str, Any]:
    """As JSON and back, as strictly as any reader may be."""
    told: dict[str, Any] = json.loads(
        json.dumps(record.as_json(), ensure_ascii=False, allow_nan=False).encode()
    )
    return told


def test_all_of_it_as_json() -> None:
    told = _strict(Scene(converse("Hello", "Hi")).send(prompt("Hello"), headers=aws("id-1", 1)))
    assert told["messages"] == [{"role": "user", "text": "Hello", "results": [], "calls": []}]
    assert told["usage"] == {"input": 1, "output": 1, "cache_read": 0, "cache_write": 0}
    assert told["headers"][1] == ["amz-sdk-invocation-id", "id-1"]
    assert (told["text"], told["status"], told["source"], told["operation"]) == (
        "Hi",
        200,
        "cassette",
        "Converse",
    )
    assert (told["body"], told["body_base64"]) == (prompt("Hello").decode(), None)


def test_json_cannot_spell_all_that_requests_can() -> None:
    use = rb'{"toolUse":{"toolUseId":"t","name":"n","input":{"lone":"\ud800","huge":1e999}}}'
    told = _strict(Scene().send(rb'{"messages":[{"role":"assistant","content":[%b]}]}' % use))
    assert told["messages"][0]["calls"][0]["input"] == {"lone": "?", "huge": "inf"}


def test_a_binary_body_is_base64() -> None:
    told = _strict(Scene().send(b"\xff\x00"))
    assert (told["body"], told["body_base64"]) == (None, "/wA=")


def test_plain_keeps_what_json_has() -> None:
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": "d"}}
    assert make_json_safe(value) == value
    assert make_json_safe(("a", b"\x00", float("inf"), {1: {2}})) == [
        "a",
        "AA==",
        "inf",
        {"1": [2]},
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*_CHAT, "role", "text", "x"]), inner)
    ),
    max_leaves=12,
)
_OPERATIONS = (
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
    "count-tokens",
    "nothing",
)


@settings(derandomize=True, max_examples=examples(150), deadline=None)
@given(
    st.one_of(st.binary(), _JSON.map(lambda value: json.dumps(value).encode())),
    st.sampled_from(_OPERATIONS),
)
def test_whatever_is_sent_can_be_told(body: bytes, operation: str) -> None:
    for model in ("us.amazon.nova-lite-v1:0", _CLAUDE):
        _strict(
            Scene().send(body, url=f"/model/{model}/{operation}", headers=[("user-agent", "ü")])
        )


@pytest.mark.slow
@corpus.needs_corpus
@pytest.mark.corpus
def test_every_real_exchange_can_be_told() -> None:
    answered = 0
    for number, exchange in enumerate(corpus.every()):
        interaction = exchange.interaction()
        head = Head.of(
            tuple((n.lower().encode("latin-1"), v.encode()) for n, v in exchange.request_headers)
        )
        call = Call("s", exchange.method, exchange.path, head, exchange.request_body, number)
        reply = build_reply(interaction, b"", 0)
        told = _strict(
            Record(
                Outcome(
                    Answer(call, reply, "cassette", "f", interaction.response), 0.0, 0.0, True, 1
                )
            )
        )
        named = "x-amzn-errortype" in {name.lower() for name, _ in exchange.response_headers}
        assert told["status"] == exchange.status
        assert (told["error"] is not None) >= (named and exchange.status >= 400)
        answered += told["text"] is not None
    assert answered > 1000
