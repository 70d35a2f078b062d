"""A repeated request is answered, counted and kept as any other.

Two servers get the same calls and changes. One answers repeated requests from what it knows, the
other looks for every answer. Nothing that a user can see may differ.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import render_json
from bedtape_replayer.engine.checks import Checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.listing import list_calls
from bedtape_replayer.history.retries.verdict import judge_retries
from bedtape_replayer.overlay.document import (
    parse_fault,
    parse_overlay,
    parse_rule,
    parse_simulation,
)
from bedtape_replayer.server.monitoring.metrics import Metrics
from bedtape_replayer.server.server import Server
from support.examples import examples
from support.in_process import Transport, connect
from support.recordings import converse, path, prompt, stream

_DATE = re.compile(rb"\r\nDate: [^\r]+")
_TIMES = ("began", "seconds")
RECORDED = (
    *(converse("hello", "one"), converse("hello", "two"), converse("bye", "see you")),
    *(stream("hello", ["a", "b"]), stream("bye", ["c"])),
)
MORE = (*RECORDED, converse("bye", "and again"), converse("hello", "three"))
OTHER = (converse("hello", "from another cassette"),)
OVERLAY: dict[str, Any] = {
    "bedtape-overlay": 1,
    "rules": [{"name": "shared", "when": {"prompt_contains": "rain"}, "answer": {"text": "wet"}}],
}
RULES: tuple[dict[str, Any], ...] = (
    {"when": {"prompt_contains": "hello"}, "answer": {"text": "from a rule"}},
    {"when": {"prompt_contains": "hello"}, "answer": {"text": "twice"}, "times": 2},
    {"when": {"prompt_contains": "bye"}, "answers": [{"text": "first"}, {"text": "then"}]},
    {"when": {"call": 3}, "answer": {"text": "the third"}},
    {"when": {"attempt": 2}, "answer": {"text": "the second attempt"}},
    {"when": {"header": {"x-amz-date": "20261122T000001Z"}}, "answer": {"text": "dated"}},
    {"when": {"prompt_contains": "e"}, "answer": {"text": "call {{ call }}"}, "template": True},
    {"when": {"prompt_contains": "bye"}, "answer": {"error": "ThrottlingException"}},
    {"when": {"prompt_contains": "hello"}, "answer": {"text": "rarely"}, "probability": 0.5},
    {"when": {"operation": "CountTokens"}, "answer": {"text": "counted"}},
)
FAULTS: tuple[dict[str, Any], ...] = (
    {"error": "ThrottlingException", "times": 1},
    {"error": "ThrottlingException", "probability": 0.5},
    {"error": "ModelStreamErrorException", "after_events": 1, "when": {"prompt_contains": "hello"}},
    {"truncate": {"after_events": 1}, "every": 2},
    {"misanswer": "max_tokens", "every": 3},
)
FEATURES: tuple[dict[str, Any], ...] = (
    {"quotas": {"requests_per_minute": 3}},
    {"caching": True},
    {},
)
SESSIONS = ("default", "a")


@dataclass
class Served:
    """A server, with what it logged and counted. knows: whether it knows repeated requests."""

    knows: bool
    engine: Engine = field(init=False)
    metrics: Metrics = field(init=False)
    lines: list[str] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        library = Library([Cassette("a", RECORDED), Cassette("other", OTHER)])
        checks = Checks(rules=True, all=False)
        self.engine = Engine(
            library, overlay=parse_overlay(OVERLAY), checks=checks, history_limit=12
        )
        self.server, self.metrics = Server(self.engine), Metrics(self.engine)
        self.server.observer = self._observe
        if not self.knows:
            self.server.repeats = None
        self.connections = [connect(self.server) for _ in range(2)]

    def _observe(self, outcome: Outcome) -> None:
        self.metrics.count(outcome)
        self.lines.append(re.sub(r'"(time|seconds)":[^,]+,', "", render_json(outcome)))

    def send(self, session: str, operation: str, text: str, connection: int, attempt: int) -> bytes:
        """Return the bytes of the answer, without the date."""
        self.number += 1
        body = prompt(text)
        place = "" if session == "default" else f"/s/{session}"
        request = "\r\n".join(
            (
                f"POST {place}{path(operation)} HTTP/1.1",
                "Host: 127.0.0.1:8765",
                f"X-Amz-Date: 20261122T0000{self.number % 60:02}Z",
                f"amz-sdk-invocation-id: {self.number // attempt:08}-0000",
                f"amz-sdk-request: attempt={attempt}",
                f"Content-Length: {len(body)}",
                *("", ""),
            )
        ).encode()
        carried, transport = self.connections[connection]
        carried.data_received(request + body)
        if carried._transport is not transport or carried.exchanges.in_flight:
            raise AssertionError("expected an answer at once")
        written, transport.written = b"".join(transport.written), []
        return _DATE.sub(b"", written)

    def find(self, session: str) -> SessionState:
        return self.engine.sessions.get(session)

    def describe(self) -> dict[str, Any]:
        """Return all that a user can see."""
        seen: dict[str, Any] = {"lines": self.lines, "calls": []}
        for name in SESSIONS:
            state = self.find(name)
            calls = state.history.calls
            records = [
                {key: value for key, value in record.as_json().items() if key not in _TIMES}
                for record in calls
            ]
            index = state.index(self.engine.library)
            seen["calls"].append(
                {
                    "records": records,
                    "listed": [*list_calls(calls)],
                    "forgotten": calls.forgotten,
                    "misses": state.history.forgotten_misses,
                    "verdict": [str(each) for each in judge_retries(calls)],
                    "counts": state.layers.counts,
                    "unused": state.layers.describe_unused(),
                    "unplayed": [each.interaction.file for each in state.find_unplayed(index)],
                }
            )
        seen["metrics"] = [
            (family.name, sample)
            for family in self.metrics.list_families()
            if family.name == "bedtape_calls_total"
            for sample in family.samples
        ]
        return seen


Step = Callable[[Served], object]


def _add_rule(session: str, rule: dict[str, Any]) -> Step:
    def add(served: Served) -> None:
        layers = served.find(session).layers
        layers.add(parse_rule(rule, layers.next_id))

    return add


def _add_fault(session: str, fault: dict[str, Any]) -> Step:
    def add(served: Served) -> None:
        layers = served.find(session).layers
        layers.add(parse_fault(fault, layers.next_id))

    return add


def _name_ids(session: str, ids: str) -> Step:
    overlay = parse_overlay({"bedtape-overlay": 1, "rules": [RULES[0]], "ids": ids})
    return lambda served: served.find(session).layers.replace_own(overlay)


def _simulate(session: str, features: dict[str, Any]) -> Step:
    return lambda served: served.find(session).layers.simulate(parse_simulation(features))


def _set(session: str, name: str, value: object) -> Step:
    return lambda served: setattr(served.find(session), name, value)


def _replace_library(cassettes: tuple[str, ...]) -> Step:
    suites = {"a": RECORDED, "more": MORE, "other": OTHER}
    library = Library([Cassette(name, suites[name]) for name in cassettes])
    return lambda served: setattr(served.engine, "library", library)


_sessions = st.sampled_from([*SESSIONS, "a", "a"])
_changes = st.one_of(
    st.builds(_add_rule, _sessions, st.sampled_from(RULES)),
    st.builds(_add_fault, _sessions, st.sampled_from(FAULTS)),
    st.builds(_name_ids, _sessions, st.sampled_from(["equal", "unique"])),
    st.builds(_simulate, _sessions, st.sampled_from(FEATURES)),
    st.builds(_set, _sessions, st.just("cassette"), st.sampled_from([None, "other", "none"])),
    st.builds(_set, _sessions, st.just("strict"), st.sampled_from([True, True, None])),
    st.builds(_replace_library, st.sampled_from([("a",), ("more",), ("more", "other"), ()])),
    _sessions.map(lambda name: lambda served: served.engine.sessions.reset(name)),
    _sessions.map(lambda name: lambda served: served.engine.sessions.drop(name)),
    _sessions.map(lambda name: lambda served: served.find(name).reset_state()),
    _sessions.map(lambda name: lambda served: served.find(name).layers.remove("rule-1")),
    st.just(lambda served: served.engine.reset()),
    st.just(lambda served: served.describe()),
)
_calls = st.tuples(
    *(_sessions, st.sampled_from(["converse"] * 3 + ["converse-stream", "count-tokens"])),
    *(st.sampled_from(["hello", "bye"] * 2 + ["rain", "unknown"]), st.integers(0, 1)),
    st.sampled_from([1] * 5 + [2]),
)
# A call, how often it comes before some changes, the changes, and how often it comes after them.
_Part = tuple[tuple[Any, ...], int, list[Step], int]
_parts = st.tuples(_calls, st.integers(1, 4), st.lists(_changes, max_size=2), st.integers(0, 3))


def _change(served: Served, change: Step) -> None:
    with suppress(ValueError):  # a name that is taken
        change(served)


@settings(max_examples=examples(700))
@given(st.lists(_parts, max_size=6))
def test_nothing_that_a_user_sees_depends_on_what_the_server_knows(script: list[_Part]) -> None:
    knowing, other = Served(knows=True), Served(knows=False)
    for call, before, changes, after in script:
        for _ in range(before):
            assert knowing.send(*call) == other.send(*call)
        for change in changes:
            _change(knowing, change)
            _change(other, change)
        for _ in range(after):
            assert knowing.send(*call) == other.send(*call)
    assert knowing.describe() == other.describe()
    for served in (knowing, other):
        served.engine.reset()
        assert served.engine.memory.used == 0


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@pytest.mark.parametrize("text", ["bye", "rain"])
def test_a_repeated_request_is_known(text: str, operation: str) -> None:
    """The property above would hold without any repeated request too."""
    served = Served(knows=True)
    answers = [served.send("a", operation, text, 0, 1) for _ in range(6)]
    assert set(answers) == {answers[0]}
    assert len(served.engine.repetitions) == 1
    calls = served.find("a").history.calls
    assert [record.number for record in calls] == [1, 2, 3, 4, 5, 6]
    assert len({record.invocation_id for record in calls}) == 6
    assert [*calls] == [*served.find("a").history.calls]
    assert json.loads(calls[5].body) == json.loads(prompt(text))


def test_a_client_that_does_not_read_gets_its_answers_later() -> None:
    served = Served(knows=True)
    for _ in range(4):
        served.send("a", "converse", "bye", 0, 1)
    assert len(served.engine.repetitions) == 1
    connection, transport = served.connections[0]
    assert isinstance(transport, Transport)
    connection.pause_writing()
    body = prompt("bye")
    head = served_head(body)
    connection.data_received(head + body)
    assert transport.written == []


def served_head(body: bytes) -> bytes:
    lines = (f"POST /s/a{path('converse')} HTTP/1.1", "Host: 127.0.0.1:8765")
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode()
