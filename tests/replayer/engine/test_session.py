"""A session as a test holds it, over a real server and boto3."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from bedtape_replayer.overlay.document import OverlayInvalid
from support import folders
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


def test_answers_in_turn_may_be_text(bedrock: Session) -> None:
    bedrock.respond("a", answers=["1", {"error": "ThrottlingException", "retry_after_ms": 1}, "2"])
    assert [ask(bedrock, "a") for _ in range(3)] == ["1", "2", "2"]
    assert [call.status for call in bedrock.calls] == [200, 429, 200, 200]


def test_functions_answer(bedrock: Session) -> None:
    bedrock.respond(lambda call: f"you said {call.prompt.last}", prompt_contains="x", times=1)
    bedrock.respond(lambda call: Message((Text(call.session),)))
    assert ask(bedrock, "x") == "you said x"
    assert ask(bedrock, "x") == bedrock.name


def test_it_fails_once_unless_told_otherwise(bedrock: Session) -> None:
    bedrock.respond(text="at last")
    assert bedrock.fail("ThrottlingException", retry_after_ms=1) == "fault-1"
    assert ask(bedrock, "a") == "at last"
    assert [(call.status, call.source, call.attempt) for call in bedrock.calls] == [(429, "fault", 1), (200, "rule", 2)]
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
    with Replayer((), overlay={"bedtape-overlay": 1, "rules": [{"answer": {"text": "given"}}]}) as bedrock:
        assert ask(bedrock, "x") == "given"
    file.write_text("bedtape-overlay: 1\nrules: {}\n")
    with pytest.raises(OverlayInvalid, match=r"o\.yaml:2: expected a list"), Replayer((), overlay=file):
        pass


def test_a_function_may_use_its_own_session(bedrock: Session) -> None:
    """It runs in the server's thread, which must not wait for itself."""
    bedrock.respond(lambda _: f"{len(bedrock.calls)} before")
    assert [ask(bedrock, "a") for _ in range(2)] == ["0 before", "1 before"]


def test_many_threads_at_once(bedrock: Session) -> None:
    bedrock.respond(lambda call: call.prompt.last)
    said: list[str] = []
    threads = [threading.Thread(target=lambda n=n: said.append(ask(bedrock, str(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [str(n) for n in range(8)]
    assert sorted(call.number for call in bedrock.calls) == list(range(1, 9))
