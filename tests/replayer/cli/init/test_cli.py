"""The command `bedtape init`, as a user runs it, and the tests that it writes, as
their frameworks run them.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import WAIT
from support.node_packages import make_project

# Most tests start processes.
pytestmark = pytest.mark.slow

BEDTAPE = (sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()")
VITEST = Path(__file__).parents[3] / "clients" / "vitest"


def _run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_"))
    }
    environ |= {
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **more,
    }
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=WAIT
    )


def _init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(folder, *BEDTAPE, "init", *arguments)


def _files(folder: Path) -> dict[str, bytes]:
    inside = (
        path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in inside}


def _did(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    """What it says that it did, and to what."""
    assert (done.returncode, done.stderr) == (0, "")
    rows = (line.split("  ") for line in done.stdout.partition("\n\n")[0].splitlines())
    return [(row[0], next(filter(None, row[1:])).strip()) for row in rows]


def test_in_an_empty_folder_its_test_passes_with_pytest(tmp_path: Path) -> None:
    wrote = _did(_init(tmp_path))
    assert wrote == [
        ("wrote", "bedtape.toml"),
        ("wrote", "tests/cassettes/hello"),
        ("wrote", "tests/test_bedrock.py"),
        ("skipped", ".gitattributes"),
    ]
    tested = _run(tmp_path, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    assert (
        "1 played, 3 from rules and faults, 0 recorded, 0 missed, 0 never played" in tested.stdout
    )


def test_a_broken_program_fails_each_of_its_tests(tmp_path: Path) -> None:
    """What can only pass is no test."""
    _init(tmp_path)
    test = tmp_path / "tests" / "test_bedrock.py"
    good = '["content"][0]["text"]\n'
    assert test.read_text().count(good) == 1
    test.write_text(test.read_text().replace(good, '["role"]\n'))
    tested = _run(tmp_path, sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    assert "2 failed" in tested.stdout, tested.stdout


@pytest.mark.parametrize(
    "package", ["{}", '{"devDependencies": {"typescript": "5.9.3"}}'], ids=["js", "ts"]
)
def test_its_test_passes_with_vitest(package: str, tmp_path: Path) -> None:
    make_project(tmp_path, VITEST)
    (tmp_path / "package.json").write_text(package)
    done = _init(tmp_path, "--vitest")
    assert ("wrote", "cassettes/hello") in _did(done)
    command = done.stdout.splitlines()[-1].removeprefix("  bedtape ").split()
    # Some companies' shells ask for FIPS endpoints, with which the SDK refuses any other: `bedtape
    # run` says no to them. vitest's own, 5 seconds, is too short for a busy machine
    limit = f"--testTimeout={WAIT * 1000:.0f}"
    tested = _run(tmp_path, *BEDTAPE, *command, limit, AWS_USE_FIPS_ENDPOINT="true")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    assert "4 calls: 1 played, 1 from rules, 2 from faults" in tested.stderr


def _configured(folder: Path) -> bool:
    return _run(folder, "git", "config", "diff.bedtape.textconv").returncode == 0


def test_at_the_top_of_a_repository_it_configures_git_and_says_so(tmp_path: Path) -> None:
    _run(tmp_path, "git", "init", "--quiet")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    did = _did(_init(tmp_path))
    assert ("added to", "pyproject.toml") in did
    assert did[-2:] == [("wrote", ".gitattributes"), ("added to", ".git/config")]
    assert (tmp_path / ".gitattributes").read_text() == "*.tape diff=bedtape\n"
    assert _configured(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "typed", "did"),
    [
        ([], None, "skipped"),
        (["--yes"], None, "added to"),
        ([], "y\n", "added to"),
        ([], "n\n", "skipped"),
        (["--dry-run"], "y\n", "would add to"),
    ],
    ids=["no terminal", "--yes", "answered yes", "answered no", "dry run"],
)
def test_outside_its_folder_it_writes_only_with_consent(
    arguments: list[str], typed: str | None, did: str, tmp_path: Path
) -> None:
    """Without a terminal it asks nothing, and says what it left out."""
    _run(tmp_path, "git", "init", "--quiet")
    project = tmp_path / "packages" / "one"
    project.mkdir(parents=True)
    before = (tmp_path / ".git" / "config").read_text()
    if typed is None:
        done = _init(project, *arguments)
    else:  # `script` gives the command a terminal
        if shutil.which("script") is None:
            pytest.skip("script, of util-linux, is not installed")
        command = shlex.join([*BEDTAPE, "init", *arguments])
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1", "COLUMNS": "200"}
        done = subprocess.run(
            ["script", "-qec", command, os.devnull],
            cwd=project,
            env=environ,
            input=typed,
            capture_output=True,
            text=True,
        )
        assert (f"{tmp_path.resolve()}/.git/config, outside this folder" in done.stdout) == (
            not arguments
        ), done.stdout
    row = next(line for line in done.stdout.splitlines() if "../../.git/config  " in line)
    assert row.startswith(did), done.stdout
    assert _configured(project) == (did == "added to")
    assert ((tmp_path / ".git" / "config").read_text() == before) == (did != "added to")
    assert {path.name for path in tmp_path.iterdir()} == {".git", "packages"}
    assert (project / ".gitattributes").exists() == (did != "would add to")


def test_git_diff_works_where_bedtape_is_not_installed(tmp_path: Path) -> None:
    _run(tmp_path, "git", "init", "--quiet")
    _init(tmp_path)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("git", "sh"):
        (bin_folder / name).symlink_to(str(shutil.which(name)))
    tape = tmp_path / "all.tape"
    shown = []
    for content in (b"\xff\x00one", b"\xff\x00two"):
        tape.write_bytes(content)
        shown.append(_run(tmp_path, "git", "diff", "all.tape", PATH=str(bin_folder)))
        _run(tmp_path, "git", "add", "all.tape")
    assert (shown[1].returncode, shown[1].stderr) == (0, "")
    changed = [line for line in shown[1].stdout.splitlines() if line.startswith(("-id ", "+id "))]
    assert len(changed) == 2
    assert all(
        "bedtape, which shows .tape files as text, is not installed" in line for line in changed
    )


@pytest.mark.parametrize("git", [False, True])
def test_twice_is_harmless(tmp_path: Path, git: bool) -> None:
    if git:
        _run(tmp_path, "git", "init", "--quiet")
    (tmp_path / "pyproject.toml").touch()
    _init(tmp_path)
    before = _files(tmp_path)
    assert {did for did, _ in _did(_init(tmp_path))} == {"left"} | (
        {"skipped"} if not git else set()
    )
    assert _files(tmp_path) == before


def test_what_is_there_is_left_and_what_is_not_is_written(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_bedrock.py").write_text("mine")
    (tmp_path / "bedtape.toml").write_text("# mine\n")
    assert _did(_init(tmp_path))[:3] == [
        ("left", "bedtape.toml"),
        ("wrote", "tests/cassettes/hello"),
        ("left", "tests/test_bedrock.py"),
    ]
    assert (tmp_path / "tests" / "test_bedrock.py").read_text() == "mine"
    assert (tmp_path / "bedtape.toml").read_text() == "# mine\n"


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    said = _did(_init(tmp_path, "--dry-run"))
    assert _files(tmp_path) == {"pyproject.toml": b"[project]\n"}
    verbs = {"would write": "wrote", "would add to": "added to"}
    assert [(verbs.get(did, did), path) for did, path in said] == _did(_init(tmp_path))


@pytest.mark.parametrize(
    ("files", "arguments", "reasons"),
    [
        ({"package.json": "{}"}, [], ["expected vitest among its packages, found none"]),
        ({"pyproject.toml": "["}, [], ["pyproject.toml: expected TOML"]),
        ({"tests": "a file"}, [], ["tests: expected a folder, found a file; move it away"]),
    ],
)
def test_it_refuses_and_writes_nothing(
    files: dict[str, str], arguments: list[str], reasons: list[str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = _files(tmp_path)
    done = _init(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, lines, strict=True))
    assert _files(tmp_path) == before
