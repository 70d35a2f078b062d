"""`bedtape cassette diff` and git's eyes for `.tape` files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import folders
from support.recordings import converse

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cassette, list(arguments))
    return result.exit_code, result.output


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(
        ["git", *who, *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three cassettes in `cassettes`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    root = tmp_path / "cassettes"
    folders.write(root, Cassette("a", (converse("1", "old"), converse("2", "x"))))
    folders.write(root, Cassette("b", (converse("1", "new"), converse("2", "x"))))
    folders.write(root, Cassette("slow", (converse("1", "old", after_ms=10), converse("2", "x"))))
    return root


def test_two_cassettes_are_compared_by_request() -> None:
    code, shown = run("diff", "a", "b", "--no-noise")
    assert (code, shown) == (1, "a:1 -> b:1\n  answer: text\n    -old\n    +new\n")
    assert run("diff", "a", "a") == (0, "")


def test_two_interactions_are_compared() -> None:
    code, shown = run("diff", "a:2", "b:1", "--json")
    assert code == 1
    (row,) = json.loads(shown)
    assert (row["before"], row["after"], row["differences"][0]["where"]) == ("a:2", "b:1", "text")
    assert run("diff", "a:2", "b:2") == (0, "")


def test_numbers_are_those_of_the_whole_cassette(folder: Path) -> None:
    for number, path in enumerate(sorted((folder / "a").iterdir())):
        path.rename(folder / "a" / f"{'xy'[number]}.yaml")
    _, shown = run("diff", "a:2", "b:1", "--json")
    assert json.loads(shown)[0]["before"] == "a:2"


def test_noise_can_be_left_out() -> None:
    assert run("diff", "a", "slow")[0] == 1
    assert run("diff", "a", "slow", "--no-noise") == (0, "")


def test_a_tape_is_compared_with_a_folder(folder: Path) -> None:
    folders.write_tape(Path("all.tape"), store.read([folder]))
    assert run("diff", "all.tape", "./cassettes") == (0, "")
    shutil.rmtree(folder / "b")
    assert run("diff", "all.tape", "cassettes/") == (1, "- b:1\n- b:2\n")


def test_nothing_to_compare_is_an_error_of_its_own() -> None:
    assert run("diff", "a", "zzz")[0] == 2
    assert run("diff", "a")[0] == 2  # no repository


@needs_git
def test_a_cassette_is_compared_with_what_git_has_of_it(folder: Path) -> None:
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "x")
    assert run("diff", "*") == (0, "")
    folders.write(folder, Cassette("a", (converse("1", "newer"), converse("2", "x"))))
    code, shown = run("diff", "a", "--no-noise")
    assert (code, shown) == (1, "a:1\n  answer: text\n    -old\n    +newer\n")
    folders.write(folder, Cassette("c", (converse("1", "x"),)))
    assert run("diff", "c") == (1, "+ c:1\n")
    shutil.rmtree(folder / "b")
    assert run("diff", "b") == (1, "- b:1\n- b:2\n")
    assert run("diff", "zzz")[0] == 2


@needs_git
def test_git_diff_shows_a_tape_as_text(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "bedtape"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom bedtape_cassettes.cli.main import main\nmain()\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    git("init", "-q")
    assert run("git-setup")[0] == 0
    folders.write_tape(Path("all.tape"), store.read([folder])[:1])
    git("add", "-A")
    folders.write_tape(
        Path("all.tape"), [Cassette("a", (converse("1", "newer"), converse("2", "x")))]
    )
    shown = git("diff", "all.tape")
    lines = shown.splitlines()
    assert [line[0] for line in lines if "text: old" in line or "text: newer" in line] == ["-", "+"]
    assert "Binary files" not in shown


def test_what_is_no_tape_is_told_in_a_line() -> None:
    Path("x.tape").write_bytes(b"not one")
    code, shown = run("textconv", "x.tape")
    assert code == 2
    assert "expected a .tape file" in shown
    assert run("textconv", "none.tape")[0] == 2
