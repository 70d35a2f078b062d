"""The progress bar: on a terminal, and when the work has taken a while."""

import io
import sys
from pathlib import Path

import pytest

from bedtape_cassettes.cli import output
from bedtape_cassettes.model import Cassette
from support import folders
from support.commands import run
from support.recordings import converse


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(
    monkeypatch: pytest.MonkeyPatch, patience: float, stderr: io.StringIO, steps: int = 3
) -> str:
    monkeypatch.setattr(output, "_PATIENCE_S", patience)
    monkeypatch.setattr(sys, "stderr", stderr)
    with output.progress(3, "working") as tick:
        for _ in range(steps):
            tick("x")
    return stderr.getvalue()


def test_a_bar_is_shown_on_a_terminal_when_the_work_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = show(monkeypatch, 0, Terminal())
    assert "working" in shown
    assert "100%" in shown


def test_a_bar_that_begins_late_counts_the_steps_before(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.0, 0.5, 2.0, 2.1))
    monkeypatch.setattr(output.time, "monotonic", lambda: next(times, 3.0))
    assert "66%" in show(monkeypatch, 1, Terminal(), steps=2)


def test_quick_work_and_other_outputs_have_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert show(monkeypatch, 1000, Terminal()) == ""
    assert show(monkeypatch, 0, io.StringIO()) == ""


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        (["ls"], ["reading"]),
        (["scan"], ["reading", "scanning"]),
        (["check", "--no-drift"], ["reading", "checking"]),
        (["pack", "--to", "x.tape"], ["reading", "packing"]),
        (["grep", "hello"], ["reading", "searching"]),
        (["retime", "*", "--zero"], ["reading", "changing", "writing"]),
        (["set", "*", "status=429"], ["reading", "changing", "writing"]),
        (["replace", "*", "hello", "bye"], ["reading", "changing", "writing"]),
        (["redact", "--pattern", "hello"], ["reading", "redacting", "writing"]),
        (["unpack", "packed.tape", "--to", "cassettes", "--force"], ["reading", "writing"]),
        (["undo"], ["restoring"]),
        (["export"], ["exporting"]),
    ],
    ids=lambda value: value[0],
)
def test_long_commands_have_a_bar(
    arguments: list[str], labels: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders.write(
        tmp_path / "cassettes",
        Cassette("a", (converse("hello", "x", after_ms=9), converse("2", "y"))),
    )
    run("pack", "--to", "packed.tape")
    run("retime", "a:1", "--scale", "2")  # for `undo`
    monkeypatch.setattr(output, "_PATIENCE_S", 0)
    monkeypatch.setattr(output, "_is_terminal", lambda: True)
    shown = run(*arguments)
    assert all(label in shown for label in labels)
