"""Overlays as documents: what each key makes, and how every problem is told."""

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import jsonschema
import pytest

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.families.content import (
    Citation,
    CitedText,
    Embeddings,
    Image,
    Images,
    Json,
    Message,
    Ranking,
    Reasoning,
    Text,
    ToolUse,
    Usage,
)
from bedtape_replayer import Replayer
from bedtape_replayer.api.fakecloud import ROUTES as FAKECLOUD
from bedtape_replayer.api.session_routes import ROUTES as OWN
from bedtape_replayer.overlay.document import (
    OverlayInvalid,
    parse_fault,
    parse_overlay,
    parse_rule,
    read,
)
from bedtape_replayer.overlay.faults.corruption import Corrupt
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.events import Drop, Insert, Repeat, Swap
from bedtape_replayer.overlay.faults.kinds import KINDS
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.faults.midstream import Raise, RaiseUnmodelled
from bedtape_replayer.overlay.faults.quota import Quota
from bedtape_replayer.overlay.faults.reset import BreakOff
from bedtape_replayer.overlay.faults.semantic import Misanswer
from bedtape_replayer.overlay.faults.stall import Silence
from bedtape_replayer.overlay.faults.truncation import Truncate
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.schema import FAULT, OVERLAY, RULE
from bedtape_replayer.overlay.when import When

VALID_RULE, VALID_FAULT = map(jsonschema.Draft202012Validator, (RULE, FAULT))

PNG = b64encode(b"\x89PNG....").decode()


def named(kind: str) -> str:
    return f"{kind}-1"


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ({"text": "hi"}, Message((Text("hi"),))),
        ({"json": {"a": [1, None]}}, Message((Json({"a": [1, None]}),))),
        ({"json": None}, Message((Json(None),))),
        ({"text": ""}, Message((Text(""),))),
        ({"text": "hi", "stop_reason": "max_tokens"}, Message((Text("hi"),), "max_tokens")),
        ({"text": "hi", "stop_sequence": "\n"}, Message((Text("hi"),), "stop_sequence", "\n")),
        ({"text": "hi", "usage": {"input": 3}}, Message((Text("hi"),), usage=Usage(3, 0))),
        ({"tool": {"name": "t"}}, Message((ToolUse("t", {}),), "tool_use")),
        (
            {
                "text": "let me",
                "tool": [{"name": "t", "input": {"a": 1}, "id": "x"}, {"name": "u"}],
            },
            Message((Text("let me"), ToolUse("t", {"a": 1}, "x"), ToolUse("u", {})), "tool_use"),
        ),
        ({"reasoning": "hm", "text": "so"}, Message((Reasoning("hm"), Text("so")))),
        ({"reasoning": {"text": "hm", "signature": "s"}}, Message((Reasoning("hm", "s"),))),
        ({"reasoning": {"redacted": "YWJj"}}, Message((Reasoning("", None, b"abc"),))),
        (
            {"text": "so", "citations": [{"source": "a", "title": "t"}]},
            Message((CitedText("so", (Citation("a", "t"),)),)),
        ),
        (
            {
                "blocks": [
                    {"text": "a"},
                    {"image": PNG},
                    {"tool": {"name": "t"}},
                    {"reasoning": "r"},
                ]
            },
            Message(
                (Text("a"), Image(b"\x89PNG...."), ToolUse("t", {}), Reasoning("r")), "tool_use"
            ),
        ),
        ({"guardrail": "no"}, Message((Text("no"),), "guardrail_intervened")),
        ({"embedding": "auto"}, Embeddings()),
        ({"embedding": "auto", "dimension": 8}, Embeddings(None, 8)),
        ({"embedding": [1, 0.5]}, Embeddings(((1.0, 0.5),))),
        ({"embedding": [[1], [2]]}, Embeddings(((1.0,), (2.0,)))),
        ({"image": "auto"}, Images()),
        ({"image": [PNG]}, Images((b"\x89PNG....",))),
        ({"ranking": "auto"}, Ranking()),
        ({"ranking": [{"index": 1, "score": 1}]}, Ranking(((1, 1.0),))),
        ({"error": "ThrottlingException"}, Failure("ThrottlingException")),
        (
            {"error": "X", "message": "m", "status": 418, "members": {"a": 1}, "retry_after_ms": 5},
            Failure("X", "m", 418, {"a": 1}, 5),
        ),
        (
            {"raw": {"json": {"a": 1}, "status": 201, "headers": {"x": "y"}}},
            Raw(b'{"a":1}', None, None, 201, (("x", "y"),)),
        ),
        ({"raw": {"text": "hi"}}, Raw(b"hi")),
        ({"raw": {"base64": "YWJj"}}, Raw(b"abc")),
        ({"raw": {"chunks": [{"a": 1}]}}, Raw(chunks=({"a": 1},))),
        (
            {"raw": {"events": [{"messageStart": {"role": "assistant"}}]}},
            Raw(events=(("messageStart", {"role": "assistant"}),)),
        ),
    ],
)
def test_answers(answer: dict[str, Any], given: Any) -> None:
    document = {"answer": answer}
    VALID_RULE.validate(document)
    rule = parse_rule(document, named)
    assert rule.answers == (given,)
    assert (rule.id, rule.document) == ("rule-1", document)


def test_a_rule_has_conditions_a_schedule_a_family_and_a_name() -> None:
    document: dict[str, Any] = {
        "name": "spam",
        "when": {"operation": "Converse", "header": {"X-Tenant": "a*"}, "prompt_contains": "x"},
        "times": 2,
        "after": 1,
        "every": 3,
        "probability": 0.5,
        "family": "llama",
        "answers": [{"text": "a"}, {"error": "ThrottlingException"}],
    }
    VALID_RULE.validate(document)
    rule = parse_rule(document, named)
    assert rule.id == "spam"
    assert rule.when == When(("Converse",), prompt_contains="x", header={"x-tenant": "a*"})
    assert rule.schedule == Schedule(2, 1, 3, 0.5)
    assert rule.family == "llama"
    assert rule.answers == (Message((Text("a"),)), Failure("ThrottlingException"))


FAULTS: list[tuple[dict[str, Any], Any]] = [
    ({"error": "ThrottlingException"}, Refuse(Failure("ThrottlingException"))),
    ({"error": "Own", "status": 418, "message": "m"}, Refuse(Failure("Own", "m", 418))),
    ({"error": "ThrottlingException", "after_events": 2}, Raise("ThrottlingException", 2)),
    (
        {
            "error": "ModelStreamErrorException",
            "after_events": 0,
            "members": {"originalStatusCode": 500},
        },
        Raise("ModelStreamErrorException", 0, None, {"originalStatusCode": 500}),
    ),
    ({"http": {"status": 503, "text": "<html>"}}, Refuse(Failure(status=503, body=b"<html>"))),
    ({"http": {"status": 429, "json": {}}}, Refuse(Failure(status=429, body=b"{}"))),
    ({"latency": {"first_byte_ms": 5, "jitter_ms": 2}}, Delay(5, 0, 2)),
    ({"stall": {}}, Silence()),
    ({"stall": {"after_events": 1}}, Silence(1)),
    ({"error_frame": {"code": "c", "message": "m"}}, RaiseUnmodelled("c", "m")),
    ({"truncate": {"after_events": 1, "bytes_more": 5, "in_order": False}}, Truncate(1, 5, False)),
    ({"corrupt": {"what": "message_crc", "event": 2}}, Corrupt("message_crc", 2)),
    ({"drop": {"numbers": [1, 2]}}, Drop((1, 2))),
    ({"repeat": {"types": ["metadata"], "times": 3}}, Repeat((), ("metadata",), 3)),
    ({"swap": {"first": 1, "second": 2}}, Swap(1, 2)),
    ({"insert": {"type": "ping", "payload": {"a": 1}}}, Insert("ping", {"a": 1})),
    ({"reset": {"after_events": 1}}, BreakOff(1)),
    ({"reset": {"code": 8}}, BreakOff(code=8)),
    ({"quota": {"requests_per_minute": 5}}, Quota(5)),
    ({"misanswer": "max_tokens"}, Misanswer("max_tokens")),
    (
        {"misanswer": {"what": "content_filtered", "text": "no"}},
        Misanswer("content_filtered", "no"),
    ),
]


@pytest.mark.parametrize(("document", "harm"), FAULTS)
def test_faults(document: dict[str, Any], harm: Any) -> None:
    VALID_FAULT.validate(document)
    fault = parse_fault({**document, "times": 3}, named)
    assert fault.kind == harm
    assert (fault.id, fault.schedule.times) == ("fault-1", 3)


def test_every_kind_of_fault_is_in_the_table_above() -> None:
    assert {key for document, _ in FAULTS for key in document} >= set(KINDS)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(OVERLAY)


def problems(document: Any) -> list[str]:
    with pytest.raises(OverlayInvalid) as caught:
        parse_overlay({"bedtape-overlay": 1, **document})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"rules": [{"answer": {}}]},
            "rules[0].answer: expected at least 1 of text, json, schema, pieces",
        ),
        ({"rules": [{}]}, "rules[0]: expected exactly one of answer, answers, script, found none"),
        (
            {"rules": [{"answer": {"text": "a"}, "answers": [{"text": "a"}]}]},
            "exactly one of answer, answers",
        ),
        (
            {"rules": [{"answer": {"text": "a", "embedding": "auto"}}]},
            "expected one kind of answer",
        ),
        (
            {"rules": [{"answer": {"error": "Throtling"}}]},
            "expected an error among AccessDeniedException",
        ),
        (
            {"rules": [{"answer": {"text": "a", "json": 1}}]},
            "expected one of text, pieces, json, schema and refusal, found text and json",
        ),
        (
            {"rules": [{"answer": {"text": "a", "status": 400}}]},
            "expected status only with an error",
        ),
        (
            {"rules": [{"answer": {"embedding": "auto", "stop_reason": "end_turn"}}]},
            "expected stop_reason only with",
        ),
        (
            {"rules": [{"answer": {"text": "a", "stop_reason": "end"}}]},
            "rules[0].answer.stop_reason: expected one of",
        ),
        (
            {"rules": [{"answer": {"blocks": [{"text": "a", "image": PNG}]}}]},
            "exactly one of text, reasoning, tool",
        ),
        ({"rules": [{"answer": {"blocks": [{"citations": []}]}}]}, "citations of a text"),
        (
            {"rules": [{"answer": {"text": "a"}, "family": "lama"}]},
            "rules[0].family: expected a family that is known",
        ),
        (
            {"rules": [{"answer": {"text": "a"}, "when": {"prompt_regex": "("}}]},
            "expected a regular expression",
        ),
        (
            {"rules": [{"answer": {"text": "a"}, "when": {}}]},
            "rules[0].when: expected at least 1 of operation",
        ),
        (
            {"rules": [{"answer": {"text": "a"}, "when": {"operation": []}}]},
            "rules[0].when.operation",
        ),
        ({"rules": [{"answer": {"image": "?"}}]}, "rules[0].answer.image"),
        ({"faults": [{"error": "A", "stall": {}}]}, "faults[0]: expected exactly one of error"),
        ({"faults": [{"latency": {}}]}, "faults[0].latency: expected a valid fault, found"),
        ({"faults": [{"stall": {}, "status": 4}]}, "faults[0].status"),
        (
            {"faults": [{"stall": {}, "message": "m"}]},
            "expected message beside error only, found it beside stall",
        ),
        (
            {"faults": [{"error": "ExpiredTokenException", "after_events": 1}]},
            "expected an exception that streams have",
        ),
        (
            {
                "faults": [
                    {
                        "error": "ModelTimeoutException",
                        "after_events": 1,
                        "when": {"operation": "ConverseStream"},
                    }
                ]
            },
            "ModelTimeoutException is in the streams of InvokeModelWithResponseStream",
        ),
        (
            {"faults": [{"error": "ThrottlingException", "after_events": 1, "status": 429}]},
            "status with after_events",
        ),
        (
            {"rules": [{"answer": {"text": "a"}, "when": {"json_path": {"a[": 1}}}]},
            "expected a JSON path, found expected",
        ),
        ({"faults": [{"stall": {}, "when": {"json_path": {"a..b": 1}}}]}, "members joined by dots"),
        (
            {"rules": [{"answer": {"raw": {"text": "a", "headers": {"a": "b\n"}}}}]},
            "what an HTTP header can hold",
        ),
        ({"rules": [{"answer": {"raw": {"text": "a", "status": 204}}}]}, "that may have a body"),
        ({"rules": [{"answer": {"raw": {"events": [{"a": 1, "b": 2}]}}}]}, "2 types in one"),
        ({"faults": [{"http": {"status": 500, "text": "a", "json": 1}}]}, "a body is one of them"),
        (
            {"faults": [{"misanswer": {"what": "max_tokens", "family": "lama"}}]},
            "expected a family among",
        ),
        ({"rule": []}, "rule: expected no key 'rule', found []; did you mean rules?"),
        (
            {
                "rules": [{"name": "a", "answer": {"text": "x"}}],
                "faults": [{"name": "a", "stall": {}}],
            },
            "rename one",
        ),
        ({"seed": "x"}, "seed: expected a whole number"),
        ({"ids": "other"}, "ids: expected one of equal, unique"),
    ],
)
def test_what_is_wrong_is_said(document: Any, said: str) -> None:
    assert any(said in problem for problem in problems(document)), problems(document)


def test_a_file_is_read_and_layers_are_named() -> None:
    overlay = read(
        b"bedtape-overlay: 1\nseed: 7\nids: unique\nrules:\n- answer: {text: a}\n- {name: own,"
        b" answer: {text: b}}\nfaults:\n- stall: {}\n",
        "o",
    )
    assert [rule.id for rule in overlay.rules] == ["file-rule-1", "own"]
    assert [fault.id for fault in overlay.faults] == ["file-fault-1"]
    assert (overlay.seed, overlay.ids) == (7, "unique")


def test_every_problem_of_a_file_has_its_line() -> None:
    text = (
        b"bedtape-overlay: 1\nrules:\n- when:\n    turn: 0\n  answer: {text: a}\nfaults:\n- eror:"
        b" X\n- stall: {after: 1}\n"
    )
    with pytest.raises(OverlayInvalid) as caught:
        read(text, "faults.yaml")
    assert str(caught.value).splitlines() == [
        "faults.yaml:4: expected a number from 1 at rules[0].when.turn, found 0",
        "faults.yaml:7: expected no key 'eror' at faults[0].eror, found \"X\"; did you mean error?",
        "faults.yaml:7: expected exactly one of "
        + ", ".join(KINDS)
        + " at faults[0], found none of them",
        (
            "faults.yaml:8: expected no key 'after' at faults[1].stall.after, found 1; known are"
            " after_events"
        ),
    ]


@pytest.mark.parametrize(
    "text", [b"- a\n", b"bedtape-overlay: 2\n", b"rules: []\n", b"a: &x 1\nb: *x\n", b"\xff"]
)
def test_what_is_no_overlay_is_refused(text: bytes) -> None:
    with pytest.raises((OverlayInvalid, CassetteInvalid)):
        read(text, "o")


# -- bounds ----------------------------------------------------------------------------------------


def _numbers(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every part of a schema that accepts numbers."""
    if isinstance(schema, dict):
        kinds = schema.get("type", ())
        if {"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds):
            yield path, schema
        for key, part in schema.items():
            yield from _numbers(part, f"{path}/{key}")
    elif isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from _numbers(part, f"{path}/{number}")


REQUESTS = {
    "overlay": OVERLAY,
    **{f"{route.method} {route.path}": route.takes for route in (*OWN, *FAKECLOUD) if route.takes},
    **{f"{route.method} {route.path}?": route.query for route in OWN if route.query},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_number_has_bounds(name: str) -> None:
    unbounded = [
        path
        for path, schema in _numbers(REQUESTS[name])
        if not {"minimum", "maximum"} <= schema.keys()
    ]
    assert not unbounded


@pytest.mark.parametrize("digits", ["9" * 400, "-" + "9" * 400])
@pytest.mark.parametrize(
    "layer",
    [
        '"faults": [{"latency": {"first_byte_ms": N}}]',
        '"faults": [{"error": "ThrottlingException", "members": {"a": [N]}}]',
        '"rules": [{"answer": {"embedding": [1, N]}}]',
        '"rules": [{"answer": {"json": {"a": N}}}]',
        '"rules": [{"answer": {"tool": {"name": "a", "input": {"b": N}}}}]',
        '"rules": [{"when": {"json_path": {"a": N}}, "answer": {"text": "a"}}]',
        '"rules": [{"when": {"turn": N}, "answer": {"text": "a"}}]',
        '"rules": [{"answer": {"raw": {"json": N}}}]',
        '"seed": N',
    ],
)
def test_a_number_of_400_digits_is_one_problem(layer: str, digits: str) -> None:
    text = f'{{"bedtape-overlay": 1, {layer.replace("N", digits)}}}'
    with pytest.raises(OverlayInvalid) as refused:
        read(text.encode(), "overlay.json")
    (problem,) = refused.value.problems
    assert "number" in problem.expected
    assert len(str(problem)) < 400


@pytest.mark.parametrize(
    ("layer", "place"),
    [
        ({"answer": {"text": "cut \ud83d"}}, "answer.text"),
        ({"answer": {"tool": {"name": "w", "input": {"q": ["\ud83d"]}}}}, "answer.tool.input.q[0]"),
        ({"answer": {"json": {"\ud83d": 1}}}, "answer.json"),
        ({"answer": {"json": float("nan")}}, "answer.json"),
        ({"answer": {"tool": {"name": "w", "input": {"n": float("inf")}}}}, "answer.tool.input.n"),
        ({"error": "ThrottlingException", "message": "cut \ud83d"}, "message"),
        ({"http": {"status": 500, "json": {"n": float("nan")}}}, "http.json.n"),
    ],
)
def test_what_cannot_be_sent_is_refused_where_it_is_said(layer: dict[str, Any], place: str) -> None:
    parse = parse_rule if "answer" in layer else parse_fault
    with pytest.raises(
        OverlayInvalid, match=r"expected (text that UTF-8 can hold|a finite number)"
    ) as caught:
        parse(layer, lambda kind: f"{kind}-1")
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    "returned", ["cut \ud83d", {"a": "\ud83d"}, {"a": float("nan")}, {"json": {1, 2}}]
)
def test_a_function_that_returns_what_cannot_be_sent(returned: Any) -> None:
    with Replayer(()) as server:
        server.respond(lambda call: returned)
        body = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/model/amazon.nova-lite-v1%3A0/converse", json.dumps(body))
        with closing(connection), connection.getresponse() as answer:
            assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "OverlayException")
        assert len(server.calls) == 1
