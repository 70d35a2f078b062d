"""The line from request to reply, without a socket."""

from __future__ import annotations

import json

from bedtape_cassettes.model import Cassette
from bedtape_replayer.call import Pairs
from bedtape_replayer.engine import Answer, Engine
from bedtape_replayer.library import Library
from support.recordings import converse, path, prompt


def _engine(*cassettes: Cassette, strict: bool = False) -> Engine:
    return Engine(Library(cassettes), strict=strict)


def _ask(engine: Engine, text: str, prefix: str = "") -> Answer:
    return engine.answer("POST", prefix + path(), Pairs(()), prompt(text))


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
    engine = _engine(Cassette("a", (converse("q", "from a"),)), Cassette("b/c", (converse("q", "from b"),)))
    assert _said(_ask(engine, "q")) == "from a"
    assert _said(_ask(engine, "q", "/s/b%2Fc")) == "from b"
    assert [_said(_ask(engine, "q", "/s/other")) for _ in range(2)] == ["from a", "from b"]


def test_the_default_session_plays_all_even_where_a_cassette_is_called_default() -> None:
    engine = _engine(Cassette("a", (converse("q", "from a"),)), Cassette("default", (converse("r", "from d"),)))
    assert _said(_ask(engine, "q")) == "from a"


def test_a_new_library_answers_at_once_and_places_stay() -> None:
    engine = _engine(Cassette("c", (converse("a", "one"), converse("a", "two"))))
    assert _said(_ask(engine, "a")) == "one"
    engine.library = Library([Cassette("c", (converse("a", "uno"), converse("a", "due")))])
    assert _said(_ask(engine, "a")) == "due"


def test_replies_are_rendered_once() -> None:
    engine = _engine(Cassette("c", (converse("a", "one"),)))
    assert _ask(engine, "a").reply is _ask(engine, "a").reply


def test_kept_replies_are_bounded_in_bytes() -> None:
    big = [converse(str(n), "x" * 1_000_000) for n in range(60)]
    engine = _engine(Cassette("c", tuple(big)))
    for n in range(60):
        assert len(_said(_ask(engine, str(n)))) == 1_000_000
    assert engine._kept <= 33 * 1024 * 1024
