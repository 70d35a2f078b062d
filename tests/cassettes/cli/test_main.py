"""The command `bedtape` as a whole: the tour, what it imports, what it says of a word that it
does not know, completion.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from bedtape_cassettes.cli.command_list import COMMANDS, GROUPS

# Most tests start processes.
pytestmark = pytest.mark.slow

MAIN = "from bedtape_cassettes.cli.main import main; main()"


def _bedtape(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", **environ}
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments], env=environment, capture_output=True, text=True
    )


def _imported(*arguments: str) -> set[str]:
    code = f"import sys\ntry:\n    {MAIN}\nfinally:\n    print('imported:', *sys.modules)"
    command = [sys.executable, "-c", code, *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(printed.rpartition("imported:")[2].split())


def test_the_tour_names_every_command_in_order_in_a_line() -> None:
    done = _bedtape("--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = re.findall(r"^  (\w+)  +(\S.*)$", done.stdout.partition("Options:")[0], re.MULTILINE)
    assert shown == [(command.name, command.line) for command in COMMANDS]


def test_the_tour_imports_no_command() -> None:
    imported = _imported("--help")
    assert not {command.module for command in COMMANDS} & imported
    assert not {"asyncio", "botocore", "orjson", "rich", "yaml"} & imported


def test_a_command_imports_no_other() -> None:
    imported = _imported("overlay", "--help")
    assert {command.module for command in COMMANDS} & imported == {"bedtape_replayer.cli.overlay"}


def test_the_version() -> None:
    assert _bedtape("--version").stdout in [
        f"bedtape {version('bedtape')} ({b})\n" for b in ("pure Python", "compiled")
    ]


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["reply"], "expected a command, found reply; did you mean bedtape replay?"),
        (["ls", "weather"], "expected a command, found ls; did you mean bedtape cassette ls?"),
        (["check"], "did you mean bedtape overlay check or bedtape cassette check?"),
        (["cassette", "list"], "expected a command, found list; did you mean bedtape cassette ls?"),
        (["cassette", "rm"], "did you mean bedtape cassette drop?"),
        (["cassette", "shw"], "expected a command, found shw; did you mean bedtape cassette show?"),
        (["xyzzy"], "expected a command, found xyzzy; bedtape --help lists them"),
    ],
)
def test_an_unknown_command_is_told_with_the_nearest(words: list[str], fix: str) -> None:
    done = _bedtape(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"{fix}\n")


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_fits_a_terminal(command: str) -> None:
    assert max(map(len, _bedtape(command, "--help", COLUMNS="80").stdout.splitlines())) <= 80


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("width", ["80", "120"])
def test_no_help_is_cut_short(group: str, width: str) -> None:
    shown = _bedtape(group, "--help", COLUMNS=width).stdout
    assert "..." not in shown.partition("\n")[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bedtape re", {"record", "recover", "replay"}),
        ("bedtape ", {command.name for command in COMMANDS}),
        ("bedtape cassette sh", {"show"}),
        ("bedtape replay --any", {"--any-profile"}),
        ("bedtape nosuch ", {command.name for command in COMMANDS}),
    ],
)
def test_a_shell_completes(line: str, words: set[str]) -> None:
    where = str(len(line.split(" ")) - 1)
    done = _bedtape(_BEDTAPE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=where)
    assert (set(done.stdout.split()), done.stderr) == (words, "")
