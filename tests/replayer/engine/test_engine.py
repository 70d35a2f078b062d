"""The line from request to reply, without a socket."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import get_type_hints

import pytest

import bedtape_replayer
from bedtape_cassettes.families.content import Embeddings, Message, Text
from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.bodies import EVENT_STREAM
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.model import Body, Cassette, Response, event_headers
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import Close, EndAt, StepEdit
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import Schedule
from support.recordings import converse, path, prompt, record_interaction


def _engine(*cassettes: Cassette, strict: bool = False) -> Engine:
    return Engine(Library(cassettes), strict=strict)


def _ask(engine: Engine, text: str, prefix: str = "") -> Answer:
    return engine.answer("POST", prefix + path(), Head.of(()), prompt(text))


def _said(answer: Answer) -> str:
    body = json.loads(answer.reply.pieces[0].data)
    return body["message"] if "message" in body else body["output"]["message"]["content"][0]["text"]


def test_a_recording_answers() -> None:
    answer = _ask(_engine(Cassette("c", (converse("a", "one"),))), "a")
    assert (_said(answer), answer.reply.status, answer.miss) == ("one", 200, None)


def test_a_miss_is_an_error_that_no_sdk_retries() -> None:
    answer = _ask(_engine(Cassette("c", (converse("a", "one"),))), "b")
    assert answer.reply.status == 400
    assert (b"x-amzn-ErrorType", b"CassetteMissException") in answer.reply.headers
    assert _said(answer) == str(answer.miss)


def test_the_last_answer_repeats_unless_strict() -> None:
    tape = Cassette("c", (converse("a", "one"), converse("a", "two")))
    lenient, strict = _engine(tape), _engine(tape, strict=True)
    assert [_said(_ask(lenient, "a")) for _ in range(3)] == ["one", "two", "two"]
    answers = [_ask(strict, "a") for _ in range(3)]
    assert [_said(answer) for answer in answers[:2]] == ["one", "two"]
    assert answers[2].miss is not None
    assert "recorded 2 times" in str(answers[2].miss)


def test_a_session_plays_the_cassette_of_its_name_else_all() -> None:
    engine = _engine(
        Cassette("a", (converse("q", "from a"),)), Cassette("b/c", (converse("q", "from b"),))
    )
    assert _said(_ask(engine, "q")) == "from a"
    assert _said(_ask(engine, "q", "/s/b%2Fc")) == "from b"
    assert [_said(_ask(engine, "q", "/s/other")) for _ in range(2)] == ["from a", "from b"]


def test_the_default_session_plays_all_even_where_a_cassette_is_called_default() -> None:
    engine = _engine(
        Cassette("a", (converse("q", "from a"),)), Cassette("default", (converse("r", "from d"),))
    )
    assert _said(_ask(engine, "q")) == "from a"


def test_a_new_library_answers_at_once_and_places_stay() -> None:
    engine = _engine(Cassette("c", (converse("a", "one"), converse("a", "two"))))
    assert _said(_ask(engine, "a")) == "one"
    engine.library = Library([Cassette("c", (converse("a", "uno"), converse("a", "due")))])
    assert _said(_ask(engine, "a")) == "due"


def test_replies_are_rendered_once() -> None:
    engine = _engine(Cassette("c", (converse("a", "one"),)))
    assert _ask(engine, "a").reply is _ask(engine, "a").reply


@pytest.mark.slow
def test_kept_replies_are_bounded_in_bytes() -> None:
    big = [converse(str(n), "x" * 1_000_000) for n in range(60)]
    engine = _engine(Cassette("c", tuple(big)))
    for n in range(60):
        assert len(_said(_ask(engine, str(n)))) == 1_000_000
    assert sum(reply.size for reply in engine._replies.values()) <= 33 * 1024 * 1024


# -- the overlay -----------------------------------------------------------------------------------


class Shout(FaultKind):
    """Changes what is said."""

    def on_response(self, response: Response, call: Call, context: FaultContext) -> Response:
        assert isinstance(response.body, Body)
        return Response(
            response.status,
            response.headers,
            Body("json", response.body.data.replace(b"one", b"ONE!")),
        )


class Mark(FaultKind):
    """Changes the bytes."""

    def on_reply(self, reply: Reply, call: Call, context: FaultContext) -> Reply:
        return replace(reply, headers=(*reply.headers, (b"x-marked", b"1")))


class Hurry(FaultKind):
    """Changes the steps."""

    def on_steps(self, reply: Reply, context: FaultContext) -> StepEdit:
        return EndAt(len(reply.pieces), 0, Close())


def _laid(*layers: Rule | Fault) -> Engine:
    engine = _engine(Cassette("c", (converse("a", "one"), converse("a", "two"))))
    engine.sessions.get("default").layers.add(*layers)
    return engine


def test_a_rule_goes_before_the_cassette_and_takes_nothing_from_it() -> None:
    engine = _laid(Rule("r", (Message((Text("ruled"),)),), schedule=Schedule(times=1)))
    answers = [_ask(engine, "a") for _ in range(3)]
    assert [_said(answer) for answer in answers] == ["ruled", "one", "two"]
    assert [(answer.source, answer.by) for answer in answers[:2]] == [
        ("rule", "r"),
        ("cassette", answers[1].file),
    ]


def test_an_error_goes_before_rules_and_takes_nothing_from_them() -> None:
    engine = _laid(
        Rule("r", (Message((Text("1"),)), Message((Text("2"),)))),
        Fault("f", Refuse(Failure("ThrottlingException", "slow down")), schedule=Schedule(times=1)),
    )
    answers = [_ask(engine, "a") for _ in range(3)]
    assert [_said(answer) for answer in answers] == ["slow down", "1", "2"]
    assert answers[0].reply.status == 429
    assert (
        b"x-amzn-ErrorType",
        b"ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
    ) in (answers[0].reply.headers)


def test_harms_change_what_is_said_its_bytes_and_its_steps() -> None:
    engine = _laid(Fault("s", Shout()), Fault("m", Mark()), Fault("h", Hurry()))
    answer = _ask(engine, "a")
    assert (_said(answer), answer.source, answer.faults) == ("ONE!", "cassette", ("s", "m", "h"))
    assert answer.reply.headers[-1] == (b"x-marked", b"1")
    assert answer.edits == (EndAt(1, 0, Close()),)
    length = dict(answer.reply.headers)[b"Content-Length"]
    assert int(length) == len(answer.reply.pieces[0].data)


def test_harms_that_leave_steps_alone_leave_the_fast_path() -> None:
    assert _ask(_laid(Fault("m", Mark())), "a").edits == ()


def test_a_miss_is_not_harmed() -> None:
    answer = _ask(_laid(Fault("m", Mark())), "nothing")
    assert (answer.source, answer.faults) == ("miss", ())


def test_a_layer_that_cannot_is_told_to_the_client_and_not_retried() -> None:
    answer = _ask(_laid(Rule("r", (Embeddings(),))), "a")
    assert (answer.reply.status, answer.source) == (400, "overlay")
    assert (b"x-amzn-ErrorType", b"OverlayException") in answer.reply.headers
    assert "r cannot answer Converse" in _said(answer)


def test_equal_calls_get_equal_bytes_from_rules() -> None:
    rule = Rule("r", (Message((Text("hello"),)),))
    one, two = _ask(_laid(rule), "a").reply, _ask(_laid(rule), "a").reply
    assert (one.headers, one.pieces) == (two.headers, two.pieces)


def test_sessions_have_their_own_layers() -> None:
    engine = _laid(Rule("r", (Message((Text("ruled"),)),)))
    assert _said(_ask(engine, "a")) == "ruled"
    assert _said(_ask(engine, "a", "/s/other")) == "one"


def test_calls_become_history_when_they_are_over() -> None:
    engine = _laid()
    answer = _ask(engine, "a", "/s/x")
    session = engine.sessions.get("x")
    assert len(session.history) == 0
    engine.finish(Outcome(answer, 1.0, 0.5, True, 1))
    assert [call.text for call in session.history.calls] == ["one"]


@pytest.mark.parametrize("drops", [False, True])
def test_a_call_that_ends_after_its_session_was_reset_or_dropped_is_not_in_the_new_one(
    drops: bool,
) -> None:
    engine = _laid()
    answer = _ask(engine, "a", "/s/x")
    assert not drops or engine.sessions.drop("x")
    fresh = engine.sessions.reset("x")
    engine.finish(Outcome(answer, 1.0, 0.5, True, 1))
    assert len(fresh.history) == 0


def test_a_call_of_a_session_that_has_only_its_other_name_left_is_in_its_history() -> None:
    engine = _laid()
    session = engine.sessions.get("x")
    engine.sessions.share("alias", session)
    engine.sessions.drop("x")
    fresh = engine.sessions.get("x")
    engine.finish(Outcome(_ask(engine, "a", "/s/alias"), 1.0, 0.5, True, 1))
    assert (len(session.history), len(fresh.history)) == (1, 0)


def test_equal_bodies_are_in_memory_once() -> None:
    """From the second on, because most bodies come once."""
    engine = _laid()
    _ask(engine, "a")
    assert _ask(engine, "a").call.body is _ask(engine, "a", "/s/other").call.body
    assert _ask(engine, "a").call.body is not _ask(engine, "b").call.body


@pytest.mark.parametrize("kind", [Call, Answer, Outcome])
def test_calls_and_answers_are_values(kind: type) -> None:
    """No field holds a function, and no module assigns a field of a call or an answer."""
    assert "Callable" not in str(get_type_hints(kind))
    names = "|".join(field.name for field in fields(kind))
    assigned = re.compile(rf"\b(?:call|answer|outcome)\.(?:{names})(?:, [\w.]+)* = ")
    sources = Path(bedtape_replayer.__file__).parent.rglob("*.py")
    assert not [path.name for path in sources if assigned.search(path.read_text())]


def test_the_desk_is_asked_first_and_leaves_no_history() -> None:
    engine = _laid()
    engine.control = Gate(engine)
    host = Head.of(((b"host", b"localhost"),))
    answer = engine.answer("GET", "/_bedtape/health", host, b"")
    assert (answer.source, answer.reply.status) == ("control", 200)
    engine.finish(Outcome(answer, 1.0, 0.5, True, 1))
    assert [session.name for session in engine.sessions] == ["default"]
    assert engine.answer("GET", "/_other", host, b"").source == "miss"


@pytest.mark.parametrize("streamed", [True, False])
def test_an_agent_answers_with_the_session_id_that_was_sent(streamed: bool) -> None:
    agent = "/agents/A/agentAliases/B/sessions/{}/text"
    trace = b'{"sessionId":"session-recorded"}'
    body = eventstream.encode_strings(event_headers("trace"), trace) if streamed else trace
    kind = EVENT_STREAM if streamed else "application/json"
    headers = (("content-type", kind), ("x-amz-bedrock-agent-session-id", "session-recorded"))
    tape = record_interaction(
        b'{"inputText":"hello"}', body, url=agent.format("session-recorded"), headers=headers
    )
    rules = MatchRules(placeholders=(re.compile("session-[a-z]+"),))
    engine = Engine(Library([Cassette("c", (tape,))], rules))
    for session in ("session-sent", "session-recorded", "session-sent"):
        answer = engine.answer("POST", agent.format(session), Head.of(()), b'{"inputText":"hello"}')
        assert answer.source == "cassette", answer.miss
        assert (b"x-amz-bedrock-agent-session-id", session.encode()) in answer.reply.headers
        assert session.encode() in b"".join(piece.data for piece in answer.reply.pieces)
