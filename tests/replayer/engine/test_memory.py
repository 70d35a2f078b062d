"""One memory limit for all sessions: what is kept is counted, the oldest goes first, and a
reset releases everything.
"""

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.engine.checks import parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import Sessions
from bedtape_replayer.overlay.document import parse_fault, parse_overlay, parse_rule
from support.recordings import converse, path

# Each test traces the memory of Python.
pytestmark = pytest.mark.slow

# About as many headers as boto3 sends.
HEAD = b"\r\nauthorization: %b\r\nuser-agent: %b\r\namz-sdk-invocation-id: " % (
    b"a" * 180,
    b"b" * 200,
)


def make_engine(**options: Any) -> Engine:
    recordings = tuple(converse(f"question {number}", "a" * 400) for number in range(50))
    return Engine(Library([Cassette("made", recordings)]), checks=parse_checks("rules"), **options)


def send(
    engine: Engine, session: str, body: dict[str, Any], url: str = path(), number: int = 0
) -> Answer:
    head = Head(HEAD + b"%036d\r\n" % number)
    answer = engine.answer("POST", f"/s/{session}{url}", head, json.dumps(body).encode())
    engine.finish(Outcome(answer, 0.0, 0.0, True, len(answer.reply.pieces)))
    return answer


def ask(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


def add_rule(engine: Engine, session: str, **rule: Any) -> None:
    layers = engine.sessions.get(session).layers
    layers.add(parse_rule({"answer": {"text": "word " * 60}, **rule}, layers.next_id))


def open_sessions(engine: Engine, count: int) -> None:
    for number in range(count):
        engine.sessions.get(f"s{number}")


def play_recordings(engine: Engine, count: int) -> None:
    for number in range(count):
        assert send(engine, "a", ask(f"question {number % 50}"), number=number).source == "cassette"


def play_in_many_sessions(engine: Engine, count: int) -> None:
    for number in range(count):
        send(engine, f"s{number // 50}", ask(f"question {number % 50}"), number=number)


def miss(engine: Engine, count: int) -> None:
    for number in range(count):
        assert send(engine, "a", ask(f"{number} " + "b" * 300), number=number).source == "miss"


def answer_by_rules(engine: Engine, count: int) -> None:
    add_rule(engine, "a")
    for number in range(count):
        assert send(engine, "a", ask(f"{number}"), path("converse-stream"), number).source == "rule"


def throttle(engine: Engine, count: int) -> None:
    layers = engine.sessions.get("a").layers
    layers.add(parse_fault({"error": "ThrottlingException", "probability": 0.9}, layers.next_id))
    for number in range(count):
        send(engine, "a", ask(f"{number}"), number=number)


def add_layers(engine: Engine, count: int) -> None:
    rules = [
        {"when": {"prompt_contains": f"{n}"}, "answer": {"json": {"list": [n] * 9}}}
        for n in range(count)
    ]
    engine.sessions.get("a").layers.replace_own(
        parse_overlay({"bedtape-overlay": 1, "rules": rules})
    )


def keep_responses(engine: Engine, count: int) -> None:
    add_rule(engine, "a")
    for number in range(count):
        body = {"model": "openai.gpt-oss-20b", "input": f"{number}"}
        assert send(engine, "a", body, "/openai/v1/responses", number).source == "rule"


ACTIONS: list[tuple[Callable[[Engine, int], None], int]] = [
    (open_sessions, 1000),
    (play_recordings, 1000),
    (play_in_many_sessions, 1000),
    (miss, 60),
    (answer_by_rules, 200),
    (throttle, 200),
    (add_layers, 300),
    (keep_responses, 150),
]


@pytest.mark.parametrize(("act", "count"), ACTIONS, ids=[act.__name__ for act, _ in ACTIONS])
def test_the_counted_bytes_are_the_bytes_that_python_has(
    act: Callable[[Engine, int], None], count: int
) -> None:
    """The count may be too high, because a cached answer counts as if it shared nothing.

    It is never much too low.
    """
    engine = make_engine()
    act(engine, 2)  # imports, compiles and fills the caches of modules
    engine.reset()
    unused = engine.memory.used
    gc.collect()
    tracemalloc.start()
    try:
        act(engine, count)
        gc.collect()
        allocated = tracemalloc.get_traced_memory()[0]
        counted = engine.memory.used - unused
        engine.reset()
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.75 * allocated < counted < 8 * allocated
    assert engine.memory.used == unused
    assert engine.memory.bodies == {}
    # Small caches of whole modules stay: of patterns, paths and prompts.
    assert left < 0.1 * allocated + count * 1200


def test_the_session_that_was_unused_the_longest_loses_its_oldest_calls() -> None:
    engine = make_engine(memory=2 * 1024 * 1024)
    for number in range(20):
        send(engine, "old", ask("question 1"), number=number)
    for number in range(2000):
        send(engine, "new", ask(f"question {number % 50}"), number=number)
        send(engine, "in use", ask("question 2"), number=number) if number % 100 == 0 else None
    assert engine.memory.used <= engine.memory.limit + 10_000
    old, new = engine.sessions.find("old"), engine.sessions.find("new")
    assert old is not None
    assert new is not None
    assert (len(old.history), old.history.forgotten) == (0, 20)
    assert new.history.calls[-1].number == 2000
    assert (
        engine.memory.forgotten
        == sum(session.history.forgotten for session in engine.sessions)
        > 1000
    )
    assert engine.sessions.dropped == 0


def test_without_calls_the_oldest_sessions_are_dropped() -> None:
    """Rules of ten thousand sessions can take more than the limit, too."""
    engine = make_engine(memory=1024 * 1024)
    for number in range(100):
        add_rule(engine, f"s{number}", answer={"text": "x" * 10_000})
    assert engine.memory.used <= engine.memory.limit + 100_000
    names = [session.name for session in engine.sessions]
    assert names == [f"s{number}" for number in range(100 - len(names), 100)]
    assert engine.sessions.dropped == 100 - len(names) > 50


def test_a_session_above_the_limit_alone_still_answers() -> None:
    engine = make_engine(memory=1024 * 1024)
    add_rule(engine, "s", answer={"text": "x" * 1_000_000})
    assert send(engine, "s", ask("anything")).source == "rule"


def test_idle_sessions_are_dropped_and_counted() -> None:
    sessions = Sessions(idle=60.0)
    sessions.expire(1000.0)
    for name in (DEFAULT_SESSION, "test", "idle", "busy"):
        sessions.get(name)
    sessions.share("second name", sessions.get("test"))
    unused = sessions.memory.used
    sessions.expire(1050.0)
    sessions.get("busy")
    sessions.expire(1061.0)
    assert {session.name for session in sessions} == {DEFAULT_SESSION, "test", "busy"}
    assert sessions.dropped == 1
    assert sessions.memory.used < unused


def test_sessions_are_kept_if_there_is_no_idle_limit() -> None:
    sessions = Sessions()
    sessions.get("s")
    sessions.expire(1e9)
    assert sessions.find("s") is not None


def test_a_session_with_two_names_is_released_once() -> None:
    sessions = Sessions()
    state = sessions.get("one")
    sessions.share("two", state)
    sessions.share("two", state)
    assert sessions.drop("one")
    assert sessions.memory.used > 0
    assert sessions.drop("two")
    assert sessions.memory.used == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        Memory(limit)


def test_the_answers_of_one_request_with_unique_ids_are_counted_once() -> None:
    """Each answer takes the place of the last answer."""
    engine = make_engine(
        overlay=parse_overlay(
            {"bedtape-overlay": 1, "ids": "unique", "rules": [{"answer": {"text": "word " * 60}}]}
        )
    )
    used, ids = [], set()
    for _ in range(50):
        answer = engine.answer("POST", f"/s/a{path()}", Head(HEAD), json.dumps(ask("one")).encode())
        used.append(engine.memory.used)
        ids.update(value for name, value in answer.reply.headers if name == b"x-amzn-RequestId")
    assert len(ids) == 50
    assert used[-1] == used[1]


def test_answers_of_a_request_that_no_cache_holds_are_not_counted() -> None:
    engine = make_engine(
        overlay=parse_overlay(
            {"bedtape-overlay": 1, "ids": "unique", "rules": [{"answer": {"text": "word " * 60}}]}
        )
    )
    used = []
    for _ in range(20):
        engine.answer("POST", f"/s/a{path()}", Head(HEAD), json.dumps(ask("x" * 200_000)).encode())
        used.append(engine.memory.used)
    assert used[-1] == used[5]  # after the caches of siblings are made
