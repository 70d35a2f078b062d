"""The fixture with a server that runs already: what it can do there, and what it refuses."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedtape_cassettes.config.settings import NO_SETTINGS
from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.plugin import options
from bedtape_replayer.server.control_client import ControlClient, ControlError
from support import folders
from support.recordings import converse
from support.runs import Run, runs

pytest_plugins = ["pytester"]

_CODE = """
    import json

    @pytest.mark.bedrock("shared/weather", strict=True)
    def test_session(bedrock):
        client = bedrock.client(config=Config(retries={"total_max_attempts": 1}))
        assert ask(client, "hi") == "sunny"
        with pytest.raises(AssertionError, match="found 1 unplayed"):
            bedrock.assert_all_played()
        assert ask(client, "b") == "rain"
        bedrock.assert_all_played()
        bedrock.play("shared/other", strict=False)
        assert [ask(client, "hi") for _ in "ab"] == ["other", "other"]
        with pytest.raises(ValueError, match="expected a cassette 'absent' on the server"):
            bedrock.play("absent")
        assert [call.source for call in bedrock.calls] == ["cassette"] * 4
        assert bedrock.calls[0].request_id and bedrock.calls[0].whole_text == "sunny"
        bedrock.reset()
        assert len(bedrock.calls) == 0
        bedrock.play(None)
        assert ask(client, "hi") == "sunny"
        assert re.fullmatch(r"<Bedrock 'shared/weather .{8}' on http://.*: 1 call, 0 rules, 0 faults>", repr(bedrock))

    def test_layers(bedrock):
        client = bedrock.client()
        bedrock.respond("a", "named", name="one")
        with pytest.raises(ValueError, match="a layer has the name 'one' already"):
            bedrock.respond("b", "x", name="one")
        with pytest.raises(Exception, match="expected an answer, found a function; a server in another"):
            bedrock.respond(lambda call: "x")
        with pytest.raises(Exception, match="did you mean prompt_contains"):
            bedrock.respond(prompt_contain="b", text="x")
        assert bedrock.unused == ('one (prompt_contains="a")',)
        assert ask(client, "a") == "named"
        bedrock.assert_all_used()
        bedrock.remove("one")
        with pytest.raises(KeyError, match="no layer of its own named 'one'"):
            bedrock.remove("one")
        bedrock.overlay({"bedtape-overlay": 1, "rules": [{"answers": [{"text": "1"}, {"text": "2"}]}]})
        assert [ask(client, "a") for _ in "ab"] == ["1", "2"]
        assert bedrock.script([("c", "d")], allow_unoffered_tools=True) == "script-1"
        bedrock.simulate(limits=True)
        bedrock.fault(quota={"requests_per_minute": 1}, name="quota")
        bedrock.remove("script-1")
        ask(client, "a")
        with pytest.raises(Exception, match="Throttling"):
            ask(bedrock.client(config=Config(retries={"total_max_attempts": 1})), "a")
        bedrock.advance(60)
        ask(client, "a")

    @pytest.mark.bedrock(overlay="rules.yaml")
    def test_marks(bedrock, monkeypatch):
        bedrock.fail("ThrottlingException", retry_after_ms=9000)
        client = bedrock.client(config=Config(retries={"mode": "standard"}))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        assert ask(client, "x") == "of the file"
        kinds = [finding.kind for finding in bedrock.verdict]
        bedrock.fast_retries()
        assert (kinds, bedrock.verdict) == (["ignored_retry_after"], ())

    @pytest.mark.bedrock(speed=1)
    def test_speed(bedrock):
        pass

    def test_local(bedrock):
        pass

    def test_missed(bedrock):
        with pytest.raises(Exception, match="No recording answers"):
            ask(bedrock.client(), "hi")
    """


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


def test_a_test_uses_a_session_of_the_server(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    served = tmp_path / "cassettes"
    folders.write(
        served, Cassette("shared/weather", (converse("hi", "sunny"), converse("b", "rain")))
    )
    folders.write(served, Cassette("shared/other", (converse("hi", "other"),)))
    local = Cassette("test_it/test_local", (converse("hi", "not on the server"),))
    folders.write(pytester.path / "cassettes", local)
    (pytester.path / "rules.yaml").write_text(
        "bedtape-overlay: 1\nrules:\n  - {when: {prompt_contains: x}, answer: {text: of the"
        " file}}\n"
    )
    with Replayer(served) as server:
        code = _CODE.replace("import json", "import re")
        report = "--bedtape-report=calls.html"
        result = run({"test_it.py": code}, f"--bedtape-url={server.url}", report)
        sessions = {state.name for state in server.engine.sessions}
    result.assert_outcomes(passed=3, failed=1, errors=2)
    printed = result.stdout.str()
    assert re.search(
        r"expected the cassette 'test_it/test_local' on http://.*, found it in", printed
    )
    assert "expected no speed with --bedtape-url, found speed in the mark" in printed
    assert "The server has no cassette test_it/test_missed. Record it without --bed" in printed
    assert re.search(r"bedtape: 5 played, 8 from rules and faults, 0 recorded, 1 missed", printed)
    assert sessions <= {"default"}, "sessions that the run has left"
    assert "sunny" in (pytester.path / "calls.html").read_text()


def test_ctrl_c_leaves_no_session_on_the_server(run: Run) -> None:
    code = """
    @pytest.fixture(scope="session", autouse=True)
    def wider(bedrock_session):
        bedrock_session.respond("y", "wider")

    def test_interrupted(bedrock):
        bedrock.respond("x", "y")
        assert ask(bedrock.client(), "x") == "y"
        raise KeyboardInterrupt
    """
    with Replayer() as server:
        result = run({"test_it.py": code}, f"--bedtape-url={server.url}")
        sessions = {state.name for state in server.engine.sessions}
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "bedtape: 0 played, 1 from rules and faults" in result.stdout.str()
    assert sessions <= {"default"}, "sessions that the run has left"


def _choose(url: str, mode: str = "none", **given: object) -> str | None:
    config: Any = SimpleNamespace(
        getoption=lambda name: {"--bedtape-url": url, **given}.get(name),
        getini=lambda name: options._UNSET,
    )
    return options.url_of(config, NO_SETTINGS, mode)


@pytest.mark.parametrize("url", ["team:4566", "ftp://team", "http://", "http://team:port"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(pytest.UsageError, match="expected the URL of a server such as http"):
        _choose(url)


def test_options_of_a_server_in_the_process_are_refused_together() -> None:
    assert _choose("https://team.example/n/token-of-the-team") is not None
    assert _choose("") is None
    with pytest.raises(
        pytest.UsageError, match=r"found --bedtape=accept, --bedtape-migrate, --bedtape-keep; rem"
    ):
        _choose("http://team", "accept", **{"--bedtape-keep": True, "--bedtape-migrate": ""})


@pytest.mark.parametrize(
    "key", ["speed", "overlay", "validate", "ids", "simulate", "tls", "history"]
)
def test_settings_of_a_server_in_the_process_are_refused(key: str) -> None:
    setting = SimpleNamespace(value="x", source=f"pyproject.toml: {key}", variable="")
    settings: Any = SimpleNamespace(find=lambda _, each: setting if each == key else None)
    config: Any = SimpleNamespace(
        getoption=lambda name: {"--bedtape-url": "http://team"}.get(name),
        getini=lambda name: options._UNSET,
    )
    with pytest.raises(pytest.UsageError, match=f"found pyproject.toml: {key}; remove it"):
        options.url_of(config, settings, "none")


def test_another_server_and_another_version_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with Replayer(()) as server:
        client = ControlClient(f"{server.url}/", "a token that nobody needs")
        client.check()
        monkeypatch.setattr("bedtape_replayer.server.control_client.VERSION", "0.0.1")
        with pytest.raises(ControlError, match=r"expected bedtape 0\.0\.1 at http://.*, found bed"):
            client.check()
        with pytest.raises(ControlError, match="no cassette is named 'x'") as raised:
            client.ask_session("a", "PUT", "", {"cassette": "x"})
        assert raised.value.status == 404
    with pytest.raises(ControlError, match=r"expected a bedtape server at http://.*, found n"):
        client.check()
    assert "secret" not in repr(ControlClient("http://user:secret@team/n/secret", "secret"))
