"""The answer has the values of the request: session ids of agents, and the
matches of placeholders.
"""

import json

import pytest
from botocore.model import StructureShape
from botocore.session import get_session

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_replayer.answering.binding import ECHOED
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from support.recordings import record_interaction, stream

NAME = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
URL = (
    "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fabc/invocations"
)


def headers_of(shape: StructureShape | None) -> set[str]:
    members = shape.members.values() if isinstance(shape, StructureShape) else ()
    return {
        m.serialization["name"].lower()
        for m in members
        if m.serialization.get("location") == "header"
    }


def test_the_table_has_each_session_header_that_an_answer_repeats() -> None:
    expected: dict[str, str] = {}
    for service in ("bedrock-runtime", "bedrock-agent-runtime", "bedrock-agentcore"):
        model = get_session().get_service_model(service)
        for name in model.operation_names:
            operation = model.operation_model(name)
            both = headers_of(operation.input_shape) & headers_of(operation.output_shape)
            expected.update(
                (name, each)
                for each in both
                if "session-id" in each and not each.startswith("mcp-")
            )
    assert {name: header.decode() for name, header in ECHOED.items()} == expected


def test_a_recording_of_another_session_answers_with_the_id_that_was_sent() -> None:
    answers = (("Content-Type", "application/json"), (NAME, "r" * 36))
    interaction = record_interaction(b"{}", b'{"a":1}', url=URL, headers=answers)
    engine = Engine(Library([Cassette("c", (interaction,))]))
    for sent in ("a" * 36, "b" * 36):
        reply = engine.answer("POST", URL, Head.of(((NAME.encode(), sent.encode()),)), b"{}").reply
        assert [v.decode() for n, v in reply.headers if n.lower() == NAME.lower().encode()] == [
            sent
        ]
    reply = engine.answer("POST", URL, Head.of(()), b"{}").reply
    assert [v.decode() for n, v in reply.headers if n.lower() == NAME.lower().encode()] == [
        "r" * 36
    ]


UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OLD, NEW, LAST = (f"{n}c1e8f0e-1f5a-4b6e-9a55-0b7a3f3d1c1{n}" for n in (6, 7, 8))


INVOCATION = "/sessions/s1/invocations/x"


def answer(
    url: str,
    recorded: object,
    sent: object,
    said: object,
    placeholder: str | list[str],
    sent_to: str = "",
    *,
    spaces: bool = True,
) -> object:
    """The JSON of the answer. spaces: whether the recorded JSON has spaces."""
    separators = None if spaces else (",", ":")
    interaction = record_interaction(
        json.dumps(recorded).encode(), json.dumps(said, separators=separators).encode(), url=url
    )
    rules = match_rules(placeholder=[placeholder] if isinstance(placeholder, str) else placeholder)
    engine = Engine(Library([Cassette("c", (interaction,))], rules))
    reply = engine.answer("POST", sent_to or url, Head.of(()), json.dumps(sent).encode()).reply
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


@pytest.mark.parametrize("place", ["path", "body", "text", "json"])
def test_an_answer_has_the_value_that_was_sent_in_place_of_the_recorded_one(place: str) -> None:
    def ask(value: str) -> object:
        match place:
            case "body":
                return {"invocationIdentifier": value}
            case "text":
                return {"messages": [{"content": f"run {value}: go"}]}
            case "json":
                return {"arguments": json.dumps({"id": value})}
        return {}

    url = "/sessions/{}/invocations/x" if place == "path" else "/sessions/s1/invocations/x"
    said = {"invocationId": OLD, "other": LAST, "text": f"this is {OLD}."}
    expected = {"invocationId": NEW, "other": LAST, "text": f"this is {NEW}."}
    assert answer(url.format(OLD), ask(OLD), ask(NEW), said, UUID, url.format(NEW)) == expected


def test_values_that_change_places_are_bound_in_one_pass() -> None:
    one, other = {"a": OLD, "b": NEW}, {"a": NEW, "b": OLD}
    assert answer("/sessions/s1/invocations/x", one, other, one, UUID) == other


def test_a_value_that_stands_for_two_values_stays() -> None:
    sent = {"a": NEW, "b": LAST}
    assert answer("/sessions/s1/invocations/x", {"a": OLD, "b": OLD}, sent, {"c": OLD}, UUID) == {
        "c": OLD
    }


def test_placeholders_are_paired_as_the_match_key_replaces_them() -> None:
    """A later pattern does not search what an earlier pattern matched."""
    rules = [UUID, r"\d{8}"]
    old = {"text": "trace aabbccdd-aaaa-4bbb-8ccc-eeeeeeeeeeee order 55512345"}
    new = {"text": "trace 12345678-1f5a-4b6e-9a55-0b7a3f3d1c11 order 77798765"}
    assert answer(INVOCATION, old, new, {"text": "order 55512345"}, rules) == {
        "text": "order 77798765"
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"n": 12345678, "text": "12345678"}, {"n": 12345678, "text": "00123456"}),
        ({"text": "call +1123456789"}, {"text": "call +1123456789"}),
        ({"text": "12345678, or (12345678)"}, {"text": "00123456, or (00123456)"}),
    ],
)
@pytest.mark.parametrize("spaces", [True, False], ids=["text", "json"])
def test_values_are_replaced_as_words_of_texts(
    said: object, expected: object, spaces: bool
) -> None:
    old, new = {"text": "order 12345678"}, {"text": "order 00123456"}
    assert answer(INVOCATION, old, new, said, [r"\d{8}"], spaces=spaces) == expected


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_value_that_the_model_cut_over_events_is_bound(pieces: int) -> None:
    """A test that reads its session id in the text of a stream would fail otherwise."""
    said = f"Session {OLD}, not {LAST}."
    size = -(-len(said) // pieces)
    recorded = stream(f"open {OLD}", [said[at : at + size] for at in range(0, len(said), size)])
    body = recorded.request.body.data.replace(OLD.encode(), NEW.encode())
    engine = Engine(Library([Cassette("c", (recorded,))], match_rules(placeholder=[UUID])))
    reply = engine.answer("POST", recorded.request.path, Head.of(()), body).reply
    deltas = [
        event["delta"]["text"]
        for frame in eventstream.decode_all(b"".join(piece.data for piece in reply.pieces))
        for event in [json.loads(frame.payload)]
        if "text" in event.get("delta", {})
    ]
    assert "".join(deltas) == said.replace(OLD, NEW)
    assert len(deltas) == pieces


def test_values_of_a_stream_that_change_places_are_bound_in_one_pass() -> None:
    recorded = stream(f"{OLD} {NEW}", [f"{OLD} {NEW[:9]}", f"{NEW[9:]} {LAST}"])
    body = json.dumps(json.loads(recorded.request.body.data)).replace(OLD, "#")
    body = body.replace(NEW, OLD).replace("#", NEW)
    engine = Engine(Library([Cassette("c", (recorded,))], match_rules(placeholder=[UUID])))
    reply = engine.answer("POST", recorded.request.path, Head.of(()), body.encode()).reply
    played = b"".join(piece.data for piece in reply.pieces)
    assert f"{NEW} {OLD[:9]}".encode() in played
    assert f"{OLD[9:]} {LAST}".encode() in played


def test_a_value_that_the_call_has_too_stays() -> None:
    old = {"system": "cutoff 2024-01-01", "text": "now 2024-01-01"}
    new = {"system": "cutoff 2024-01-01", "text": "now 2025-05-05"}
    said = {"text": "cutoff 2024-01-01 only"}
    assert answer(INVOCATION, old, new, said, [r"\d{4}-\d\d-\d\d"]) == said


def test_a_secret_of_the_call_does_not_get_into_the_answer() -> None:
    rules = match_rules(placeholder=[UUID], redact=[f"key-{UUID}"])
    body = json.dumps({"text": f"key key-{LAST} user {OLD}"}).encode()
    clean = scrub(body, rules.redaction)
    interaction = record_interaction(clean, f'{{"text":"hello {OLD}"}}'.encode(), url=INVOCATION)
    engine = Engine(Library([Cassette("c", (interaction,))], rules))
    sent = json.dumps({"text": f"key key-{LAST} user {NEW}"}).encode()
    reply = engine.answer("POST", INVOCATION, Head.of(()), sent).reply
    assert json.loads(reply.body) == {"text": f"hello {NEW}"}


def test_values_are_paired_in_json_texts_by_name() -> None:
    def ask(**ids: str) -> object:
        call = {"function": {"name": "f", "arguments": json.dumps(ids)}}
        return {"messages": [{"role": "assistant", "tool_calls": [call]}]}

    url = "/openai/v1/chat/completions"
    said = {"one": OLD, "two": LAST}
    new_one, new_two = NEW, NEW.replace("7", "9")
    sent = ask(b=new_two, a=new_one)
    assert answer(url, ask(a=OLD, b=LAST), sent, said, UUID) == {"one": new_one, "two": new_two}


def test_a_header_keeps_its_value_if_the_sent_one_is_none() -> None:
    answers = (("Content-Type", "application/json"), ("x-amz-bedrock-agent-session-id", "abc"))
    url = "/agents/A1/agentAliases/B1/sessions/{}/text"
    interaction = record_interaction(b"{}", b"{}", url=url.format("abc"), headers=answers)
    rules = match_rules(placeholder=["(?<=/sessions/)[^/]+"])
    engine = Engine(Library([Cassette("c", (interaction,))], rules))
    evil = url.format("a%0d%0aX-Evil%3A%201")
    reply = engine.answer("POST", evil, Head.of(()), b"{}").reply
    assert not [value for _, value in reply.headers if b"Evil" in value]
