"""What git knows of cassettes; and that nothing breaks where there is no git."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import git, store
from support import folders
from support.recordings import converse

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a folder of cassettes that it holds, whoever's configuration there is."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "repository"
    root.mkdir()
    run(root, "init", "-q")
    write(root / "cassettes", a="12", **{"b/c": "3"})
    commit(root, 1_600_000_000)
    return root


def run(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def commit(root: Path, time: int) -> None:
    run(root, "add", "-A")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    environment = {
        **os.environ,
        "GIT_COMMITTER_DATE": f"{time} +0000",
        "GIT_AUTHOR_DATE": f"{time} +0000",
    }
    subprocess.run(["git", *who, "commit", "-qm", "x"], cwd=root, check=True, env=environment)


def write(folder: Path, **texts: str) -> tuple[Path, ...]:
    return tuple(
        path
        for name, letters in texts.items()
        for path in folders.write(folder, Cassette(name, tuple(converse(t, t) for t in letters)))
    )


@needs_git
def test_git_holds_what_is_committed_or_staged_as_it_is_now(repository: Path) -> None:
    held = sorted((repository / "cassettes").rglob("*.yaml"))
    assert git.contains(held)
    (new,) = write(repository / "cassettes", d="4")
    assert not git.contains([*held, new])
    run(repository, "add", "-A")
    assert git.contains([*held, new])
    new.write_bytes(b"# changed\n" + new.read_bytes())
    assert not git.contains([new])
    (repository / ".gitignore").write_text("*.tape\n")
    folders.write_tape(repository / "x.tape", store.read([repository / "cassettes"]))
    assert not git.contains([repository / "x.tape"])


@needs_git
def test_gits_version_of_a_folder_is_what_was_committed(repository: Path) -> None:
    folder = repository / "cassettes"
    committed = store.read([folder])
    write(folder, a="987", d="4")
    shutil.rmtree(folder / "b")
    (folder / ".hidden.yaml").write_text("not a cassette")
    revision = git.read_revision(folder, "HEAD")
    assert revision == committed
    assert [i.file for c in revision for i in c.interactions] == [
        i.file for c in committed for i in c.interactions
    ]
    commit(repository, 1_600_000_100)
    assert git.read_revision(folder, "HEAD") == store.read([folder])
    assert git.read_revision(folder, "HEAD~1") == committed


@needs_git
def test_gits_version_of_a_tape_is_what_was_committed(repository: Path) -> None:
    tape = repository / "all.tape"
    folders.write_tape(tape, committed := store.read([repository / "cassettes"]))
    with pytest.raises(CassetteError, match="commit it first"):
        git.read_revision(tape, "HEAD")
    commit(repository, 1_600_000_100)
    folders.write_tape(tape, committed[:1])
    assert git.read_revision(tape, "HEAD") == committed


@needs_git
def test_numbers_order_gits_version_as_they_do_the_folder(repository: Path) -> None:
    folder = repository / "cassettes" / "a"
    for number, path in zip(("10", "9"), sorted(folder.iterdir()), strict=True):
        path.rename(folder / f"{number}-x.yaml")
    commit(repository, 1_600_000_100)
    assert git.read_revision(folder.parent, "HEAD") == store.read([folder.parent])


@needs_git
@pytest.mark.parametrize("revision", ["no-such", "--upload-pack=x", "HEAD:cassettes"])
def test_a_revision_that_is_none_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(CassetteError, match="--rev"):
        git.read_revision(repository / "cassettes", revision)


@needs_git
def test_times_are_of_commits_and_only_of_what_git_holds(repository: Path) -> None:
    folder = repository / "cassettes"
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.yaml"))]
    assert git.read_commit_times(folder) == dict.fromkeys(files, 1_600_000_000)
    (folder / files[0]).write_bytes(b"# newer\n" + (folder / files[0]).read_bytes())
    write(folder, d="4")
    assert git.read_commit_times(folder) == dict.fromkeys(files[1:], 1_600_000_000)
    commit(repository, 1_600_000_500)
    assert git.read_commit_times(folder)[files[0]] == 1_600_000_500


@needs_git
def test_setting_up_twice_is_setting_up_once(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.png binary")
    paths = {git.set_up(repository / "cassettes") for _ in "12"}
    assert paths == {repository / ".gitattributes"}
    assert (repository / ".gitattributes").read_text() == "*.png binary\n*.tape diff=bedtape\n"
    assert "bedtape cassette textconv" in run(repository, "config", "diff.bedtape.textconv")
    assert git.is_diff_configured(repository)
    assert run(repository, "check-attr", "diff", "x.tape") == "x.tape: diff: bedtape\n"


def test_without_git_nothing_is_held_and_what_needs_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    files = write(tmp_path / "cassettes", a="1")
    assert not git.contains(files)
    assert git.read_commit_times(tmp_path / "cassettes") == {}
    for ask in (
        lambda: git.read_revision(tmp_path / "cassettes", "HEAD"),
        lambda: git.set_up(tmp_path),
    ):
        with pytest.raises(CassetteError):
            ask()
    assert git.contains([])
