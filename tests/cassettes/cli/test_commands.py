"""`bedtape cassette`: what all its commands have in common, and how the command as a
whole behaves in a shell.
"""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import folders
from support.recordings import converse, stream

COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "cassette"]
GROUP = typer.main.get_command(cassette)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]


def run(
    cwd: Path, *arguments: str, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


def test_every_command_has_an_example_in_its_help() -> None:
    assert {"ls", "show", "stats", "drop", "diff", "pack"} <= set(COMMANDS)
    for name in COMMANDS:
        shown = CliRunner().invoke(cassette, [name, "--help"])
        assert shown.exit_code == 0
        assert f"bedtape cassette {name}" in " ".join(shown.output.split()), name


@pytest.mark.parametrize(
    "arguments",
    [["show", "nothing"], ["drop", "a:9"], ["ls", "--in", "x"], ["retime", "a"], ["diff", "a:"]],
)
def test_what_cannot_be_is_told_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    folders.write(tmp_path / "cassettes", Cassette("a", (converse("1", "1"),)))
    result = run(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"bedtape: .+; .+\n", result.stderr)


_VCR_PY = """
interactions:
- request: {method: GET, uri: 'https://a.example/', body: null, headers: {}}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: a}}
version: 1
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"],
        ["show", "*"],
        ["stats"],
        ["scan"],
        ["check"],
        ["redact"],
        ["drop", "a"],
        ["rename", "a", "b"],
        ["diff", "cassettes", "cassettes"],
        ["pack", "cassettes", "suite.tape"],
    ],
)
def test_a_file_of_another_recorder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folders.write(tmp_path / "cassettes", Cassette("a", (converse("1", "1"),)))
    file = tmp_path / "cassettes" / "a" / "chat.yaml"
    file.write_text(_VCR_PY)
    result = CliRunner().invoke(cassette, arguments)
    checks = arguments == ["check"]
    assert result.exit_code == (1 if checks else 2)
    (line,) = result.output.splitlines()[: 1 if checks else None]
    message = "expected a file of bedtape's own, found a recording of VCR.py; convert it with"
    assert line.startswith(
        f"wrong: {file.relative_to(tmp_path)}: format: {message}"
        if checks
        else f"bedtape: {file.relative_to(tmp_path)}: {message}"
    )
    assert file.read_text() == _VCR_PY


def test_what_is_told_of_a_file_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cassettes" / "a").mkdir(parents=True)
    (tmp_path / "cassettes" / "a" / "0001-\x1b]0;owned\x07.yaml").write_text("bedtape: 1\n")
    result = CliRunner().invoke(cassette, ["ls"])
    assert result.exit_code == 2
    assert "0001-\\x1b]0;owned\\x07.yaml" in result.output
    assert "\x1b" not in result.output


def test_colour_is_for_terminals(tmp_path: Path) -> None:
    folders.write(tmp_path / "cassettes", Cassette("a", (converse("\x1b[2Jhi", "1"),)))
    assert "\x1b" not in run(tmp_path, "show", "a").stdout
    assert b"\x1b[1m" in _on_a_terminal(tmp_path, {})
    assert b"\x1b" not in _on_a_terminal(tmp_path, {"NO_COLOR": "1"})
    assert b"\x1b[2J" not in _on_a_terminal(tmp_path, {})


def _on_a_terminal(cwd: Path, environment: dict[str, str]) -> bytes:
    ours, theirs = os.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [*COMMAND, "show", "a"], cwd=cwd, env={**clean, **environment}, stdout=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # Linux's way to say that the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait()
    return shown


def _little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def test_where_there_is_no_room_the_old_cassette_stays_and_it_is_told_in_a_line(
    tmp_path: Path,
) -> None:
    long = stream("1", ["word " * 20] * 40, at_ms=range(0, 4300, 100))
    folders.write(tmp_path / "cassettes", Cassette("a", (converse("1", "1", after_ms=5), long)))
    old = {path: path.read_bytes() for path in (tmp_path / "cassettes" / "a").iterdir()}
    folders.write_tape(tmp_path / "b.tape", store.read([tmp_path / "cassettes"]))
    tape = (tmp_path / "b.tape").read_bytes()
    for folder in ("cassettes", "b.tape"):
        result = run(tmp_path, "retime", "a", "--scale", "2", "--in", folder, before=_little_room)
        assert result.returncode == 2
        assert re.fullmatch(
            r"bedtape: .+expected to write, found: File too large; .+\n", result.stderr
        )
    assert {path: path.read_bytes() for path in (tmp_path / "cassettes" / "a").iterdir()} == old
    assert (tmp_path / "b.tape").read_bytes() == tape


def test_names_of_cassettes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("weather", "welcome", "other"):
        folders.write(tmp_path / "cassettes", Cassette(name, (converse("1", "1"),)))
    for command in ("show", "drop", "merge"):
        (argument,) = (p for p in GROUP.commands[command].params if p.param_type_name == "argument")  # type: ignore[attr-defined]
        context = GROUP.commands[command].make_context(
            command, ["x", "--to", "y"] if command == "merge" else ["x"]
        )  # type: ignore[attr-defined]
        assert [item.value for item in argument.shell_complete(context, "we")] == [
            "weather",
            "welcome",
        ]
        assert argument.shell_complete(context, "zzz") == []


def test_json_is_json_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders.write(
        tmp_path / "cassettes", Cassette("a", (converse("\x1b", "1"), stream("2", ["2"])))
    )
    for arguments in (
        ["ls"],
        ["show", "a"],
        ["stats"],
        ["diff", "a:1", "a:2"],
        ["drop", "a:1", "--dry-run"],
    ):
        printed = CliRunner().invoke(cassette, [*arguments, "--json"]).output
        assert json.loads(printed)
        assert "\x1b" not in printed
