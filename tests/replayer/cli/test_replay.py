"""The command `bedtape replay`, as a user starts and stops it."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import CallLog, LogLevel
from bedtape_replayer.engine.engine import Engine
from support import WAIT, folders
from support.client import Http1
from support.commands import run_program
from support.recordings import converse, path, prompt, stream
from support.running import COMMAND, Running


def _write(folder: Path, *interactions: Interaction, name: str = "suite") -> Path:
    folders.write(folder, Cassette(name, interactions))
    return folder


def _ask(url: str, text: str) -> str:
    with Http1(url) as client:
        body = json.loads(client.request("POST", path(), (), prompt(text)).body)
    return str(
        body["message"] if "message" in body else body["output"]["message"]["content"][0]["text"]
    )


def _refused(*arguments: str, cwd: Path) -> list[str]:
    """The lines of a command that ends with exit code 2, and nothing on stdout."""
    result = run_program(
        [*COMMAND, "replay", *arguments], {**os.environ, "BEDTAPE_CACHE_DIR": ""}, cwd
    )
    assert (result.returncode, result.stdout) == (2, ""), result
    return result.stderr.splitlines()


def test_names_besides_loopback_are_allowed_one_by_one(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(
        str(_write(tmp_path / "tapes", converse("a", "one"))), "--allow-host", "bedtape.internal"
    )
    running.line()
    with Http1(running.url) as client:
        client.host = "bedtape.internal:80"
        assert client.request("POST", path(), (), prompt("a")).status == 200
        running.line()
        client.host = "evil.example"
        assert client.request("POST", path(), (), prompt("a")).status == 403
    refused = (
        f"bedtape: POST {path()} was refused: expected a Host on loopback, found 'evil.example'; "
    )
    assert running.line() == f"{refused}start with --allow-host evil.example if it is yours"


def test_a_server_for_other_machines_warns_once_and_replays(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))), "--host", "0.0.0.0")
    told = [running.line(), running.line()]
    assert [
        line for line in told if "control API is off" in line and "--control-token" in line
    ] == told[:1]
    url = running.url.replace("0.0.0.0", "127.0.0.1")
    assert _ask(url, "a") == "one"
    with Http1(url) as client:
        assert client.request("GET", "/_bedtape/health").status == 200
        assert client.request("POST", "/_bedtape/reset").status == 403


def test_a_line_a_call_and_a_report_for_a_miss(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))))
    assert running.line() == f"bedtape: 1 interaction in 1 cassette from {tmp_path / 'tapes'}"
    assert _ask(running.url, "a") == "one"
    call = running.line()
    assert re.fullmatch(
        r"Converse  us\.amazon\.nova-lite-v1:0  200  suite/0001-converse-[0-9a-f]{8}\.yaml "
        r" [\d.]+ ms",
        call,
    )
    assert "No recording answers" in _ask(running.url, "b")
    assert re.fullmatch(
        r"Converse  us\.amazon\.nova-lite-v1:0  400  MISS  [\d.]+ ms", running.line()
    )
    assert running.line().startswith("  No recording answers Converse")
    assert running.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_answer_in_flight(
    tmp_path: Path, start: Callable[..., Running], number: signal.Signals
) -> None:
    """The stream takes a second and a half; the signal comes when its head has been read."""
    tapes = _write(tmp_path / "tapes", stream("a", ["1", "2"], at_ms=[0, 100, 800, 1200, 1500]))
    running = start(str(tapes), "--speed", "1", "--grace", str(WAIT))
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT) as client:
        body = prompt("a")
        head = (
            f"POST {path('converse-stream')} HTTP/1.1\r\nHost: localhost\r\nContent-Length:"
            f" {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode() + body)
        received = client.recv(1)
        running.process.send_signal(number)
        while piece := client.recv(65536):
            received += piece
    assert received.endswith(b"0\r\n\r\n")
    assert b"messageStop" in received
    assert running.process.wait(WAIT) == 0
    assert not [line for line in running.errors() if "Traceback" in line]


def _lets_in(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=WAIT).close()
    except ConnectionRefusedError:
        return False
    except OSError:  # it was accepted, and reset when the listener closed
        return True
    return True


def test_a_second_signal_ends_it_at_once(tmp_path: Path, start: Callable[..., Running]) -> None:
    tapes = _write(tmp_path / "tapes", stream("a", ["1"], at_ms=[0, 600_000, 600_000, 600_000]))
    running = start(str(tapes), "--speed", "1", "--grace", str(WAIT))
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT) as client:
        body = prompt("a")
        head = (
            f"POST {path('converse-stream')} HTTP/1.1\r\nHost: localhost\r\nContent-Length:"
            f" {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode() + body)
        client.recv(1)
        running.process.send_signal(signal.SIGINT)
        while _lets_in(host, int(port)):  # the first is taken when nobody is let in any more
            pass
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(WAIT) == -signal.SIGINT


@pytest.mark.parametrize("option", [(), ("--strict",)])
def test_a_miss_shows_no_secret(
    option: tuple[str, ...], tmp_path: Path, start: Callable[..., Running]
) -> None:
    token = "ghp_" + "a1B2" * 9
    tapes = _write(tmp_path / "tapes", converse("a REDACTED", "one"))
    running = start(str(tapes), *option)
    messages = []
    for body in (prompt(f"a {token}"), prompt(f"a {token}"), prompt(f"b {token}")):
        with Http1(running.url) as client:
            messages.append(
                client.request(
                    "POST", f"/s/{token}{path('converse', token)}", (), body
                ).body.decode()
            )
    assert "REDACTED" in messages[-1]
    running.stop()
    assert not [text for text in (*messages, *running.errors()) if token in text]


def test_no_limit_of_a_miss_on_stderr_cuts_a_secret_in_two(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    token = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    tapes = _write(tmp_path / "tapes", converse("word " * 40, "one"))
    layer = {"when": {"prompt_regex": "never"}, "answer": {"text": "never"}}
    (tmp_path / "overlay.json").write_text(json.dumps({"bedtape-overlay": 1, "rules": [layer]}))
    running = start(str(tapes), "--overlay", str(tmp_path / "overlay.json"))
    messages = [
        _ask(running.url, ("word " * 60)[:offset] + f" {token} " + "word " * 60)
        for offset in range(0, 300, 24)
    ]
    running.stop()
    lines = running.errors()
    assert sum("MISS" in line for line in lines) == len(messages)
    parts = [token[at : at + 8] for at in range(len(token) - 7)]
    assert not [text for text in (*messages, *lines) if any(part in text for part in parts)]


# Python's engine takes hours for this pattern and text.
_SLOW, _TEXT = "(x+x+)+y", "x" * 30_000


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--overlay", "--placeholder", "--redact"])
def test_a_slow_pattern_is_stopped_and_named_and_the_server_goes_on(
    option: str, tmp_path: Path, start: Callable[..., Running]
) -> None:
    tapes = _write(tmp_path / "tapes", converse("a", "one"))
    layer = {"name": "loud", "when": {"prompt_regex": _SLOW}, "answer": {"text": "never"}}
    (tmp_path / "overlay.json").write_text(json.dumps({"bedtape-overlay": 1, "rules": [layer]}))
    running = start(
        str(tapes), option, str(tmp_path / "overlay.json") if option == "--overlay" else _SLOW
    )
    message = _ask(running.url, _TEXT)
    assert message.startswith(
        "bedtape: loud: expected" if option == "--overlay" else "bedtape: expected"
    )
    assert f"characters, found {_SLOW!r}" in message
    assert _ask(running.url, "a") == "one"
    assert running.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("reads", [True, False])
def test_answers_in_flight_get_a_grace_period_and_no_more(
    reads: bool, tmp_path: Path, start: Callable[..., Running]
) -> None:
    """A wait of minutes, and a reader that does not read: without an end, the
    process would hang here.
    """
    waiting, large = (
        stream("a", ["1"], at_ms=[0, 600_000, 600_000, 600_000]),
        stream("b", ["x" * 8_000_000]),
    )
    running = start(
        str(_write(tmp_path / "tapes", waiting, large)),
        "--speed",
        "1" if reads else "1000",
        "--grace",
        "0.1",
    )
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT) as client:
        body = prompt("a" if reads else "b")
        head = (
            f"POST {path('converse-stream')} HTTP/1.1\r\nHost: localhost\r\nContent-Length:"
            f" {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode() + body)
        client.recv(1)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(WAIT) == 0


def _limit_files(running: Running, *limits: tuple[int, int]) -> tuple[int, int]:
    """Sets how many file descriptors the process may have, and returns how many it could have."""
    limits_before: tuple[int, int] = resource.prlimit(
        running.process.pid, resource.RLIMIT_NOFILE, *limits
    )
    return limits_before


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="sets the limit of another process, as Linux can"
)
def test_a_server_without_file_descriptors_answers_and_recovers(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))))
    host, port = running.url.removeprefix("http://").split(":")
    paths = (
        "/_bedtape/health",
        "/_bedtape/",
        "/_bedtape/inspector/app.js",
        "/_bedtape/openapi.json",
    )
    with Http1(running.url) as client:
        assert client.request("POST", path(), (), prompt("a")).status == 200
        # every number above the connection's is out of reach
        used = max(int(entry.name) for entry in Path(f"/proc/{running.process.pid}/fd").iterdir())
        usual = _limit_files(running)
        _limit_files(running, (used + 1, usual[1]))
        waiting = [
            socket.create_connection((host, int(port)), timeout=WAIT) for _ in range(used + 2)
        ]
        assert [client.request("GET", each).status for each in paths] == [200] * len(paths)
        assert client.request("POST", path(), (), prompt("a")).status == 200
        for each in waiting:
            each.close()
        _limit_files(running, usual)
        assert [client.request("GET", each).status for each in paths] == [200] * len(paths)
    with Http1(running.url) as client:
        assert client.request("GET", "/_bedtape/health").status == 200
    assert running.stop() == 0


def test_changed_cassettes_are_served_without_a_restart(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    tapes = _write(tmp_path / "tapes", converse("a", "one"))
    running = start(str(tapes))
    running.line()
    assert _ask(running.url, "a") == "one"
    running.line()
    _write(tapes, converse("a", "uno"))
    assert running.line() == f"bedtape: cassettes changed: 1 interaction in 1 cassette from {tapes}"
    assert _ask(running.url, "a") == "uno"


def test_a_change_that_cannot_be_read_leaves_the_old_ones(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    tapes = _write(tmp_path / "tapes", converse("a", "one"))
    running = start(str(tapes))
    running.line()
    store.replace_file(tapes / "suite" / "0009-broken.yaml", b"bedtape: 1\nrequest: [\n")
    assert running.line() == "bedtape: cassettes changed, and cannot be read; the old ones stay"
    assert "0009-broken.yaml:3: expected" in running.line()
    assert _ask(running.url, "a") == "one"


def test_the_default_is_the_folder_cassettes_else_the_samples(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    assert "the shipped samples" in start().line()
    _write(tmp_path / "cassettes", converse("a", "one"))
    assert start().line() == "bedtape: 1 interaction in 1 cassette from cassettes"


def test_several_folders_and_a_tape(tmp_path: Path, start: Callable[..., Running]) -> None:
    one = _write(tmp_path / "one", converse("a", "1"), name="x")
    folders.write_tape(tmp_path / "two.tape", [Cassette("y", (converse("b", "2"),))])
    running = start(str(one), str(tmp_path / "two.tape"))
    assert [_ask(running.url, text) for text in "ab"] == ["1", "2"]


@pytest.mark.parametrize(("terminal", "at_once"), [(True, 3), (False, 0)])
def test_a_terminal_gets_each_line_at_once_and_a_file_gets_batches(
    terminal: bool,
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = Engine(Library([Cassette("made", (converse("Hi", "Hello"),))]))
    answer = engine.answer("POST", path(), Head(b"\r\n"), prompt("Hi"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    async def log() -> tuple[int, int]:
        calls = CallLog(LogLevel.info)
        for _ in range(3):
            calls.add(Outcome(answer, began=0.0, seconds=0.001, complete=True, sent=1))
        before = capsys.readouterr().err.count("\n")
        calls.flush()
        return before, capsys.readouterr().err.count("1.0 ms\n")

    assert asyncio.run(log()) == (at_once, 3 - at_once)


def test_the_log_names_the_model_in_the_body(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))))
    running.line()
    body = {"model": "openai.gpt-oss-20b", "messages": []}
    with Http1(running.url) as client:
        assert (
            client.request(
                "POST", "/openai/v1/chat/completions", (), json.dumps(body).encode()
            ).status
            == 400
        )
    assert running.line().startswith("ChatCompletions  openai.gpt-oss-20b  400  MISS  ")
    assert running.line().startswith(
        "  No recording answers ChatCompletions of openai.gpt-oss-20b "
    )


def test_log_levels(tmp_path: Path, start: Callable[..., Running]) -> None:
    tapes = str(_write(tmp_path / "tapes", converse("a", "one")))
    quiet, silent = start(tapes, "--log-level", "warning"), start(tapes, "--log-level", "error")
    for running in (quiet, silent):
        _ask(running.url, "a")
        _ask(running.url, "b")
        assert running.stop() == 0
    lines = quiet.errors()
    assert "MISS" in lines[0]
    assert not any("200" in line for line in lines)
    assert silent.errors() == []


def test_what_a_client_sends_cannot_steer_the_terminal(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))))
    running.line()
    with Http1(running.url) as client:
        client.request("POST", "/model/%1b%5b2J/converse", (), prompt("\x1b[31m"))
    lines = [running.line(), running.line()]
    assert not any("\x1b" in line for line in lines)
    assert "\\x1b[2J" in lines[0]


def test_a_strict_replay_plays_each_recording_once(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(str(_write(tmp_path / "tapes", converse("a", "one"))), "--strict")
    assert _ask(running.url, "a") == "one"
    assert _ask(running.url, "a").startswith("No recording is left for Converse")


def test_match_options(tmp_path: Path, start: Callable[..., Running]) -> None:
    tapes = str(_write(tmp_path / "tapes", converse("On 2026-01-02 it rained", "one")))
    options = (
        "--placeholder",
        r"\d{4}-\d\d-\d\d",
        "--any-profile",
        "--ignore",
        "inferenceConfig.temperature",
    )
    running = start(tapes, *options)
    with Http1(running.url) as client:
        body = json.loads(prompt("On 2027-05-06 it rained")) | {
            "inferenceConfig": {"temperature": 1}
        }
        url = path(model="eu.amazon.nova-lite-v1:0")
        assert (
            client.request("POST", url, (), json.dumps(body).encode()).status == 400
        )  # inferenceConfig is left, empty
        assert client.request("POST", url, (), prompt("On 2027-05-06 it rained")).status == 200


@pytest.mark.slow
def test_redact_takes_out_of_requests_what_was_taken_out_of_recordings(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    mine = Redaction((re.compile("Falcon"), re.compile(r"\d{4}")))
    folders.write(
        tmp_path / "tapes",
        Cassette("suite", (converse("is Falcon 4711 in?", "yes"),)),
        redaction=mine,
    )
    assert b"Falcon" not in b"".join(
        file.read_bytes() for file in (tmp_path / "tapes").rglob("*.yaml")
    )
    running = start(str(tmp_path / "tapes"), "--redact", "Falcon", "--redact", r"\d{4}")
    for _ in range(2):
        assert _ask(running.url, "is Falcon 4711 in?") == "yes"
    assert "No recording answers" in _ask(running.url, "is Eagle 4711 in?")
    assert "No recording answers" in _ask(start(str(tmp_path / "tapes")).url, "is Falcon 4711 in?")


def test_every_bad_pattern_is_told_at_once(tmp_path: Path) -> None:
    lines = _refused("--redact", "[a", "--redact", "fine", "--redact", "b)", cwd=tmp_path)
    assert [line.partition(")")[0] for line in lines] == [
        (
            "bedtape: --redact: expected a regular expression, found '[a' (unterminated character"
            " set at position 0"
        ),
        "--redact: expected a regular expression, found 'b",
    ]


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = _refused("--port", str(port), cwd=tmp_path)
    expected = (
        f"bedtape: cannot listen on 127.0.0.1 port {port}: it is in use; choose another with"
        " --port, or 0 for any that is free"
    )
    assert line == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["nosuch"],
            "bedtape: nosuch: no such file or folder; name a folder of cassettes or a .tape file",
        ),
        (
            ["."],
            (
                "bedtape: .: expected at least one recorded interaction (a .yaml or .tape file),"
                " found none"
            ),
        ),
        (["--speed", "0"], 'bedtape: --speed: expected a number above 0, found "0"'),
        (["--speed", "nan"], 'bedtape: --speed: expected a number above 0, found "nan"'),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], expected: str, tmp_path: Path) -> None:
    assert _refused(*arguments, cwd=tmp_path) == [expected]


def test_a_bad_pattern_is_one_line(tmp_path: Path) -> None:
    (line,) = _refused("--placeholder", "(", cwd=tmp_path)
    assert line.startswith("bedtape: --placeholder: expected a regular expression, found '('")


def test_every_problem_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    _write(tmp_path, converse("a", "one"))
    for number, text in enumerate(
        ("a: [", "bedtape: 7\n", "bedtape: 1\nrequest: {}\nresponse: {status: 1}\n", "\0")
    ):
        (tmp_path / "suite" / f"9{number}.yaml").write_text(text)
    lines = _refused(".", cwd=tmp_path)
    assert {re.sub(r":.*", "", line.removeprefix("bedtape: ")) for line in lines} == {
        f"suite/9{number}.yaml" for number in range(4)
    }
    assert not any("Traceback" in line for line in lines)
    assert all("expected" in line and "found" in line for line in lines)
