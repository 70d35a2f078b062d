"""A session as a test holds it, over a real server and boto3."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.engine.session import Session
from bedtape_replayer.overlay.document import OverlayInvalid
from bedtape_replayer.server import thread as server_thread
from support import WAIT, folders
from support.boto import boto3_client
from support.calls import CLAUDE
from support.recordings import converse


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayer]:
    folder = tmp_path_factory.mktemp("cassettes")
    folders.write(folder, Cassette("talk", (converse("one", "1"), converse("two", "2"))))
    with Replayer(folder) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer, request: pytest.FixtureRequest) -> Session:
    return server.session(request.node.name)


def ask(session: Session, text: str, model: str = CLAUDE, **more: Any) -> str:
    client = boto3_client(session.url)
    messages = [{"role": "user", "content": [{"text": text}]}]
    answer = client.converse(modelId=model, messages=messages, **more)
    said: str = answer["output"]["message"]["content"][0]["text"]
    return said


def test_it_answers_what_it_was_told(bedrock: Session) -> None:
    assert bedrock.respond("spam", json={"label": "spam"}) == "rule-1"
    bedrock.respond("ham", text="no", model="*nova*")
    bedrock.respond(text="anything else")
    assert json.loads(ask(bedrock, "is this spam?")) == {"label": "spam"}
    assert ask(bedrock, "ham") == "anything else"
    bedrock.assert_called("spam", times=1, model="*claude*")
    bedrock.assert_not_called("eggs")
    bedrock.assert_sequence([{"prompt_contains": "spam"}, {"prompt_contains": "ham"}])
    with pytest.raises(AssertionError, match="eggs"):
        bedrock.assert_called("eggs")
    assert [call.by for call in bedrock.calls] == ["rule-1", "rule-3"]


def test_when_means_what_it_means_in_a_file(bedrock: Session) -> None:
    """Conditions in `when` and conditions as keywords must all hold."""
    bedrock.respond("ham", "both", when={"model": "*claude*"})
    bedrock.respond(lambda _: "computed", when={"prompt_contains": "eggs"})
    bedrock.respond("ham", "one")
    bedrock.fail("ThrottlingException", retry_after_ms=1, when={"prompt_contains": "eggs"})
    bedrock.fault(misanswer="max_tokens", call=2, when={"prompt_contains": "ham"})
    assert ask(bedrock, "ham", "us.amazon.nova-lite-v1:0") == "one"
    assert [ask(bedrock, "ham"), ask(bedrock, "eggs")] == ["bo", "computed"]
    assert [call.by for call in bedrock.calls] == ["rule-3", "rule-1", "fault-1", "rule-2"]


def test_a_script_expects_and_answers_each_turn(bedrock: Session) -> None:
    bedrock.script(
        [
            ("weather", {"tool": {"name": "look"}}),
            {
                "expect": {"tool_result": "look", "question_contains": "weather"},
                "answer": "It is sunny.",
            },
            ("", {"error": "ValidationException"}),
        ]
    )
    tools = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {}}}}]}
    client: Any = boto3_client(bedrock.url)
    messages: list[Any] = [{"role": "user", "content": [{"text": "weather in Lyon?"}]}]
    first = client.converse(modelId=CLAUDE, messages=messages, toolConfig=tools)["output"][
        "message"
    ]
    expected = 'tool_result="look", question_contains="weather"'
    assert bedrock.unused == (f"script-1 (1 of 3 turns came; the next expects {expected})",)
    with pytest.raises(
        ClientError,
        match=r"departs from the script at turn 2 of 3: question_contains expected.*found",
    ):
        ask(bedrock, "something else")
    use = first["content"][0]["toolUse"]["toolUseId"]
    result = {"toolResult": {"toolUseId": use, "content": [{"text": "sunny"}]}}
    messages += [first, {"role": "user", "content": [result]}]
    answer = client.converse(modelId=CLAUDE, messages=messages, toolConfig=tools)
    assert answer["output"]["message"]["content"][0]["text"] == "It is sunny."
    with pytest.raises(AssertionError, match=r"script-1 \(2 of 3 turns came; the next expects "):
        bedrock.assert_all_used()
    with pytest.raises(ClientError, match="ValidationException"):
        ask(bedrock, "thanks")
    bedrock.assert_all_used()
    with pytest.raises(ClientError, match="script-1: used up, times=3"):
        ask(bedrock, "one more")


def test_an_invalid_script_is_refused_with_every_problem(bedrock: Session) -> None:
    turns: Any = [("a", {"txt": "b"}), "c", {"expect": {"promt": "d"}, "answer": "e"}]
    with pytest.raises(OverlayInvalid) as refused:
        bedrock.script(turns)
    for place in ("script[0].answer.txt", "script[1]", "script[2].expect.promt"):
        assert place in str(refused.value)
    with pytest.raises(OverlayInvalid, match="at least 1 item"):
        bedrock.script([])


def test_alternatives_and_what_must_not_match(bedrock: Session) -> None:
    """Of equal requests, only one may match an alternative that concerns the
    attempt or the number of the call.
    """
    bedrock.respond(
        text="first",
        any_of=[{"call": 1}, {"prompt_contains": "again"}],
        none_of=[{"model": "*nova*"}],
    )
    bedrock.respond(text="rest", when={"none_of": [{"prompt_contains": "nobody"}]})
    assert [ask(bedrock, text) for text in ("a", "a", "again")] == ["first", "rest", "first"]
    assert ask(bedrock, "again", "us.amazon.nova-lite-v1:0") == "rest"
    with pytest.raises(ClientError, match="rule-2: none_of"):
        ask(bedrock, "nobody")
    bedrock.assert_called(times=2, any_of=[{"call": 2}, {"prompt_equals": "nobody"}])
    with pytest.raises(OverlayInvalid, match=r"none_of\[0\].*turns"):
        bedrock.respond("a", "b", none_of=[{"turns": 1}])  # type: ignore[typeddict-unknown-key]


def test_the_question_is_the_last_text_of_the_user(bedrock: Session) -> None:
    bedrock.respond(text="found", question_contains="weather", tool_result="*")
    use = {"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "sunny"}]}}
    messages = [
        {"role": "user", "content": [{"text": "weather in Lyon?"}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"toolSpec": {"name": "look", "inputSchema": {"json": {}}}}]
    client: Any = boto3_client(bedrock.url)
    answer = client.converse(modelId=CLAUDE, messages=messages, toolConfig={"tools": tools})
    assert answer["output"]["message"]["content"][0]["text"] == "found"


def test_answers_in_turn_may_be_text(bedrock: Session) -> None:
    bedrock.respond("a", answers=["1", {"error": "ThrottlingException", "retry_after_ms": 1}, "2"])
    assert [ask(bedrock, "a") for _ in range(3)] == ["1", "2", "2"]
    assert [call.status for call in bedrock.calls] == [200, 429, 200, 200]


def test_answers_can_end_with_a_miss(bedrock: Session) -> None:
    bedrock.respond("a", answers=["1", "2"], then="miss")
    assert [ask(bedrock, "a") for _ in range(2)] == ["1", "2"]
    with pytest.raises(ClientError, match="rule-1: used up, 2 answers, then=miss"):
        ask(bedrock, "a")
    bedrock.respond("a", "3")
    assert ask(bedrock, "a") == "3"
    with pytest.raises(OverlayInvalid, match="then: expected"):
        bedrock.respond("a", answers=["1"], then="stop")  # type: ignore[call-arg, arg-type]


def test_functions_answer(bedrock: Session) -> None:
    bedrock.respond(lambda call: f"you said {call.prompt.last}", prompt_contains="x", times=1)
    bedrock.respond(lambda call: Message((Text(call.session),)))
    assert ask(bedrock, "x") == "you said x"
    assert ask(bedrock, "x") == bedrock.name


def test_a_function_returns_an_answer_as_a_rule_has_it(bedrock: Session) -> None:
    """An object with keys of an answer is an answer; every other object is JSON text."""

    async def wait(call: Call) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"text": f"waited for {call.prompt.messages[-1].text}", "stop_reason": "max_tokens"}

    answers: dict[str, Any] = {
        "tool": {"tool": {"name": "now"}},
        "error": {"error": "ValidationException", "message": "too hot"},
        "other": {"text": "a", "label": 1},
        "status": {"json": {"status": "ok"}},
    }
    bedrock.respond(wait, prompt_contains="wait")
    bedrock.respond(lambda call: answers[call.prompt.last])
    tools = [{"toolSpec": {"name": "now", "inputSchema": {"json": {}}}}]
    client = boto3_client(bedrock.url)

    def send(text: str) -> Any:
        messages = [{"role": "user", "content": [{"text": text}]}]
        return client.converse(modelId=CLAUDE, messages=messages, toolConfig={"tools": tools})

    assert send("tool")["output"]["message"]["content"][0]["toolUse"]["name"] == "now"
    with pytest.raises(ClientError, match=r"ValidationException.*too hot"):
        send("error")
    assert json.loads(send("other")["output"]["message"]["content"][0]["text"]) == {
        "text": "a",
        "label": 1,
    }
    assert json.loads(send("status")["output"]["message"]["content"][0]["text"]) == {"status": "ok"}
    waited = send("wait")
    assert (waited["output"]["message"]["content"][0]["text"], waited["stopReason"]) == (
        "waited for wait",
        "max_tokens",
    )


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        ({"tool": {"input": 1}}, "tool: "),
        ({"text": "a", "status": 500}, "status only with an error"),
        (["a"], "expected its function to return text"),
        (object(), "expected its function to return text"),
        ("\ud83d", "surrogate"),
        ({"a": float("nan")}, "nan"),
    ],
)
def test_a_function_that_returns_what_no_rule_can_answer(
    bedrock: Session, returned: Any, problem: str
) -> None:
    bedrock.respond(lambda _: returned)
    with pytest.raises(ClientError, match=f"OverlayException.*{problem}"):
        ask(bedrock, "a")


def test_it_fails_once_unless_told_otherwise(bedrock: Session) -> None:
    bedrock.respond(text="at last")
    assert bedrock.fail("ThrottlingException", retry_after_ms=1) == "fault-1"
    assert ask(bedrock, "a") == "at last"
    assert [(call.status, call.source, call.attempt) for call in bedrock.calls] == [
        (429, "fault", 1),
        (200, "rule", 2),
    ]
    assert bedrock.verdict == ()


def test_other_faults_have_their_names(bedrock: Session) -> None:
    bedrock.respond(text="a long answer that will be cut short")
    bedrock.fault(misanswer="max_tokens", times=1)
    short = ask(bedrock, "a")
    assert short != ask(bedrock, "a")
    assert bedrock.calls[0].stop_reason == "max_tokens"


def test_what_is_wrong_is_refused_at_once(bedrock: Session) -> None:
    with pytest.raises(OverlayInvalid, match="did you mean text"):
        bedrock.respond("a", txt="b")  # type: ignore[call-arg]
    with pytest.raises(OverlayInvalid, match=r"when\.turn"):
        bedrock.respond("a", text="b", turn=0)
    with pytest.raises(OverlayInvalid, match="at least 1 of text"):
        bedrock.respond(when={"model": "*claude*"})
    with pytest.raises(TypeError, match=r"write respond\('a', TEXT\) .* or respond\(text='a'\)"):
        bedrock.respond("a")
    with pytest.raises(TypeError, match="two values for 'text'"):
        bedrock.respond("a", "b", text="c")
    with pytest.raises(OverlayInvalid, match="expected a string"):
        bedrock.respond("a", {"label": "spam"})  # type: ignore[arg-type]
    with pytest.raises(OverlayInvalid, match=r"when\.model: expected each condition once"):
        bedrock.respond(text="b", model="*nova*", when={"model": "*claude*"})
    with pytest.raises(OverlayInvalid, match=r"when: expected an object"):
        bedrock.respond(text="b", when="spam")  # type: ignore[arg-type]
    with pytest.raises(OverlayInvalid, match="times"):
        bedrock.fail("ThrottlingException", times=0)
    with pytest.raises(OverlayInvalid, match="did you mean model"):
        bedrock.respond(lambda _: "x", modell="*claude*")  # type: ignore[call-arg]
    with pytest.raises(OverlayInvalid, match="let the function return it"):
        bedrock.respond(lambda _: "x", text="ignored")
    bedrock.respond("a", text="b", name="own")
    with pytest.raises(ValueError, match="a layer has the name 'own' already"):
        bedrock.respond("a", text="b", name="own")


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (
            lambda b: b.respond("a", lambda call: "b"),
            "text: expected text, found a function; write",
        ),
        (lambda b: b.respond(text={1}), "answer.text: expected a string, found an object of the"),
        (
            lambda b: b.respond(json={"a": [1j]}),
            "answer.json.a[0]: expected a value of JSON, found an object of the type complex",
        ),
        (lambda b: b.respond(answers=[{"text": {1}}]), "answers[0].text: expected a string"),
        (lambda b: b.fail("ThrottlingException", times={1}), "times: expected a whole number"),
        (lambda b: b.fault(latency=object()), "latency: expected an object"),
        (lambda b: b.script([("a", object())]), "script[0].answer: expected an object"),
        (lambda b: b.simulate(limits=object()), "limits: expected a boolean or an object"),
        (
            lambda b: b.overlay({"bedtape-overlay": 1, "rules": [{"answer": {"text": object()}}]}),
            "rules[0].answer.text: expected a string",
        ),
    ],
)
def test_an_argument_that_is_no_json_is_refused_with_its_place(
    bedrock: Session, add: Callable[[Session], object], message: str
) -> None:
    with pytest.raises(OverlayInvalid) as refused:
        add(bedrock)
    assert str(refused.value).startswith(message)
    assert "0 rules, 0 faults" in repr(bedrock) or "no calls" in repr(bedrock)


def test_dates_and_times_are_texts(bedrock: Session) -> None:
    bedrock.respond(json={"day": date(2026, 11, 30), "at": datetime(2026, 11, 30, 1, 2)})
    assert json.loads(ask(bedrock, "a")) == {"day": "2026-11-30", "at": "2026-11-30T01:02:00"}


def test_layers_are_removed_and_replaced(bedrock: Session) -> None:
    bedrock.respond(text="first")
    bedrock.overlay({"bedtape-overlay": 1, "rules": [{"answer": {"text": "second"}}]})
    assert ask(bedrock, "a") == "second"
    with pytest.raises(KeyError, match="gone"):
        bedrock.remove("gone")
    bedrock.remove("rule-1")
    with pytest.raises(Exception, match="No recording answers"):
        ask(bedrock, "a")


def test_a_session_chooses_its_cassette(bedrock: Session) -> None:
    bedrock.play("talk", strict=True)
    assert ask(bedrock, "one", "us.amazon.nova-lite-v1:0") == "1"
    with pytest.raises(AssertionError, match="talk/0002"):
        bedrock.assert_all_played()
    assert ask(bedrock, "two", "us.amazon.nova-lite-v1:0") == "2"
    bedrock.assert_all_played()
    with pytest.raises(ValueError, match="expected a cassette among talk, found 'tlak'"):
        bedrock.play("tlak")


def test_reset_forgets_everything(bedrock: Session) -> None:
    bedrock.respond(text="a")
    ask(bedrock, "x")
    bedrock.reset()
    assert len(bedrock.calls) == 0
    with pytest.raises(Exception, match="No recording answers"):
        ask(bedrock, "x")


def test_sessions_do_not_see_each_other(server: Replayer) -> None:
    one, two = server.session("one"), server.session("two")
    one.respond(text="1")
    two.respond(text="2")
    assert (ask(one, "a"), ask(two, "a")) == ("1", "2")
    assert (len(one.calls), len(two.calls)) == (1, 1)


def test_the_server_is_its_own_default_session(tmp_path: Path) -> None:
    with Replayer(()) as bedrock:
        bedrock.respond(text="hello")
        assert ask(bedrock, "a") == "hello"
        bedrock.assert_called(times=1)
        assert bedrock.session("default").url == bedrock.url
        bedrock.advance(60)
    with pytest.raises(RuntimeError, match="is not running"):
        bedrock.respond(text="late")


def test_an_overlay_for_every_session(tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    file.write_text("bedtape-overlay: 1\nrules:\n- answer: {text: from the file}\n")
    with Replayer((), overlay=file) as bedrock:
        assert ask(bedrock.session("a"), "x") == "from the file"
    with Replayer(
        (), overlay={"bedtape-overlay": 1, "rules": [{"answer": {"text": "given"}}]}
    ) as bedrock:
        assert ask(bedrock, "x") == "given"
    file.write_text("bedtape-overlay: 1\nrules: {}\n")
    with (
        pytest.raises(OverlayInvalid, match=r"o\.yaml:2: expected a list"),
        Replayer((), overlay=file),
    ):
        pass


def test_a_function_may_use_its_own_session(bedrock: Session) -> None:
    """It runs in the server's thread, which must not wait for itself."""
    bedrock.respond(lambda _: f"{len(bedrock.calls)} before")
    assert [ask(bedrock, "a") for _ in range(2)] == ["0 before", "1 before"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_that_takes_long_is_named_while_it_runs(
    bedrock: Session,
    is_async: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The function returns when the log names its rule: a function that waits for its
    own server never returns.
    """
    monkeypatch.setattr(server_thread, "_SLOW", 0.01)
    named = threading.Event()
    caplog.handler.addFilter(lambda record: named.set() or True)

    def answer(_: Call) -> str:
        return "named" if named.wait(WAIT) else "not named"

    async def answer_later(call: Call) -> str:
        return answer(call)

    bedrock.respond(answer_later if is_async else answer, name="waits", prompt_contains="slow")
    bedrock.respond(lambda _: "at once")
    assert ask(bedrock, "slow") == "named"
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "expected the function of waits to return, found that it has run for 0.01 s;"
    )


_SLOW = {"prompt_regex": "(x+x+)+y"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "when", [_SLOW, {"any_of": [{"call": 99}, _SLOW]}, {"none_of": [{"attempt": 9}, _SLOW]}]
)
def test_a_slow_pattern_is_named_with_its_rule(bedrock: Session, when: Any) -> None:
    """In the answer and in the history, also inside alternatives that are
    compared for every call.
    """
    bedrock.respond(text="a", name="slow", when=when)
    with pytest.raises(ClientError, match=r"slow: expected a pattern .* found '\(x\+x\+\)\+y'"):
        ask(bedrock, "x" * 100_000)
    (call,) = bedrock.calls
    assert (call.by or "").startswith("slow: expected a pattern")


def test_many_threads_at_once(bedrock: Session) -> None:
    bedrock.respond(lambda call: call.prompt.last)
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: said.append(ask(bedrock, str(n))), daemon=True)
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [str(n) for n in range(8)]
    assert sorted(call.number for call in bedrock.calls) == list(range(1, 9))
