"""The control API without a socket: who may ask, what is answered, and that its
OpenAPI document says so.

The oracles are jsonschema and openapi-spec-validator, which read the document as
other people's tools do.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from bedtape_cassettes.model import Interaction
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.api.schemas import NAMED
from bedtape_replayer.api.session_routes import ROUTES
from bedtape_replayer.engine.editor import EditableText
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.live import DelayedReply
from bedtape_replayer.engine.session import Session
from bedtape_replayer.overlay.document import parse_overlay
from bedtape_replayer.overlay.schema import OVERLAY
from support.authored import ask
from support.contents import JSON
from support.event_stream import collect
from support.recordings import converse, stream
from support.scene import Scene, aws

HERE = (("host", "127.0.0.1:4566"),)
S = "/_bedtape/sessions"
RULE: dict[str, Any] = {"when": {"prompt_contains": "spam"}, "answer": {"text": "ham"}}
FAULT: dict[str, Any] = {"error": "ThrottlingException", "times": 1}
LAID: dict[str, Any] = {
    "bedtape-overlay": 1,
    "seed": 7,
    "rules": [{**RULE, "name": "mine"}],
    "faults": [FAULT],
}


def sent(
    gate: Gate,
    method: str,
    path: str,
    body: object = b"",
    headers: tuple[tuple[str, str], ...] = HERE,
) -> tuple[Reply, Any]:
    """The reply to a request, also one that the server makes in a thread, and its JSON. body:
    bytes, or what becomes JSON.
    """
    head = Head.of(tuple((name.encode(), value.encode("latin-1")) for name, value in headers))
    reply = gate(
        "default",
        method,
        path,
        head,
        body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
    assert reply is not None
    if isinstance(reply, DelayedReply):
        reply = reply.work()
    return reply, json.loads(reply.pieces[0].data)


def got(gate: Gate, method: str, path: str, body: object = b"", status: int = 200) -> Any:
    reply, value = sent(gate, method, path, body)
    assert reply.status == status, value
    return value


class Edited:
    """An editor that writes nothing."""

    def read(self, file: str) -> EditableText | None:
        return EditableText(file, "text", "1")

    def write(self, edited: EditableText) -> EditableText:
        return edited

    def keep(self, cassette: str, interaction: Interaction) -> str:
        return f"{cassette}/{interaction.operation}.yaml"


def talk() -> tuple[Scene, Gate]:
    """A session with calls for an answer, a stream, what nobody recorded, and what is no JSON."""
    scene = Scene(converse("a", "1"), stream("b", ["2", "3"]), converse("never", "4"))
    use = {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Lyon"}}}
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "sunny"}]}}
    turns = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    scene.send(ask("a"), headers=aws("i-1", 1))
    scene.send(ask("b"), operation="converse-stream", headers=[("authorization", "Bearer secret")])
    scene.send(
        {"messages": turns, "system": [{"text": "Hm."}], "inferenceConfig": {"temperature": 0.5}}
    )
    scene.send(b"\xff", complete=False)
    scene.engine.editor = Edited()
    return scene, Gate(scene.engine)


@pytest.fixture
def gate() -> Gate:
    return talk()[1]


@cache
def served() -> Any:
    """The document."""
    return got(talk()[1], "GET", "/_bedtape/openapi.json")


@pytest.fixture
def document() -> Any:
    return served()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def validator(document: Any, schema: Any) -> jsonschema.Draft202012Validator:
    """Of a schema that refers to the document's components."""
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def answers(
    document: Any, name: str, kind: str = "200", media: str = "application/json"
) -> jsonschema.Draft202012Validator:
    (described,) = [
        operation for _, _, operation in operations(document) if operation["operationId"] == name
    ]
    return validator(document, described["responses"][kind]["content"][media]["schema"])


def takes(document: Any, name: str) -> jsonschema.Draft202012Validator:
    (described,) = [
        operation for _, _, operation in operations(document) if operation["operationId"] == name
    ]
    return validator(document, described["requestBody"]["content"]["application/json"]["schema"])


# -- the document ----------------------------------------------------------------------------------


def test_it_is_an_openapi_document(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_it_and_none_more(document: Any) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == {
        (r.method, r.path) for r in ROUTES
    }
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-zA-Z]*", name) for name in names)


def test_every_component_is_referred_to(document: Any) -> None:
    """Types are generated from them, and one that nobody gives or takes would be a lie."""
    text = json.dumps(document)
    for name in NAMED:
        assert f'"#/components/schemas/{name}"' in text, name
    for name in (
        "Call",
        "Session",
        "Rule",
        "Fault",
        "Answer",
        "When",
        "Cassette",
        "Finding",
        "Overlay",
        "Error",
    ):
        assert name in document["components"]["schemas"]


def test_it_takes_the_overlay_that_files_have(document: Any, gate: Gate) -> None:
    assert got(gate, "GET", "/_bedtape/overlay.schema.json") == OVERLAY
    rules = document["components"]["schemas"]["Overlay"]["properties"]["rules"]
    assert rules["items"] == {"$ref": "#/components/schemas/Rule"}


# The requests, in this order; the answer to each is held against the document.
ASKED: list[tuple[str, str, str, Any]] = [
    ("health", "GET", "/_bedtape/health", b""),
    ("live", "GET", "/_bedtape/live", b""),
    ("ready", "GET", "/_bedtape/ready", b""),
    ("openapi", "GET", "/_bedtape/openapi.json", b""),
    ("overlaySchema", "GET", "/_bedtape/overlay.schema.json", b""),
    ("clock", "GET", "/_bedtape/clock", b""),
    ("advanceClock", "POST", "/_bedtape/clock", {"advance": 0.5}),
    ("cassettes", "GET", "/_bedtape/cassettes", b""),
    ("cassette", "GET", "/_bedtape/cassettes/made", b""),
    ("recordingText", "GET", "/_bedtape/recordings/made%2F1.yaml", b""),
    (
        "setRecordingText",
        "PUT",
        "/_bedtape/recordings/made%2F1.yaml",
        {"text": "new", "version": "1"},
    ),
    ("keepCall", "POST", f"{S}/default/calls/1/keep", {"cassette": "made"}),
    ("addRule", "POST", f"{S}/default/rules", RULE),
    (
        "addRule",
        "POST",
        f"{S}/default/rules",
        {"answers": [{"text": "a"}, {"error": "ConflictException"}], "name": "turns"},
    ),
    ("addFault", "POST", f"{S}/default/faults", FAULT),
    (
        "addFault",
        "POST",
        f"{S}/default/faults",
        {"latency": {"first_byte_ms": 1}, "when": {"turn": 9}},
    ),
    ("sessions", "GET", S, b""),
    ("session", "GET", f"{S}/default", b""),
    ("setSession", "PUT", f"{S}/default", {"cassette": "made", "strict": True}),
    ("overlay", "GET", f"{S}/default/overlay", b""),
    ("calls", "GET", f"{S}/default/calls", b""),
    ("call", "GET", f"{S}/default/calls/3", b""),
    ("assert", "POST", f"{S}/default/assert", {"called": {"prompt_contains": "a"}}),
    ("assert", "POST", f"{S}/default/assert", {"not_called": {"prompt_contains": "a"}}),
    ("verdict", "GET", f"{S}/default/verdict", b""),
    ("unplayed", "GET", f"{S}/default/unplayed", b""),
    ("unused", "GET", f"{S}/default/unused", b""),
    ("summary", "GET", f"{S}/default/summary", b""),
    ("setOverlay", "PUT", f"{S}/default/overlay", LAID),
    ("setSimulate", "PUT", f"{S}/default/simulate", {"limits": {"context_tokens": 9}}),
    ("removeLayer", "DELETE", f"{S}/default/layers/mine", b""),
    ("clearOverlay", "DELETE", f"{S}/default/overlay", b""),
    ("forgetCalls", "DELETE", f"{S}/default/calls", b""),
    ("resetSession", "POST", f"{S}/default/reset", b""),
    ("dropSession", "DELETE", f"{S}/default", b""),
    ("reset", "POST", "/_bedtape/reset", b""),
]


def test_every_answer_is_as_the_document_says(document: Any, gate: Gate) -> None:
    for name, method, path, body in ASKED:
        answers(document, name).validate(got(gate, method, path, body))
    assert {name for name, *_ in ASKED} == {
        route.name for route in ROUTES if route.media == "application/json"
    }


def test_every_event_is_as_the_document_says(document: Any, gate: Gate) -> None:
    valid = answers(document, "events", media="text/event-stream")
    events = collect(gate)
    for _, data in events:
        valid.validate(data)
    assert {name for name, _ in events} == {"sessions", "ended", "ready"}


def test_a_verdict_is_as_the_document_says(document: Any) -> None:
    scene, gate = talk()
    for attempt in (1, 2):
        scene.send(ask("unknown"), headers=aws("i-2", attempt))
    (finding,) = got(gate, "GET", f"{S}/default/verdict")
    answers(document, "verdict").validate([finding])
    assert finding["kind"] == "retried_what_it_must_not"
    assert finding["group"] == "i-2"


def test_functions_of_python_are_told_by_name(document: Any) -> None:
    scene, gate = talk()

    class Here:
        """A server whose thread is this one."""

        engine = scene.engine

        def session_url(self, session: str) -> str:
            return session

        def run(self, function: Any) -> Any:
            return function()

    Session("default", Here()).respond(_answering, model="*claude*")
    told = got(gate, "GET", f"{S}/default/overlay")
    answers(document, "overlay").validate(told)
    assert told["rules"][0]["answer"] == {"function": "_answering"}


def _answering(call: Any) -> str:
    return str(call.number)


def test_all_of_a_call_is_told(gate: Gate) -> None:
    calls = got(gate, "GET", f"{S}/default/calls")["calls"]
    assert [(call["number"], call["status"], call["source"], call["text"]) for call in calls] == [
        (1, 200, "cassette", "1"),
        (2, 200, "cassette", "23"),
        (3, 400, "miss", None),
        (4, 400, "miss", None),
    ]
    assert (calls[0]["invocation_id"], calls[0]["user_agent"], calls[0]["last_prompt"]) == (
        "i-1",
        "Boto3/1.44",
        "a",
    )
    assert calls[0]["usage"] == {"input": 1, "output": 1, "cache_read": 0, "cache_write": 0}
    assert "secret" not in json.dumps(calls[1]["headers"])
    assert calls[2]["messages"][0]["calls"] == [
        {"name": "weather", "input": {"city": "Lyon"}, "id": "t1"}
    ]
    assert calls[2]["tool_results"] == [{"id": "t1", "text": "sunny", "name": "weather"}]
    assert (calls[2]["system"], calls[2]["temperature"]) == ("Hm.", 0.5)
    assert (calls[3]["body"], calls[3]["body_base64"], calls[3]["hung_up"]) == (None, "/w==", True)
    assert json.loads(calls[0]["body"]) == ask("a")


def test_a_summary_keeps_the_misses_of_forgotten_calls() -> None:
    """A miss that the history has dropped must not make a test of Go or Java pass."""
    scene, gate = talk()
    session = scene.engine.sessions.get("default")
    problems = got(gate, "GET", f"{S}/default/summary")["problems"]
    assert len(problems) == 2
    session.history.limit = 4
    for _ in range(20):
        scene.send(ask("a"))
    summary = got(gate, "GET", f"{S}/default/summary")
    assert summary["text"].startswith("after 20 older calls, 4 calls:")
    assert summary["problems"] == problems
    got(gate, "DELETE", f"{S}/default/calls")
    assert got(gate, "GET", f"{S}/default/summary") == {"text": "0 calls", "problems": []}


def test_forgotten_calls_that_were_answered_are_no_problem() -> None:
    scene = Scene(converse("a", "1"))
    scene.session.history.limit = 1
    for _ in range(3):
        scene.send(ask("a"))
    summary = got(Gate(scene.engine), "GET", f"{S}/default/summary")
    assert summary["text"].startswith("after 2 older calls, 1 call:")
    assert summary["problems"] == []


# Each method of a session in Python, and its route for other languages.
SAME = {
    "respond": {"addRule"},
    "script": {"addRule"},
    "fail": {"addFault"},
    "fault": {"addFault"},
    "overlay": {"setOverlay", "overlay", "clearOverlay"},
    "simulate": {"setSimulate"},
    "remove": {"removeLayer"},
    "calls": {"calls", "call", "forgetCalls", "summary"},
    "assert_called": {"assert"},
    "assert_not_called": {"assert"},
    "assert_sequence": {"assert"},
    "assert_cached": {"assert"},
    "assert_all_played": {"assert", "unplayed"},
    "assert_all_used": {"assert"},
    "unused": {"unused"},
    "verdict": {"verdict"},
    "play": {"setSession", "cassettes", "cassette"},
    "advance": {"advanceClock", "clock"},
    "reset": {"resetSession", "reset", "dropSession"},
    "url": {"session", "sessions", "health", "live", "ready"},
}


def test_all_that_python_can_do_any_language_can() -> None:
    assert {name for name in vars(Session) if not name.startswith("_")} <= SAME.keys()
    # In Python, events are the observer of a Replayer, and a program changes cassettes
    # with bedtape_cassettes.
    described = {
        "openapi",
        "overlaySchema",
        "events",
        "metrics",
        "keepCall",
        "recordingText",
        "setRecordingText",
    }
    assert set().union(*SAME.values()) | described == {route.name for route in ROUTES}


# -- what is taken ---------------------------------------------------------------------------------

TAKING: dict[str, tuple[str, str, Any]] = {
    "setRecordingText": (
        "PUT",
        "/_bedtape/recordings/made%2F1.yaml",
        {"text": "new", "version": "1"},
    ),
    "keepCall": ("POST", f"{S}/default/calls/1/keep", {"cassette": "made"}),
    "advanceClock": ("POST", "/_bedtape/clock", {"advance": 1}),
    "setSession": ("PUT", f"{S}/default", {"cassette": "made", "strict": None}),
    "setOverlay": ("PUT", f"{S}/default/overlay", LAID),
    "setSimulate": ("PUT", f"{S}/default/simulate", {"limits": {"context_tokens": 9}}),
    "addRule": ("POST", f"{S}/default/rules", {**RULE, "times": 2, "probability": 0.5}),
    "addFault": (
        "POST",
        f"{S}/default/faults",
        {**FAULT, "message": "m", "when": {"operation": "Converse"}},
    ),
    "assert": ("POST", f"{S}/default/assert", {"called": {"prompt_contains": "a", "times": 1}}),
}


def test_every_route_that_takes_something_is_in_the_table_above() -> None:
    assert TAKING.keys() == {route.name for route in ROUTES if route.takes is not None}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*path, key))


def _changed(value: Any, path: tuple[Any, ...], other: Any, more: str) -> Any:
    """A copy that has something else at the path; one member more where an object is."""
    if path:
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[path[0]] = _changed(value[path[0]], path[1:], other, more)
        return copy
    return {**value, more: other} if isinstance(value, dict) and more not in value else other


_OTHERS = JSON | st.sampled_from([None, True, 0, 1, -1, 1.0, 1.5, "", "x", [], {}, {"turn": 1}])
_MORE = st.sampled_from(
    ["x", "when", "answer", "times", "turn", "stall", "status", "name", "sequence"]
)
_CHANGES = st.lists(st.tuples(st.integers(0, 1000), _OTHERS, _MORE), max_size=2)


# What no JSON Schema says: these are refused although their schema holds.
_BEYOND = re.compile(
    "expected (a fault that can|a number of calls|one kind of answer|status only|message only|a"
    " name of its own|times, or at_least|at_most|a regular expression|a family that|one of"
    " text|\\w+ beside error|\\w+ only with|exactly one of text|an exception)|no cassette is"
    " named|a layer is named|json_path"
)


@pytest.mark.parametrize("name", TAKING)
@settings(derandomize=True, deadline=None)
@given(changes=_CHANGES)
def test_schemas_refuse_what_routes_refuse(name: str, changes: list[tuple[int, Any, str]]) -> None:
    """What the route takes, changed in a place or two: one member more, or another value."""
    method, path, body = TAKING[name]
    for at, other, more in changes:
        places = list(_places(body))
        body = _changed(body, places[at % len(places)], other, more)
    scene = Scene(converse("a", "1"))
    scene.engine.editor = Edited()
    scene.send(ask("a"))
    reply, told = sent(Gate(scene.engine), method, path, body)
    if takes(served(), name).is_valid(body):
        assert reply.status == 200 or (
            reply.status in (400, 404, 409) and _BEYOND.search(told["error"])
        ), told
    else:
        assert reply.status == 400, (body, told)


@settings(derandomize=True, deadline=None)
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]),
    st.sampled_from([r.path for r in ROUTES]) | st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?"), min_size=1).map("/_bedtape/{}".format),
    st.sampled_from(["", "?", "?limit=0", "?limit=-1", "?since=x", "?limit=1&limit=2", "?a=%ff", "?prompt_regex=(", "?turn=²"]),
    st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
def test_whatever_is_asked_is_answered(method: str, path: str, query: str, body: bytes) -> None:
    reply, told = sent(talk()[1], method, path.replace("{session}", "default") + query, body)
    assert reply.status in (200, 400, 404, 405, 409)
    assert reply.status == 200 or told["error"]


def test_deep_json_does_no_harm(gate: Gate) -> None:
    body = b'{"answer":{"json":' + b"[" * 100 + b"]" * 100 + b"}}"
    assert got(gate, "POST", f"{S}/default/rules", body)["name"] == "rule-1"
    assert got(gate, "GET", f"{S}/default/overlay")["rules"]


# -- who may ask -----------------------------------------------------------------------------------

TOKEN = "tök3n-of-16-characters"
WIRE = TOKEN.encode().decode("latin-1")  # as its bytes come in headers


@pytest.mark.parametrize("host", ["localhost", "evil.com", None])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-bedtape-token": WIRE}, 200),
        ({"authorization": f"Bearer {WIRE}"}, 200),
        ({"authorization": f"bearer {WIRE}"}, 200),
        ({"x-bedtape-token": WIRE, "origin": "https://ci.example"}, 200),
        ({"x-bedtape-token": WIRE[:-1]}, 401),
        ({"x-bedtape-token": ""}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Basic {WIRE}"}, 401),
        ({}, 401),
    ],
)
def test_whoever_brings_the_token_may_ask(
    host: str | None, headers: dict[str, str], status: int
) -> None:
    gate = Gate(Scene().engine, TOKEN)
    named = {**headers, **({} if host is None else {"host": host})}
    reply, told = sent(gate, "GET", "/_bedtape/health", headers=tuple(named.items()))
    assert reply.status == status
    if status == 401:
        assert dict(reply.headers)[b"WWW-Authenticate"] == b"Bearer"
        assert told["error"].endswith(
            "found another" if any(named.get(n, "")[7:] for n in headers) else "found none"
        )
        assert TOKEN not in told["error"]


def test_a_server_that_other_machines_can_reach_answers_health_alone() -> None:
    gate = Gate(Scene().engine, address="0.0.0.0")
    assert sent(gate, "GET", "/_bedtape/health?a")[0].status == 200
    for method, path in (
        ("POST", "/_bedtape/reset"),
        ("GET", f"{S}/default/calls"),
        ("POST", "/_reset"),
    ):
        reply, told = sent(gate, method, path)
        assert (reply.status, "--control-token" in told["error"]) == (403, True)
    assert (
        sent(Gate(Scene().engine, TOKEN, address="0.0.0.0"), "GET", "/_bedtape/health")[0].status
        == 401
    )


def test_probes_need_no_token_and_metrics_do() -> None:
    engine = Scene().engine
    engine.render_metrics = lambda: "text"
    closed = Gate(engine, address="0.0.0.0")
    for gate in (Gate(engine, TOKEN), closed):
        assert sent(gate, "GET", "/_bedtape/live?a")[0].status == 200
        assert sent(gate, "GET", "/_bedtape/ready")[0].status == 200
    assert sent(Gate(engine, TOKEN), "GET", "/_bedtape/metrics")[0].status == 401
    assert sent(closed, "GET", "/_bedtape/metrics")[0].status == 403


def test_without_a_control_api_only_probes_are_answered() -> None:
    gate = Gate(Scene().engine, only_probes=True)
    assert sent(gate, "GET", "/_bedtape/ready")[0].status == 200
    for path in (
        "/_bedtape/health",
        "/_bedtape/metrics",
        "/_bedtape/",
        "/_bedtape/lives",
        "/_reset",
    ):
        assert gate("default", "GET", path, Head.of(()), b"") is None


def test_a_server_without_metrics_says_so(gate: Gate) -> None:
    reply, told = sent(gate, "GET", "/_bedtape/metrics")
    assert (reply.status, told["error"]) == (
        404,
        "this server counts nothing; bedtape replay has metrics",
    )


# -- requests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/_other", "/_bedtapes", "/_", "/_resets", "/_fakecloud2/health", "/__bedtape/health"]
)
def test_other_paths_are_no_business_of_the_desk(path: str, gate: Gate) -> None:
    assert gate("default", "GET", path, Head.of(()), b"") is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/_bedtape/health", b"GET, HEAD"),
        ("OPTIONS", "/_bedtape/health", b"GET, HEAD"),
        ("GET", "/_bedtape/reset", b"POST"),
        ("PATCH", f"{S}/x", b"DELETE, GET, HEAD, PUT"),
        ("HEAD", f"{S}/x/rules", b"POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    method: str, path: str, allowed: bytes, gate: Gate
) -> None:
    reply, told = sent(gate, method, path)
    assert (reply.status, dict(reply.headers)[b"Allow"]) == (405, allowed)
    assert told["error"] == f"expected {allowed.decode()} for {path}, found {method}"


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/_bedtape", "openapi.json has all"),
        ("GET", "/_bedtape/nosuch?x=1", "no such path: /_bedtape/nosuch;"),
        ("GET", "/_bedtape/cassettes/nosuch", "no cassette is named 'nosuch'"),
        ("DELETE", f"{S}/nosuch/layers/rule-1", "no layer of its own named 'rule-1'"),
        ("GET", f"{S}/default/calls/9", "no call numbered '9'"),
        ("GET", f"{S}/default/calls/01", "no call numbered '01'"),
    ],
)
def test_what_is_not_there(method: str, path: str, said: str, gate: Gate) -> None:
    assert said in got(gate, method, path, status=404)["error"]


def test_every_problem_is_told_at_once_with_its_place(gate: Gate, document: Any) -> None:
    told = got(
        gate,
        "PUT",
        f"{S}/new/overlay",
        {**LAID, "rules": [{"when": {"turn": 0}}], "fault": []},
        status=400,
    )
    answers(document, "setOverlay", "default").validate(told)
    assert [
        (problem["where"], problem["expected"], problem["fix"]) for problem in told["problems"]
    ] == [
        ("rules[0].when.turn", "a number from 1", ""),
        ("rules[0]", "exactly one of answer, answers, script", ""),
        ("fault", "no key 'fault'", "did you mean faults?"),
    ]
    assert told["error"].splitlines()[0] == "rules[0].when.turn: expected a number from 1, found 0"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=-1", 'limit: expected a whole number, found "-1"'),
        ("limit=" + "9" * 5000, "limit: expected a whole number"),
        ("since=x", "since: expected a whole number"),
        ("turn=0", "turn: expected a number from 1"),
        ("promt_contains=a", "did you mean prompt_contains?"),
        ("prompt_regex=(", "prompt_regex: expected a regular expression"),
        ("operation=Convers", "did you mean Converse?"),
        ("hung_up=yes", "hung_up: expected a boolean"),
        ("limit=1&limit=2", "expected each parameter once"),
    ],
)
def test_a_wrong_query_is_refused(query: str, said: str, gate: Gate) -> None:
    assert said in got(gate, "GET", f"{S}/default/calls?{query}", status=400)["error"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("prompt_contains=a", [1]),
        ("operation=ConverseStream", [2]),
        ("model=*nova*", [1, 2, 3, 4]),
        ("status=400", [3, 4]),
        ("error=CassetteMissException&since=3", [4]),
        ("hung_up=true", [4]),
        ("hung_up=false&source=miss", [3]),
        ("invocation_id=i-1", [1]),
        ("tool_result=weather", [3]),
        ("turn=1&since=0&limit=2", [2, 3]),
        ("since=2", [3, 4]),
        ("limit=1", [4]),
        ("limit=0", []),
        ("text_contains=&call=2", [2]),
    ],
)
def test_calls_are_looked_through(query: str, numbers: list[int], gate: Gate) -> None:
    told = got(gate, "GET", f"{S}/default/calls?{query}")
    assert [call["number"] for call in told["calls"]] == numbers
    if "limit" not in query:
        assert told["total"] == len(numbers)
    assert told["forgotten"] == 0


def test_a_page_is_the_latest_hundred() -> None:
    scene = Scene(converse("a", "1"))
    for _ in range(120):
        scene.send(ask("a"))
    told = got(Gate(scene.engine), "GET", f"{S}/default/calls")
    assert [call["number"] for call in told["calls"]] == list(range(21, 121))
    assert told["total"] == 120


@pytest.mark.parametrize(
    ("assertion", "report"),
    [
        ({"called": {"prompt_contains": "a", "times": 1}}, None),
        ({"called": {}}, None),
        ({"called": {"error": None, "at_least": 2, "at_most": 2}}, None),
        ({"called": {"prompt_contains": "a", "times": 2}}, "Expected exactly 2 calls"),
        ({"not_called": {"prompt_contains": "eggs"}}, None),
        ({"not_called": {"prompt_contains": "a"}}, "Expected no call"),
        ({"sequence": [{"prompt_contains": "a"}, {"temperature": 0.5}]}, None),
        (
            {"sequence": [{"temperature": 0.5}, {"prompt_contains": "a"}]},
            "Expected 2 calls in order, found 1.",
        ),
        ({"consecutive": [{"prompt_contains": "a"}, {"prompt_contains": "b"}]}, None),
        (
            {"consecutive": [{"prompt_contains": "a"}, {"temperature": 0.5}]},
            "with no other calls between them, found 1.",
        ),
        ({"all_played": True}, "found 1 unplayed"),
    ],
)
def test_assertions(assertion: Any, report: str | None, gate: Gate) -> None:
    told = got(gate, "POST", f"{S}/default/assert", assertion)
    assert told["passed"] is (report is None)
    assert told["report"] is None if report is None else report in told["report"]


def test_layers_that_never_acted(gate: Gate) -> None:
    got(
        gate,
        "POST",
        f"{S}/default/rules",
        {"when": {"prompt_contains": "refund"}, "answer": {"text": "no"}},
    )
    assert got(gate, "GET", f"{S}/default/unused", b"") == ['rule-1 (prompt_contains="refund")']
    told = got(gate, "POST", f"{S}/default/assert", {"all_used": True})
    assert (told["passed"], "found 1 that never acted" in told["report"]) == (False, True)
    got(gate, "DELETE", f"{S}/default/overlay")
    assert got(gate, "POST", f"{S}/default/assert", {"all_used": True})["passed"]


@pytest.mark.parametrize(
    ("assertion", "said"),
    [
        (
            {},
            (
                "expected exactly one of called, not_called, sequence, consecutive, cached, all_played,"
                " all_used, found none"
            ),
        ),
        ({"called": {}, "not_called": {}}, "exactly one of called"),
        ({"all_played": False}, "all_played"),
        ({"sequence": []}, "at least 1 item"),
        ({"called": {"promt_contains": "a"}}, "did you mean prompt_contains?"),
        ({"called": {"times": 1, "at_least": 1}}, "expected times, or at_least and at_most"),
        ({"called": {"json_path": {"a[": 1}}}, "json_path"),
    ],
)
def test_assertions_that_cannot_be(assertion: Any, said: str, gate: Gate) -> None:
    assert said in got(gate, "POST", f"{S}/default/assert", assertion, status=400)["error"]


def test_a_summary_shows_the_calls_and_why_a_test_must_fail() -> None:
    scene, gate = talk()
    assert got(gate, "GET", f"{S}/quiet/summary") == {"text": "0 calls", "problems": []}
    got(
        gate,
        "POST",
        f"{S}/default/rules",
        {"script": [{"answer": {"text": "a"}}, {"answer": {"text": "b"}}]},
    )
    scene.send(ask("first"))
    summary = got(gate, "GET", f"{S}/default/summary")
    assert summary["text"].startswith("5 calls:\n  1  Converse ")
    assert summary["text"].splitlines()[-1] == "did not end: script-1 (1 of 2 turns came)"
    misses = [
        call["miss"]
        for call in got(gate, "GET", f"{S}/default/calls")["calls"]
        if call["source"] == "miss"
    ]
    assert summary["problems"] == [*misses, "a script did not end: script-1 (1 of 2 turns came)"]


# -- sessions and layers ---------------------------------------------------------------------------


def test_to_look_at_a_session_makes_none(gate: Gate) -> None:
    for path in ("", "/overlay", "/calls", "/verdict", "/unplayed", "/unused", "/summary"):
        got(gate, "GET", f"{S}/new{path}")
    got(gate, "POST", f"{S}/new/assert", {"called": {"prompt_contains": "a"}})
    got(gate, "DELETE", f"{S}/new/calls")
    got(gate, "DELETE", f"{S}/new/overlay")
    got(gate, "POST", f"{S}/new/rules", {}, status=400)
    got(gate, "PUT", f"{S}/new", {"cassette": "nosuch"}, status=404)
    assert [session["name"] for session in got(gate, "GET", S)] == ["default"]
    assert got(gate, "GET", f"{S}/new")["calls"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/rules", RULE), ("POST", "/faults", FAULT), ("PUT", "/overlay", LAID), ("PUT", "", {}), ("POST", "/reset", b"")],
)  # fmt: skip
def test_to_configure_a_session_makes_it(method: str, path: str, body: Any, gate: Gate) -> None:
    got(gate, method, f"{S}/a%2Fb%20c{path}", body)
    assert [session["name"] for session in got(gate, "GET", S)] == ["default", "a/b c"]


def test_a_session_plays_what_it_is_told() -> None:
    scene, gate = talk()
    assert got(gate, "PUT", f"{S}/default", {"cassette": "made"})["cassette"] == "made"
    assert got(gate, "PUT", f"{S}/default", {"strict": True})["cassette"] == "made"
    assert scene.send(ask("a")).status == 400  # it has been played once
    # what is not named stays
    assert got(gate, "PUT", f"{S}/default", {"cassette": None})["strict"] is True
    assert got(gate, "PUT", f"{S}/default", {"strict": None, "cassette": None})["strict"] is None
    assert scene.send(ask("a")).status == 200


def test_layers_answer_and_tell_how_often() -> None:
    scene, gate = talk()
    assert got(gate, "POST", f"{S}/default/rules", RULE) == {**RULE, "name": "rule-1", "fired": 0}
    assert got(gate, "POST", f"{S}/default/faults", FAULT) == {
        **FAULT,
        "name": "fault-1",
        "fired": 0,
    }
    assert scene.send(ask("spam")).error == "ThrottlingException"
    assert scene.send(ask("spam")).text == "ham"
    told = got(gate, "GET", f"{S}/default/overlay")
    assert [layer["fired"] for layer in told["rules"] + told["faults"]] == [1, 1]
    got(gate, "DELETE", f"{S}/default/layers/rule-1")
    assert scene.send(ask("spam")).source == "miss"
    got(gate, "PUT", f"{S}/default/overlay", LAID)
    assert got(gate, "GET", f"{S}/default")["seed"] == 7
    assert scene.send(ask("spam")).error == "ThrottlingException"
    assert scene.send(ask("spam")).by == "mine"


def test_names_are_of_one_layer_alone() -> None:
    shared = parse_overlay(
        {"bedtape-overlay": 1, "rules": [{"name": "of-the-file", "answer": {"text": "x"}}]}
    )
    gate = Gate(Engine(Library(()), overlay=shared))
    for name in ("mine", "of-the-file"):
        first = (
            got(gate, "POST", f"{S}/s/rules", {**RULE, "name": "mine"}) if name == "mine" else None
        )
        told = got(gate, "POST", f"{S}/s/faults", {**FAULT, "name": name}, status=409)
        assert f"a layer has the name {name!r} already" in told["error"]
        assert first is None or first["name"] == "mine"
    laid = {**LAID, "rules": [{**RULE, "name": "of-the-file"}]}
    assert "'of-the-file'" in got(gate, "PUT", f"{S}/s/overlay", laid, status=409)["error"]
    assert [rule["name"] for rule in got(gate, "GET", f"{S}/s/overlay")["rules"]] == [
        "mine",
        "of-the-file",
    ]
    assert [rule["name"] for rule in got(gate, "GET", f"{S}/other/overlay")["rules"]] == [
        "of-the-file"
    ]


def test_resets() -> None:
    scene, gate = talk()
    got(gate, "POST", f"{S}/default/rules", RULE)
    got(gate, "PUT", f"{S}/default", {"cassette": "made"})
    told = got(gate, "POST", f"{S}/default/reset")
    assert (told["calls"], told["rules"], told["cassette"]) == (0, 0, "made")
    got(gate, "DELETE", f"{S}/default")
    assert got(gate, "GET", S) == []
    scene.send(ask("a"))
    got(gate, "POST", "/_bedtape/reset")
    assert got(gate, "GET", S) == []


@pytest.mark.parametrize("path", ["", "/calls", "/overlay"])
def test_a_delete_can_be_repeated(path: str, gate: Gate, document: Any) -> None:
    """Cleanup after a test succeeds whether or not the test used its
    session, and creates no session.
    """
    name = {"": "dropSession", "/calls": "forgetCalls", "/overlay": "clearOverlay"}[path]
    sessions = got(gate, "GET", S)
    told = got(gate, "DELETE", f"{S}/unused{path}")
    answers(document, name).validate(told)
    assert got(gate, "DELETE", f"{S}/unused{path}") == told
    assert got(gate, "GET", S) == sessions
    got(gate, "POST", f"{S}/used/rules", RULE)
    for _ in range(2):
        assert got(gate, "DELETE", f"{S}/used{path}") == told
    assert got(gate, "GET", f"{S}/used")["rules"] == (1 if path == "/calls" else 0)


def test_the_clock_moves_on_and_never_back(gate: Gate) -> None:
    assert got(gate, "GET", "/_bedtape/clock") == {"now": 0}
    assert got(gate, "POST", "/_bedtape/clock", {"advance": 61.5}) == {"now": 61.5}
    for body in ({"advance": -1}, {"advance": "1"}, {"advance": True}, {}, [], b"", b"{"):
        got(gate, "POST", "/_bedtape/clock", body, status=400)
    assert got(gate, "GET", "/_bedtape/clock") == {"now": 61.5}


def test_cassettes(gate: Gate) -> None:
    (cassette,) = got(gate, "GET", "/_bedtape/cassettes")
    assert cassette == {
        "name": "made",
        "interactions": 3,
        "partial": 0,
        "operations": ["Converse", "ConverseStream"],
        "models": ["us.amazon.nova-lite-v1:0"],
    }
    interactions = got(gate, "GET", "/_bedtape/cassettes/made")
    assert [len(each["response"].get("events", [])) for each in interactions] == [0, 5, 0]


@pytest.mark.parametrize("path", ["rules", "faults"])
@pytest.mark.parametrize(
    "value", [rb'"cut \ud83d"', b"NaN", b"1e999", b"-1e999", b"1" + b"0" * 400]
)
def test_what_cannot_be_sent_is_refused_by_the_control_api(path: str, value: bytes) -> None:
    """Python, overlay files and functions of rules are tested beside
    `overlay.document` and `engine.session`.
    """
    layers = {
        "rules": b'{"answer": {"json": {"x": %b}}}',
        "faults": b'{"http": {"status": 500, "json": {"x": %b}}}',
    }
    gate = talk()[1]
    refusal = got(gate, "POST", f"{S}/default/{path}", layers[path] % value, 400)
    assert "expected" in refusal["error"]
    assert (
        "surrogate" in refusal["error"]
        or "JSON" in refusal["error"]
        or "number" in refusal["error"]
    )
