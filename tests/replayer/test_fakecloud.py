"""What fakecloud's words mean here: which calls they are about, what a response
says, how a call is listed.
"""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Content, Embeddings, Message, Text, ToolUse, Usage
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.fakecloud import Exactly, content, render_invocation
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.overlay import Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.when import When
from support.contents import JSON

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
LLAMA = "meta.llama3-8b-instruct-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
METADATA = b"x-amzn-bedrock-request-metadata"


def _plain(text: str) -> Message:
    return Message((Text(text),))


# -- responses -------------------------------------------------------------------------------------

SAYS: dict[str, tuple[str, Any, Content | None]] = {
    "text": (CLAUDE, "ham", None),
    "no text": (CLAUDE, "", None),
    "an application's JSON": (CLAUDE, {"label": "ham"}, None),
    "an application's list": (CLAUDE, {"content": ["a", "b"]}, None),
    "JSON that is no object": (CLAUDE, ["a"], None),
    "Converse's text alone": (
        CLAUDE,
        {"output": {"message": {"content": [{"text": "ham"}]}}},
        _plain("ham"),
    ),
    "Converse's, whatever the model": (
        "acme.model-1",
        {
            "output": {
                "message": {
                    "content": [{"toolUse": {"toolUseId": "t", "name": "add", "input": {"a": 1}}}]
                }
            },
            "stopReason": "tool_use",
            "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
        },
        Message((ToolUse("add", {"a": 1}, "t"),), "tool_use", usage=Usage(3, 4)),
    ),
    "Converse's with nothing in it": (
        CLAUDE,
        {"output": {"message": {"content": []}}, "stopReason": "content_filtered"},
        Message((), "content_filtered"),
    ),
    "the family's own": (
        CLAUDE,
        {
            "type": "message",
            "content": [{"type": "text", "text": "ham"}],
            "stop_reason": "max_tokens",
            "usage": {"input_tokens": 3, "output_tokens": 4},
        },
        Message((Text("ham"),), "max_tokens", usage=Usage(3, 4)),
    ),
    "another family's": (
        LLAMA,
        {"type": "message", "content": [{"type": "text", "text": "ham"}]},
        None,
    ),
    "Llama's": (
        LLAMA,
        {"generation": "ham", "stop_reason": "length"},
        Message((Text("ham"),), "max_tokens"),
    ),
    "embeddings": (
        TITAN,
        {"embedding": [0.5, 1], "inputTextTokenCount": 3},
        Embeddings(((0.5, 1.0),), None, Usage(3, 0)),
    ),
}


@pytest.mark.parametrize("name", SAYS)
def test_what_a_response_says(name: str) -> None:
    model, given_, expected = SAYS[name]
    text = given_ if isinstance(given_, str) else json.dumps(given_)
    assert content(model, text) == (expected or _plain(text))


@given(
    JSON | st.text(),
    st.sampled_from([CLAUDE, LLAMA, TITAN, "amazon.nova-lite-v1:0", "acme.model-1"]),
)
def test_no_response_is_refused(value: Any, model: str) -> None:
    assert content(model, value if isinstance(value, str) else json.dumps(value)) is not None


# -- which calls -----------------------------------------------------------------------------------


def _call(model: str = CLAUDE, body: bytes = b"{}", last: str = "converse") -> Call:
    return Call("default", "POST", f"/model/{quote(model, safe='')}/{last}", Head.of(()), body)


_ASKS = (
    b'{"system":[{"text":"In Latin."}],"messages":[{"role":"user","content":[{"text":"Say'
    b' \\u00fc"}]}]}'
)


@pytest.mark.parametrize(
    ("when", "call", "expected"),
    [
        (Exactly(), _call(), True),
        (Exactly(model_id=CLAUDE), _call(), True),
        (Exactly(model_id=CLAUDE), _call(f"us.{CLAUDE}"), False),
        (Exactly(model_id="anthropic.*"), _call(), False),
        (Exactly(operation=("InvokeModel",)), _call(), False),
        (Exactly(operation=("InvokeModel",)), _call(last="invoke"), True),
        (Exactly(contains="Latin"), _call(body=_ASKS), True),
        (Exactly(contains="latin"), _call(body=_ASKS), False),
        (Exactly(contains="ü"), _call(body=_ASKS), True),
        (Exactly(contains="messages"), _call(body=_ASKS), False),
        (
            Exactly(contains="by heart"),
            _call("acme.model-1", b'{"question":"by heart"}', "invoke"),
            True,
        ),
    ],
)
def test_which_calls_it_is_about(when: Exactly, call: Call, expected: bool) -> None:
    assert when.matches(call) is expected


# -- layers ----------------------------------------------------------------------------------------


def _asked(engine: Engine, method: str, path: str, body: bytes = b"") -> Any:
    reply = engine.answer(method, path, Head.of(((b"host", b"localhost"),)), body).reply
    assert reply.status == 200
    return json.loads(reply.pieces[0].data)


def test_faults_that_are_used_up_do_not_pile_up() -> None:
    engine = Engine(Library(()))
    engine.control = Gate(engine)
    for _ in range(3):
        _asked(engine, "POST", "/_fakecloud/bedrock/faults", b'{"errorType":"ThrottlingException"}')
        assert engine.answer("POST", _call().path, Head.of(()), b"{}").reply.status == 429
    assert len(engine.sessions.get("default").layers.own.faults) == 1


def test_a_layer_of_the_same_name_stays() -> None:
    engine = Engine(Library(()))
    engine.control = Gate(engine)
    layers = engine.sessions.get("default").layers
    taken = Rule("fakecloud-response-1", (_plain("mine"),), When(prompt_contains="mine"))
    layers.add(taken)
    _asked(engine, "POST", "/_fakecloud/bedrock/models/m/response", b"ham")
    names = [rule.id for rule in layers.own.rules]
    assert taken in layers.own.rules
    assert len(names) == len(set(names)) == 3


# -- invocations -----------------------------------------------------------------------------------


def _listed(
    body: bytes = b"{}",
    *headers: tuple[bytes, bytes],
    last: str = "converse",
    said: Content | None = None,
) -> Any:
    """A call as it is listed, that a rule with this content answers."""
    engine = Engine(
        Library(()),
        overlay=Overlay((Rule("r", (said or _plain("ham"),), allows_unoffered_tools=True),)),
    )
    answer = engine.answer("POST", _call(last=last).path, Head.of(headers), body)
    return render_invocation(Record(Outcome(answer, 1.5, 0.25, True, len(answer.reply.pieces))))


def test_the_time_is_when_it_was_asked() -> None:
    assert _listed()["timestamp"] == "1970-01-01T00:00:01.500000+00:00"


def test_input_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    assert _listed(b"a\xffb")["input"] == "a�b"


def test_a_stream_that_says_no_text_is_the_list_of_what_it_says() -> None:
    said = Message((ToolUse("add", {"a": 1}, "t"),), "tool_use")
    events = json.loads(_listed(last="converse-stream", said=said)["output"])
    assert events[0] == {"role": "assistant"}
    assert {"stopReason": "tool_use"} in events


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (b"{}", None, None),
        (b'{"requestMetadata":{"a":"b"}}', None, {"a": "b"}),
        (b'{"requestMetadata":{"a":1,"b":"c"}}', None, {"b": "c"}),
        (b'{"requestMetadata":["a"]}', None, None),
        (b'{"requestMetadata":{}}', None, None),
        (b"no JSON", None, None),
        (b"{}", '{"Team-Name":"ü"}'.encode(), {"Team-Name": "ü"}),
        (b"{}", b"no JSON", None),
        (b'{"requestMetadata":{"a":"\\ud800"}}', None, {"a": "?"}),
    ],
)
def test_what_the_client_says_about_its_request(
    body: bytes, header: bytes | None, expected: Any
) -> None:
    listed = _listed(body, *([(METADATA, header)] if header is not None else []))
    assert listed.get("requestMetadata") == expected
    assert ("requestMetadata" in listed) is (expected is not None)
