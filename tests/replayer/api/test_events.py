"""The stream of events: what it begins with, what it tells, in which order, and who loses it.

Its schema is the oracle for each event's data; jsonschema reads it as other people's tools do. Over
sockets, each test waits for events, and for nothing else.
"""

import gc
import json
import socket
from array import array
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from weakref import ref

import jsonschema
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Progress
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.steps import Send
from bedtape_replayer.api import events
from bedtape_replayer.api.call_schemas import ENDED, GONE, RUNNING, SESSIONS
from bedtape_replayer.api.events import EventStream, render_row
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.engine import Engine
from support import authored, folders
from support.client import until
from support.event_stream import EventReader, collect, take
from support.examples import examples
from support.recordings import converse, path, prompt, stream
from support.scene import Scene, aws

SCHEMAS = {"sessions": SESSIONS, "ended": ENDED, "running": RUNNING, "gone": GONE}
EMPTY = {"type": "object", "additionalProperties": False}


def of(events: list[tuple[str, Any]], name: str) -> list[Any]:
    return [data for event, data in events if event == name]


# -- how it begins ---------------------------------------------------------------------------------


def test_it_begins_with_the_calls_in_the_order_of_their_ends() -> None:
    """A slow answer ends after the answer to a later call."""
    scene = Scene(converse("a", "1"))
    for at, seconds in ((0.0, 5.0), (1.0, 0.5), (2.0, 0.5)):
        scene.send(authored.ask("a"), at=at, seconds=seconds)
    # Histories are in the order of ends; a Scene's calls are not, so the first two are moved.
    history = scene.session.history
    first, *rest = [record.outcome for record in history.calls]
    history.clear()
    for outcome in (*rest, first):
        history.add(outcome)
    gate = Gate(scene.engine)
    calls = of(collect(gate), "ended")
    assert [each["number"] for each in calls] == [2, 3, 1]
    assert [
        each["number"] for each in of(collect(gate, f"?since={calls[1]['ended']}"), "ended")
    ] == [1]
    assert of(collect(gate, f"?since={calls[2]['ended']}"), "ended") == []


def test_many_calls_come_in_parts_and_none_is_lost() -> None:
    scene = Scene(converse("a", "1"))
    for number in range(1001):
        scene.send(authored.ask("a"), at=number / 100)
    events = collect(Gate(scene.engine))
    assert [each["number"] for each in of(events, "ended")] == list(range(1, 1002))
    assert [events[0][0], events[-1][0]] == ["sessions", "ready"]


def test_all_sessions_are_in_one_stream_or_one_alone() -> None:
    scene = Scene(converse("a", "1"))
    for at, session in enumerate(("default", "other", "default")):
        scene.send(authored.ask("a"), at=float(at), headers=[("x-bedtape-session", session)])
    scene.engine.sessions.share("alias", scene.session)
    events = collect(Gate(scene.engine))
    assert [each["session"] for each in of(events, "ended")] == ["default", "other", "default"]
    (sessions,) = of(events, "sessions")
    assert {each["name"]: each["calls"] for each in sessions["sessions"]} == {
        "default": 2,
        "other": 1,
    }
    events = collect(Gate(scene.engine), "?session=other")
    assert [each["session"] for each in of(events, "ended")] == ["other"]
    assert [each["name"] for each in of(events, "sessions")[0]["sessions"]] == ["other"]


def test_a_row_says_what_became_of_a_call() -> None:
    scene = Scene(converse("a", "1"), stream("b", ["2", "3"]))
    scene.fail("ThrottlingException", times=1)
    scene.send(authored.ask("a"), at=0.0, headers=aws("i", 1))
    scene.send(authored.ask("a"), at=1.0, headers=aws("i", 2))
    scene.send(authored.ask("b"), at=2.0, operation="converse-stream", complete=False, sent=2)
    scene.send(authored.ask("x" * 500), at=3.0)
    scene.send(b"\xff", at=4.0, url="/nothing/here")
    fault, answered, streamed, missed, odd = of(collect(Gate(scene.engine)), "ended")
    named = (fault["status"], fault["error"], fault["source"], fault["by"])
    assert named == (429, "ThrottlingException", "fault", "fault-1")
    assert (fault["invocation"], answered["attempt"], answered["source"]) == ("i", 2, "cassette")
    assert (streamed["events"], streamed["hung_up"], answered["events"]) == (2, True, None)
    assert (missed["source"], missed["prompt"]) == ("miss", "x" * 400)
    assert (odd["operation"], odd["model"]) == ("POST /nothing/here", None)


def test_a_row_is_the_same_whether_its_recording_was_read_before() -> None:
    scene = Scene(converse("a", "1"), stream("b", ["2", "3"]))
    scene.fail("ThrottlingException", times=1)
    contents: Any = {}
    for _ in range(3):
        for text, operation in (("a", "converse"), ("b", "converse-stream"), ("c", "converse")):
            record = scene.send(authored.ask(text), operation=operation)
            assert render_row(record, contents) == render_row(record)


@pytest.mark.parametrize(("times", "shown"), [(0, 0), (1, 1), (60, 60), (61, 60), (5000, 60)])
def test_the_times_of_many_events_are_sampled(times: int, shown: int) -> None:
    scene = Scene(stream("b", ["2"]))
    record = scene.send(authored.ask("b"), operation="converse-stream")
    record.outcome.progress = Progress(0.0, array("d", (number / 1000 for number in range(times))))
    marks: Any = render_row(record)["marks"]
    assert len(marks) == shown
    assert marks == sorted(set(marks))
    assert marks[:1] + marks[-1:] == ([0.0, times - 1.0] if times else [])


@pytest.mark.parametrize("query", ["?since=x", "?since=-1", "?before=1", "?session=a&session=b"])
def test_a_wrong_question_is_refused(query: str) -> None:
    reply = Gate(Engine(Library(())))(
        "default", "GET", f"/_bedtape/events{query}", Head.of(()), b""
    )
    assert reply is not None
    assert reply.status == 400


def test_a_look_without_reading_watches_nothing() -> None:
    engine = Engine(Library(()))
    reply = Gate(engine)("default", "HEAD", "/_bedtape/events", Head.of(()), b"")
    assert reply is not None
    assert (reply.status, reply.pieces, engine.watchers) == (200, (), set())
    assert list(engine.sessions) == []


# -- what happens ----------------------------------------------------------------------------------


class Page(RuleBasedStateMachine):
    """Whatever happens, a client that applies the events knows the same calls as a
    client that has just come.
    """

    @initialize(waiting=st.sampled_from([3, 1000]))
    def begin(self, waiting: int) -> None:
        self.scene = Scene(converse("a", "1"), stream("b", ["2", "3"]))
        self.scene.engine.sessions.get("default").history.limit = 4
        self.waiting = waiting
        self.at = 0
        self.known: dict[tuple[str, int], Any] = {}
        self.connect()

    def connect(self) -> None:
        self.known, self.sessions = {}, dict[str, Any]()
        self.feed = EventStream(self.scene.engine, waiting=self.waiting)
        self.feed.open(lambda: None)

    @rule(session=st.sampled_from(["default", "other"]), text=st.sampled_from("ab"))
    def call(self, session: str, text: str) -> None:
        self.at += 1
        headers = [("x-bedtape-session", session)]
        operation = "converse" if text == "a" else "converse-stream"
        self.scene.send(authored.ask(text), at=float(self.at), operation=operation, headers=headers)

    @rule(session=st.sampled_from(["default", "other"]))
    def reset(self, session: str) -> None:
        self.scene.engine.sessions.reset(session)

    @rule(session=st.sampled_from(["default", "other"]))
    def drop(self, session: str) -> None:
        self.scene.engine.sessions.drop(session)

    @rule()
    def forget(self) -> None:
        self.scene.engine.sessions.get("other").history.clear()

    @rule()
    def read(self) -> None:
        reply: Any = type("Reply", (), {"feed": self.feed})
        for name, data in take(reply):
            jsonschema.validate(data, SCHEMAS.get(name, EMPTY))
            if name == "ended":
                self.known[data["session"], data["number"]] = data
            elif name == "sessions":
                oldest = {each["name"]: each["oldest"] or float("inf") for each in data["sessions"]}
                oldest |= dict.fromkeys(data["removed"], float("inf"))
                self.sessions |= {each["name"]: each for each in data["sessions"]}
                self.sessions = {
                    name: each
                    for name, each in self.sessions.items()
                    if name not in data["removed"]
                }
                self.known = {
                    key: each
                    for key, each in self.known.items()
                    if each["ended"] >= oldest.get(key[0], 0)
                }
            elif name == "lost":
                self.feed.close()
                self.connect()
                self.read()
                return
        fresh = collect(Gate(self.scene.engine))
        assert self.known == {
            (each["session"], each["number"]): each for each in of(fresh, "ended")
        }
        assert self.sessions == {
            each["name"]: each for each in of(fresh, "sessions")[0]["sessions"]
        }

    @invariant()
    def watched_by_one(self) -> None:
        assert len(self.scene.engine.watchers) == 1


Page.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=15, deadline=None)
TestPage = Page.TestCase


def test_a_slow_client_loses_its_stream_and_what_waits_for_it() -> None:
    scene = Scene(converse("a", "1"))
    feed = EventStream(scene.engine, waiting=5)
    reply: Any = type("Reply", (), {"feed": feed})
    feed.open(lambda: None)
    take(reply)
    for number in range(6):
        scene.send(authored.ask("a"), at=float(number))
    assert [name for name, _ in take(reply)] == ["lost"]
    with pytest.raises(StopIteration):
        next(feed)


def test_a_quick_reader_gets_a_call_that_alone_is_larger_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "_WAITING_BYTES", most := 10_000)
    scene = Scene(converse("a", "1"))
    feed = EventStream(scene.engine)
    reply: Any = type("Reply", (), {"feed": feed})
    feed.open(lambda: None)
    take(reply)
    for number in range(2):
        scene.send(authored.ask("x" * (most + 1)), at=float(number))
        assert [data["number"] for name, data in take(reply) if name == "ended"] == [number + 1]


def test_a_slow_client_keeps_no_calls_that_the_histories_have_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has read a part of the calls in the histories, and the next calls are few and large."""
    monkeypatch.setattr(events, "_WAITING_BYTES", 3_000_000)
    scene = Scene()
    history = scene.session.history
    history.limit = 250
    for number in range(history.limit):
        scene.send(authored.ask("a"), at=float(number))
    first = ref(next(iter(history.calls)).outcome.answer.call)
    last = ref(history.calls[-1].outcome.answer.call)
    feed = EventStream(scene.engine)
    feed.open(lambda: None)
    sent = [next(feed) for _ in range(3)]  # the head, the sessions, and a part of the calls
    assert b"ended" in cast(Send, sent[-1]).data
    history.clear()
    gc.collect()
    assert (first() is None, last() is None) == (True, False)
    text = "x" * 1_000_000
    for number in range(4):
        scene.send(authored.ask(text + str(number)), at=300.0 + number)
    gc.collect()
    assert last() is None
    reply: Any = type("Reply", (), {"feed": feed})
    assert [name for name, _ in take(reply)] == ["ready", "lost"]


# -- over sockets ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folders.write(
        tmp_path,
        Cassette(
            "it", (stream("Tell a story", ["It was", " a dark", " night."]), converse("a", "1"))
        ),
    )
    return tmp_path


def ask(bedrock: Replayer, text: str, prefix: str = "") -> bytes:
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    connection.request("POST", prefix + path(), prompt(text))
    data = connection.getresponse().read()
    connection.close()
    return data


def test_calls_come_while_they_happen(folder: Path) -> None:
    with Replayer(folder) as bedrock, EventReader(bedrock.port) as reader:
        assert reader.response.getheader("content-type") == "text/event-stream"
        reader.until("ready")
        ask(bedrock, "a")
        assert reader.until("ended")["answer"] == "1"
        ask(bedrock, "a", "/s/other")
        assert reader.until("ended")["session"] == "other"
        bedrock.session("other").reset()
        while not any(
            each["name"] == "other" and not each["calls"]
            for each in reader.until("sessions")["sessions"]
        ):
            pass
        assert len(bedrock.calls) == 1


def test_a_stream_that_hangs_is_seen_while_it_hangs(folder: Path) -> None:
    with Replayer(folder) as bedrock, EventReader(bedrock.port) as reader:
        bedrock.fault(stall={"after_events": 3})
        connection = HTTPConnection("127.0.0.1", bedrock.port)
        connection.request("POST", path("converse-stream"), prompt("Tell a story"))
        answer = connection.getresponse()
        running = reader.until("running")
        while running["events"] < 3:
            running = reader.until("running")
        assert (running["number"], running["status"], running["prompt"]) == (1, 200, "Tell a story")
        assert len(running["marks"]) == 3
        with EventReader(bedrock.port) as late:  # that comes while it hangs
            assert late.until("running")["events"] == 3
        answer.close()
        connection.close()
        ended = reader.until("ended")
        assert (ended["hung_up"], ended["events"], len(ended["marks"])) == (True, 3, 3)


def test_a_running_call_whose_session_is_reset_is_gone(folder: Path) -> None:
    with Replayer(folder) as bedrock, EventReader(bedrock.port) as reader:
        bedrock.fault(stall={"after_events": 1})
        connection = HTTPConnection("127.0.0.1", bedrock.port)
        connection.request("POST", path("converse-stream"), prompt("Tell a story"))
        answer = connection.getresponse()
        reader.until("running")
        bedrock.reset()
        answer.close()
        connection.close()
        assert reader.until("gone") == {"session": "default", "number": 1}


def test_a_client_that_leaves_is_forgotten(folder: Path) -> None:
    with Replayer(folder) as bedrock:
        with EventReader(bedrock.port) as reader, EventReader(bedrock.port) as other:
            for each in (reader, other):
                each.until("ready")
            assert len(bedrock.engine.watchers) == 2
        with EventReader(bedrock.port) as last:
            last.until("ready")
            until(lambda: len(bedrock.engine.watchers) == 1)


def test_a_client_that_reads_nothing_loses_its_stream_and_others_do_not(folder: Path) -> None:
    """All calls end in one turn of the server, so that it depends on no buffer."""
    with Replayer(folder) as bedrock, EventReader(bedrock.port) as reader:
        reader.until("ready")

        def happen() -> None:
            (feed,) = bedrock.engine.watchers
            assert isinstance(feed, EventStream)
            feed._limit = 10
            scene = Scene(converse("a", "1"))
            scene.engine = bedrock.engine
            for number in range(11):
                scene.send(authored.ask("a"), at=float(number))

        bedrock.run(happen)
        assert list(reader)[-1] == ("lost", {})
        with EventReader(bedrock.port) as again:
            assert [again.until("ended")["number"] for _ in range(11)] == list(range(1, 12))


def test_a_server_that_stops_ends_the_stream(folder: Path) -> None:
    with Replayer(folder) as bedrock:
        reader = EventReader(bedrock.port)
        reader.until("ready")
    with pytest.raises((OSError, AssertionError, json.JSONDecodeError, ValueError)):
        reader.until("ended")
    reader.__exit__()


def test_two_streams_and_a_call_share_one_connection_of_http2(folder: Path) -> None:
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("h2")
    with (
        Replayer(folder) as bedrock,
        httpx.Client(http2=True, http1=False, base_url=bedrock.url) as client,
        client.stream("GET", "/_bedtape/events") as one,
        client.stream("GET", "/_bedtape/events") as other,
    ):
        streams = one.iter_lines(), other.iter_lines()
        for each in streams:
            assert "event: ready" in each  # reads up to it
        client.post(path(), content=prompt("a"))
        for each in streams:
            assert "event: ended" in each


@pytest.mark.parametrize("half", [False, True])
def test_a_client_that_sends_no_more_has_left(folder: Path, *, half: bool) -> None:
    """It looks the same as a client that has closed both directions, and no
    call would tell for hours.
    """
    with (
        Replayer(folder) as bedrock,
        socket.create_connection(("127.0.0.1", bedrock.port)) as client,
    ):
        client.sendall(b"GET /_bedtape/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        data = b""
        while b"event: ready" not in data:
            data += client.recv(65536)
        if half:
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        else:
            client.close()
        until(lambda: not bedrock.engine.watchers)
