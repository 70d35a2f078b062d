"""Settings as a user has them: a file, a variable, an option, in a shell;
and `bedtape config show`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from support import folders
from support.recordings import converse

# Most tests start processes.
pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in a folder of a repository with two cassettes in `tapes`,
    its answers `from tapes`.
    """
    (tmp_path / ".git").mkdir()
    for folder in ("tapes", "cassettes", "others"):
        folders.write(tmp_path / folder, Cassette(f"of-{folder}", (converse("hi", folder),)))
    (tmp_path / "sub").mkdir()

    def begin(
        *arguments: str, cwd: str = ".", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("BEDTAPE_")
        }
        environment = {**kept, "COLUMNS": "100", "BEDTAPE_CACHE_DIR": "", **variables}
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path / cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return begin


def _put(tmp_path: Path, text: str, name: str = "bedtape.toml") -> None:
    (tmp_path / name).write_text(text)


def _listed(result: subprocess.CompletedProcess[str]) -> str:
    """The cassette that `ls --json` lists."""
    assert (result.returncode, result.stderr) == (0, "")
    (row,) = json.loads(result.stdout)
    return str(row["name"])


# Asks for what no cassette holds.
_ASK = """
import os, urllib.error, urllib.request
try:
    urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] + "/model/a/converse", b"{}")
except urllib.error.HTTPError:
    pass
"""
LS = ("cassette", "ls", "--json")


def test_an_option_before_a_variable_before_the_file_before_the_default(
    run: Run, tmp_path: Path
) -> None:
    assert _listed(run(*LS)) == "of-cassettes"
    _put(tmp_path, "[tool.bedtape]\ncassettes = 'tapes'\n", "pyproject.toml")
    assert _listed(run(*LS)) == "of-tapes"
    assert _listed(run(*LS, cwd="sub")) == "of-tapes"
    assert _listed(run(*LS, BEDTAPE_CASSETTES="others")) == "of-others"
    assert _listed(run(*LS, "--in", "cassettes", BEDTAPE_CASSETTES="others")) == "of-cassettes"
    assert _listed(run(*LS, BEDTAPE_CASSETTES="")) == "of-cassettes"
    assert _listed(run(*LS, BEDTAPE_CONFIG="")) == "of-cassettes"


def test_a_switch_of_the_file_is_taken_back_on_the_command_line(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "[run]\nstrict = true\n")
    missing = ("run", "--", sys.executable, "-c", _ASK)
    assert (run(*missing).returncode, run("run", "--no-strict", *missing[1:]).returncode) == (1, 0)


def test_arguments_that_are_folders_may_be_set(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "cassettes = 'tapes'\n")
    assert run("cassette", "export", "--into", "out").returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["of-tapes.jsonl"]
    assert run("cassette", "export", "others", "--into", "more").returncode == 0
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["of-others.jsonl"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("cassette", "drop", "of-cassettes"),
        ("replay",),
        ("run", "--", "touch", "done", "--help"),
        ("record", "--", "touch", "done"),
    ],
)
def test_where_settings_are_wrong_nothing_is_done(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    _put(tmp_path, "[cassette.scan]\njson = true\n")
    told = run(*arguments, BEDTAPE_RUN_PORT="x", RUN_REAL_BEDROCK_TESTS="1")
    assert (told.returncode, told.stdout) == (2, "")
    assert (
        told.stderr == "bedtape: BEDTAPE_RUN_PORT: expected a whole number from 0 to 65535, found"
        ' "x"\nbedtape.toml:1: expected no table "cassette" at the top, found {"scan": {"json":'
        " true}}; it no longer exists: remove it, and write the options of `bedtape cassette` on"
        " the command line\n"
    )
    assert (tmp_path / "cassettes" / "of-cassettes").exists()
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    "arguments", [("--help",), ("replay", "--help"), ("cassette", "drop", "--help")]
)
def test_where_settings_are_wrong_help_helps(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    _put(tmp_path, "prot = 1\n")
    told = run(*arguments)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Usage: bedtape" in told.stdout


def test_help_shows_what_is_set_as_the_default(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "[replay]\nport = 4999\n")
    assert "[default: 4999;" in run("replay", "--help").stdout


def test_a_variable_that_nobody_reads_is_told_and_the_work_done(run: Run) -> None:
    result = run(*LS, BEDTAPE_CASETTES="tapes")
    assert result.returncode == 0
    assert (
        result.stderr == "bedtape: BEDTAPE_CASETTES is set, and nothing reads it; did you mean"
        " BEDTAPE_CASSETTES?\n"
    )


def test_what_a_file_says_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, '"\\u001b]0;owned\\u0007" = 1\n')
    result = run("replay")
    assert result.returncode == 2
    assert "\x1b" not in result.stderr


def test_names_are_completed_of_the_folder_that_is_set(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "cassettes = 'tapes'\n")
    completing = {
        "_BEDTAPE_COMPLETE": "complete_bash",
        "COMP_WORDS": "bedtape cassette show of",
        "COMP_CWORD": "3",
    }
    assert run(**completing).stdout.split() == ["of-tapes"]
    _put(tmp_path, "casettes = 'tapes'\n")
    assert run(**completing).stdout.split() == ["of-cassettes"]


# -- bedtape config show ---------------------------------------------------------------------------


def test_config_show_says_what_holds_and_who_says_so(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "cassettes = 'tapes'\n[replay]\nport = 1\n")
    result = run(
        "config",
        "show",
        BEDTAPE_REPLAY_PORT="2",
        BEDTAPE_CONTROL_TOKEN="hush",
        BEDTAPE_RPLAY_PORT="1",
    )
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"# {tmp_path / 'bedtape.toml'}",
        'cassettes = "tapes"  # bedtape.toml:1',
        "",
        "[replay]",
        "port = 2  # BEDTAPE_REPLAY_PORT, over bedtape.toml:3",
        "# control-token is set  # BEDTAPE_CONTROL_TOKEN",
    ]
    assert (
        result.stderr == "bedtape: BEDTAPE_RPLAY_PORT is set, and nothing reads it; did you mean"
        " BEDTAPE_REPLAY_PORT?\n"
    )


def test_config_show_is_json_where_that_is_asked(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "[replay]\nport = 1\n")
    (row,) = json.loads(run("config", "show", "--json").stdout)["settings"]
    assert row == {
        "table": "replay",
        "key": "port",
        "value": 1,
        "by": "bedtape.toml:2",
        "over": None,
    }


def test_config_show_tells_what_is_wrong(run: Run, tmp_path: Path) -> None:
    _put(tmp_path, "prot = 1\n")
    result = run("config", "show")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith('bedtape: bedtape.toml:1: expected no key "prot"')
