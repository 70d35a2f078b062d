"""Pieces are written all or none: after every step that fails, or at which Ctrl-C
comes, all is as it was.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedtape_replayer.cli.init import writing
from bedtape_replayer.cli.init.plan import PlannedFile
from bedtape_replayer.cli.init.project import InitError

PIECES = (
    PlannedFile("pyproject.toml", b"[tool.bedtape]\n", "settings", adds=True),
    PlannedFile("tests/unit/cassettes/hello", {"1.yaml": b"one", "2.yaml": b"two"}, "a cassette"),
    PlannedFile("tests/unit/test_it.py", b"pass\n", "a test"),
)
_STEPS = ("mkdir", "write_bytes", "replace")


def _tree(root: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(root)): p.read_bytes() if p.is_file() else None
        for p in sorted(root.rglob("*"))
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "pyproject.toml").chmod(0o640)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_own.py").write_text("own")
    return tmp_path


def _nothing() -> None:
    """Nothing is left to do."""


def test_all_is_written_and_what_was_there_stays(project: Path) -> None:
    before = _tree(project)
    writing.write(project, PIECES, _nothing)
    after = _tree(project)
    assert after.pop("pyproject.toml") == b"[project]\n[tool.bedtape]\n"
    assert (project / "pyproject.toml").stat().st_mode & 0o777 == 0o640
    assert after["tests/unit/cassettes/hello/2.yaml"] == b"two"
    assert after["tests/unit/test_it.py"] == b"pass\n"
    assert before.items() - {("pyproject.toml", b"[project]\n")} <= after.items()
    assert not [name for name in after if name.endswith(".bedtape")]


def test_a_link_stays_a_link(project: Path) -> None:
    (project / "pyproject.toml").rename(project / "real.toml")
    (project / "pyproject.toml").symlink_to("real.toml")
    writing.write(project, PIECES[:1], _nothing)
    assert (project / "pyproject.toml").is_symlink()
    assert (project / "real.toml").read_text() == "[project]\n[tool.bedtape]\n"


class _Breaking:
    """Path's ways to write, of which the step of this number fails, before it
    is done or after it.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException, *, after: bool
    ) -> None:
        self.left, self.error, self.after = number, error, after
        for name in _STEPS:
            monkeypatch.setattr(Path, name, self._wrapped(getattr(Path, name)))

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise self.error
            done = original(*arguments, **named)
            if self.left == 0:
                raise self.error
            return done

        return step


@pytest.mark.parametrize("after", [False, True])
def test_ctrl_c_at_any_step_leaves_all_as_it_was(project: Path, after: bool) -> None:
    before = _tree(project)
    broken = 0
    while True:
        with pytest.MonkeyPatch.context() as monkeypatch:
            _Breaking(monkeypatch, broken + 1, KeyboardInterrupt(), after=after)
            try:
                writing.write(project, PIECES, _nothing)
            except KeyboardInterrupt:
                broken += 1
            else:
                break
        assert _tree(project) == before, broken
    assert broken >= 10


def test_what_the_disk_refuses_is_told_and_leaves_all_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _tree(project)
    _Breaking(monkeypatch, 8, OSError(28, "No space left on device", "somewhere"), after=False)
    with pytest.raises(
        InitError,
        match="somewhere: expected to write, found No space left on device; nothing was wr",
    ):
        writing.write(project, PIECES, _nothing)
    assert _tree(project) == before


def test_a_failure_at_the_end_takes_all_back(project: Path) -> None:
    before = _tree(project)

    def fail() -> None:
        raise ValueError("git")

    with pytest.raises(ValueError, match="git"):
        writing.write(project, PIECES, fail)
    assert _tree(project) == before


def test_what_is_there() -> None:
    assert writing.is_there(Path("/"), PlannedFile("etc", b"", "", there="has it"))
    assert writing.is_there(Path("/"), PlannedFile("tmp", b"", ""))
    assert not writing.is_there(Path("/"), PlannedFile("tmp", b"", "", adds=True))
    assert not writing.is_there(Path("/"), PlannedFile("nosuch", b"", ""))


def test_obstacles_are_told_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "tests").write_text("a file")
    (tmp_path / "cassettes").symlink_to("nowhere")
    pieces = [
        PlannedFile("tests/a.py", b"", ""),
        PlannedFile("tests/b/c.py", b"", ""),
        PlannedFile("cassettes/d", b"", ""),
        PlannedFile("e", b"", ""),
    ]
    assert list(map(str, writing.obstacles(tmp_path, pieces))) == [
        "tests: expected a folder, found a file; move it away",
        "cassettes: expected a folder, found a file; move it away",
    ]


def test_no_project_is_in_the_home_folder_or_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (tmp_path, Path("/")):
        with pytest.raises(InitError, match="go to your project first"):
            writing.look(folder)


@pytest.mark.parametrize(
    ("name", "text", "played"),
    [
        ("bedtape.toml", 'cassettes = "tapes"', "tapes"),
        (
            "pyproject.toml",
            '[tool.bedtape.run]\ncassettes = ["a.tape", "../b", "/c", "d/e"]',
            "d/e",
        ),
        ("bedtape.toml", "[replay]\nport = 1", None),
        ("../bedtape.toml", 'cassettes = "tapes"', None),
    ],
)
def test_what_run_plays_is_what_the_projects_own_settings_say(
    name: str, text: str, played: str | None, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / name).write_text(text)
    assert writing.look(tmp_path / "project").played == played


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InitError, match="expected to read what is there"):
        writing.look(tmp_path)


@pytest.mark.parametrize(
    ("text", "added", "there"),
    [
        (None, b"*.tape diff=bedtape\n", ""),
        ("*.png binary", b"\n*.tape diff=bedtape\n", ""),
        ("*.png binary\n", b"*.tape diff=bedtape\n", ""),
        ("*.tape diff=bedtape\n*.png binary\n", b"", "has its line already"),
    ],
)
def test_gitattributes(tmp_path: Path, text: str | None, added: bytes, there: str) -> None:
    project = tmp_path / "packages" / "one"
    project.mkdir(parents=True)
    if text is not None:
        (project / ".gitattributes").write_text(text)
    piece = writing.attributes(project)
    assert (piece.path, piece.content, piece.there) == (".gitattributes", added, there)
