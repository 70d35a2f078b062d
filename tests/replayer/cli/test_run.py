"""The command `bedtape run`, as the tests of any language are run by it; the child is Python,
with nothing of ours in it.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from support import WAIT, folders
from support.commands import run_program
from support.recordings import converse, path, prompt

_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "run"]
# A program that asks over plain HTTP, where its environment says.
_ASK = f"""
import http.client, os, sys, urllib.parse
url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"])
for body in sys.argv[1:]:
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout={WAIT})
    connection.request("POST", url.path + {path()!r}, body.encode(), {{"content-type": "application/json"}})
    response = connection.getresponse()
    print(response.status, response.read().decode())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def begin(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BEDTAPE_CACHE_DIR": "", **more}
        return run_program([*_COMMAND, *arguments], environment, tmp_path)

    return begin


def _asking(*texts: str) -> list[str]:
    return ["--", sys.executable, "-c", _ASK, *(prompt(text).decode() for text in texts)]


def _python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


@pytest.fixture
def tapes(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    folders.write(folder, Cassette("one", (converse("hi", "of one"), converse("more", "unasked"))))
    folders.write(folder, Cassette("two", (converse("hi", "of two"),)))
    return folder


@pytest.mark.parametrize(
    ("options", "said"), [([], ["of one", "of two"]), (["--session", "two"], ["of two", "of two"])]
)
def test_a_program_finds_the_cassettes_by_its_environment(
    run: Run, tapes: Path, options: list[str], said: list[str]
) -> None:
    """All of them, one after another, or that of the session alone."""
    done = run(*options, *_asking("hi", "hi"))
    assert done.returncode == 0, done.stderr
    assert [text in line for text, line in zip(said, done.stdout.splitlines(), strict=True)] == [
        True,
        True,
    ]
    assert done.stderr == "bedtape: 2 calls: 2 played\n"


def test_the_program_has_keys_and_a_region_and_nobodys_credentials(
    run: Run, tmp_path: Path
) -> None:
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
    )
    code = f"import os; print([os.environ.get(name) for name in {names}])"
    secrets = dict.fromkeys(
        ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"), "x"
    )
    done = run(*_python(code), **secrets)
    assert done.stdout == "['bedtape', 'us-east-1', None, None, None]\n"
    assert "0 calls came here" in done.stderr


@pytest.mark.parametrize("empty", [False, True])
def test_rules_answer_where_there_are_no_cassettes(run: Run, tmp_path: Path, empty: bool) -> None:
    if empty:
        (tmp_path / "cassettes").mkdir()
    (tmp_path / "rules.yaml").write_text(
        "bedtape-overlay: 1\n"
        "rules: [{when: {prompt_contains: hi}, answer: {text: by a rule}}]\n"
        "faults: [{when: {prompt_contains: bye}, error: ThrottlingException}]\n"
    )
    done = run("--overlay", "rules.yaml", *_asking("hi", "bye"))
    assert "by a rule" in done.stdout
    assert done.stdout.splitlines()[1].startswith("429 ")
    assert done.stderr == "bedtape: 2 calls: 1 from rules, 1 from faults\n"


_CLIENTS = """
from anthropic import Anthropic, AnthropicBedrock, AnthropicBedrockMantle
for client in (Anthropic(), AnthropicBedrock(), AnthropicBedrockMantle()):
    asked = [{"role": "user", "content": "hi"}]
    with client:
        print(client.messages.create(model="anthropic.claude-sonnet-4-5", max_tokens=9, messages=asked).content[0].text)
"""
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.mark.parametrize(
    "host",
    [
        "bedrock-mantle.us-east-1.api.aws",
        pytest.param("bedrock-runtime.us-east-1.amazonaws.com", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_clients_of_several_hosts_are_redirected_if_they_call_bedrock(
    run: Run, tmp_path: Path, host: str
) -> None:
    overlay = {"bedtape-overlay": 1, "rules": [{"answer": {"raw": {"json": _MESSAGE}}}]}
    (tmp_path / "o.json").write_text(json.dumps(overlay))
    done = run(
        "--overlay", "o.json", *_python(_CLIENTS), ANTHROPIC_BASE_URL=f"https://{host}/anthropic"
    )
    assert (done.returncode, done.stdout) == (0, "hello\n" * 3), done.stderr
    assert "3 calls: 3 from rules" in done.stderr


def test_misses_are_told_with_what_differs_and_once(run: Run, tapes: Path) -> None:
    done = run(*_asking("hello", "hello", "hi"))
    assert done.returncode == 0
    assert "bedtape: 3 calls: 1 played, 2 missed" in done.stderr
    assert done.stderr.count('recorded "hi", sent "hello"') == 1


@pytest.mark.slow
def test_strict_plays_each_recording_once_and_fails_where_anything_missed(
    run: Run, tapes: Path
) -> None:
    fine = run("--strict", "--session", "two", *_asking("hi"))
    assert fine.returncode == 0, fine.stderr
    again = run("--strict", "--session", "two", *_asking("hi", "hi"))
    assert again.returncode == 1
    assert "1 played, 1 missed" in again.stderr


@pytest.mark.slow
def test_requests_are_the_same_as_the_options_say(run: Run, tmp_path: Path) -> None:
    folders.write(tmp_path / "cassettes", Cassette("one", (converse("on 2024-01-01", "of one"),)))
    asking = _asking("on 2026-11-28")
    assert "1 missed" in run(*asking).stderr
    done = run("--placeholder", r"\d{4}-\d\d-\d\d", *asking)
    assert (done.returncode, done.stderr) == (0, "bedtape: 1 call: 1 played\n")
    assert "1 played" in run(*asking, BEDTAPE_PLACEHOLDER=r"\d{4}-\d\d-\d\d").stderr


@pytest.mark.slow
def test_what_bedrock_would_refuse_is_refused_as_the_options_say(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("bedtape-overlay: 1\nrules: [{answer: {text: hi}}]\n")
    wrong = ("--overlay", "o.yaml", "--", sys.executable, "-c", _ASK, '{"messages": 3}')
    assert "1 refused as Bedrock would" in run(*wrong).stderr
    assert "1 from rules" in run("--validate", "never", *wrong).stderr


@pytest.mark.slow
def test_ids_are_unique_as_the_options_say(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(
        "bedtape-overlay: 1\nrules: [{answer: {tool: {name: weather}}, allow_unoffered_tools:"
        " true}]\n"
    )
    asking = ("--overlay", "o.yaml", *_asking("hi", "hi"))
    assert len(set(run(*asking).stdout.splitlines())) == 1
    assert len(set(run("--ids", "unique", *asking).stdout.splitlines())) == 2
    assert len(set(run(*asking, BEDTAPE_RUN_IDS="unique").stdout.splitlines())) == 2


@pytest.mark.slow
def test_features_are_simulated_as_the_options_say(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("bedtape-overlay: 1\nrules: [{answer: {text: one two}}]\n")
    body = {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 1},
    }
    asking = ("--overlay", "o.yaml", "--", sys.executable, "-c", _ASK, json.dumps(body))
    assert "max_tokens" in run("--simulate", "limits", *asking).stdout
    assert "max_tokens" in run(*asking, BEDTAPE_RUN_SIMULATE="limits").stdout
    assert "max_tokens" not in run(*asking).stdout


@pytest.mark.parametrize(
    ("option", "value"), [("speed", "0"), ("placeholder", "("), ("redact", "(")]
)
def test_an_option_that_cannot_be_is_told_and_nothing_runs(
    run: Run, option: str, value: str
) -> None:
    done = run(f"--{option}", value, *_python("print('ran')"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"bedtape: --{option}: expected ")


@pytest.mark.slow
def test_the_pace_is_that_of_the_recording_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    folders.write(
        tmp_path / "cassettes", Cassette("one", (converse("hi", "of one", after_ms=3_600_000),))
    )
    impatient = _ASK.replace(f"timeout={WAIT}", "timeout=0.2")
    done = run("--speed", "1", "--", sys.executable, "-c", impatient, prompt("hi").decode())
    assert "TimeoutError" in done.stderr
    assert run(*_asking("hi")).returncode == 0


def test_cassettes_are_where_it_is_told(run: Run, tmp_path: Path) -> None:
    folders.write(tmp_path / "here", Cassette("a", (converse("hi", "from here"),)))
    folders.write_tape(tmp_path / "there.tape", [Cassette("b", (converse("ho", "from there"),))])
    done = run("--cassettes", "here", "--cassettes", "there.tape", *_asking("hi", "ho"))
    assert "from here" in done.stdout
    assert "from there" in done.stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_the_exit_code_is_the_programs(run: Run, code: str, expected: int) -> None:
    assert run(*_python(code)).returncode == expected


def test_the_code_of_a_program_that_failed_is_kept_under_strict_where_nothing_missed(
    run: Run,
) -> None:
    assert run("--strict", *_python("raise SystemExit(7)")).returncode == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cassettes", "absent", "--", "true"], "absent: no such file or folder"),
        (["--overlay", "absent.yaml", "--", "true"], "absent.yaml: expected an overlay file"),
        (["--", "./absent-program"], "cannot run ./absent-program"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bedtape: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_words_of_a_request_do_not_steer_the_terminal(run: Run, tapes: Path) -> None:
    code = _ASK.replace(repr(path()), repr("/model/%1b[2J/converse"))
    done = run("--", sys.executable, "-c", code, prompt("hi").decode())
    assert "\x1b" not in done.stderr
    assert r"\x1b[2J" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_the_programs_to_decide_on(tmp_path: Path, number: int) -> None:
    """SIGTERM is passed on; Ctrl-C reaches the whole group by itself.

    Either way the summary is told at the end.
    """
    code = (
        "import signal\n"
        "numbers = (signal.SIGTERM, signal.SIGINT)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, numbers)\n"
        "print('ready', flush=True)\n"
        "signal.sigwait(numbers)\n"
        "print('ended in order', flush=True)\n"
        "raise SystemExit(5)\n"
    )
    with subprocess.Popen(
        [*_COMMAND, *_python(code)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=WAIT)
    assert out == "ended in order\n"
    assert process.returncode == 5
    assert "bedtape: 0 calls came here" in err


# -- for CI ----------------------------------------------------------------------------------------


def test_the_report_is_one_page(run: Run, tapes: Path, tmp_path: Path) -> None:
    done = run("--report", "out/calls.html", *_asking("hi", "nothing of this kind"))
    assert done.stderr.splitlines()[-1] == "bedtape: report: out/calls.html"
    text = (tmp_path / "out/calls.html").read_text()
    match = re.search(
        r'<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL
    )
    assert match is not None
    calls = json.loads(match[1])["answers"]["events"]["calls"]
    assert [call["source"] for call in calls] == ["cassette", "miss"]


def test_a_report_that_cannot_be_written_is_an_error(run: Run, tapes: Path) -> None:
    done = run("--report", "cassettes", *_asking("hi"))
    assert done.returncode == 2
    assert (
        "cannot write the report cassettes: Is a directory; choose another file with --report"
        in done.stderr
    )


def test_misses_are_annotations_on_github(run: Run, tapes: Path) -> None:
    asked = _asking("nothing: of, 100%\nthis kind")
    assert "::error" not in run(*asked).stderr
    (line,) = [
        line
        for line in run(*asked, GITHUB_ACTIONS="true").stderr.splitlines()
        if line.startswith("::")
    ]
    assert line.startswith(
        "::error title=a Bedrock call without an answer::No recording answers Converse"
    )
    assert "100%25" in line


def test_recordings_that_were_not_played_are_listed_and_fail(run: Run, tapes: Path) -> None:
    ended = run("--session", "one", "--fail-unplayed", *_asking("hi"))
    assert ended.returncode == 1
    files = re.findall(r"never played: (\w+)/000(\d)", ended.stderr)
    assert files == [("one", "2"), ("two", "1")]
    assert "never played" not in run("--session", "one", *_asking("hi")).stderr
    alone = run("--cassettes", str(tapes / "two"), "--fail-unplayed", *_asking("hi"))
    assert (alone.returncode, "never played" in alone.stderr) == (0, False), alone.stderr


# -- requests that missed --------------------------------------------------------------------------

_DELETE = """
url = urllib.parse.urlsplit(os.environ["BEDTAPE_URL"])
connection = http.client.HTTPConnection(url.hostname, url.port)
connection.request("DELETE", "/_bedtape/sessions/one")
assert connection.getresponse().status == 200
"""


@pytest.mark.parametrize("deletes", [False, True], ids=["kept", "deleted"])
def test_a_miss_names_the_command_that_accepts_its_request(
    deletes: bool, run: Run, tapes: Path
) -> None:
    """Clients of other languages delete the session of a test when the test has ended."""
    program = _ASK + (_DELETE if deletes else "")
    command = ["--session", "one", "--", sys.executable, "-c", program]
    ended = run(*command, prompt("hi there").decode())
    assert "1 missed" in ended.stderr
    (accept,) = re.findall(r"with the new requests: bedtape (cassette .+)$", ended.stderr, re.M)
    assert accept == "cassette accept --in cassettes"
    done = run_program([*_COMMAND[:-1], *accept.split()], dict(os.environ), tapes.parent)
    assert done.returncode == 0, done.stderr
    again = run(*command, prompt("hi there").decode())
    assert "1 call: 1 played" in again.stderr
    assert "accept" not in again.stderr
