"""The files that start bedtape's image with Testcontainers compile. Running them needs Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import run_program

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples" / "testcontainers"
PYTHON = ROOT / ".venv-containers" / "bin" / "python"
ABSENT = "module lookup disabled by GOPROXY=off|requires go >= |in offline mode|release version 17"


def compile_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a compiler offline. Skips if the compiler or the packages are missing."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    offline = {"GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    ended = run_program(command, {**os.environ, **offline}, folder)
    if ended.returncode and re.search(ABSENT, ended.stdout + ended.stderr):
        pytest.skip("the packages are not downloaded: `make examples`")
    return ended


def break_line(file: Path, line: str) -> None:
    """Adds a line that does not compile, so that a test sees that the compiler reads the file."""
    file.write_text(f"{file.read_text()}\n{line}\n")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_go(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "go", tmp_path / "copy")
    ended = compile_in(folder, "go", "vet", "./...")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    break_line(folder / "bedtape_test.go", "var _ = testcontainers.Nothing")
    assert "undefined: testcontainers.Nothing" in compile_in(folder, "go", "vet", "./...").stderr


@pytest.mark.slow
def test_java(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("target")
    folder = shutil.copytree(EXAMPLES / "java", tmp_path / "copy", ignore=ignore)
    command = ("mvn", "--offline", "--batch-mode", "test-compile")
    ended = compile_in(folder, *command)
    assert ended.returncode == 0, ended.stdout
    (source,) = folder.rglob("BedtapeContainer.java")
    break_line(source, "class Broken extends org.testcontainers.containers.Nothing {}")
    assert "COMPILATION ERROR" in compile_in(folder, *command).stdout


@pytest.mark.slow
def test_node(tmp_path: Path) -> None:
    if not (EXAMPLES / "node" / "node_modules").is_dir():
        pytest.skip("the packages are not downloaded: `make javascript`")
    ignore = shutil.ignore_patterns("node_modules")
    folder = shutil.copytree(EXAMPLES / "node", tmp_path / "copy", ignore=ignore)
    (folder / "node_modules").symlink_to(EXAMPLES / "node" / "node_modules")
    command = ("npm", "run", "--silent", "check")
    ended = compile_in(folder, *command)
    assert ended.returncode == 0, ended.stdout
    break_line(folder / "bedtape.ts", "container.nothing();")
    assert "Property 'nothing' does not exist" in compile_in(folder, *command).stdout


@pytest.mark.slow
def test_python(tmp_path: Path) -> None:
    if not (PYTHON.parents[1] / ".installed").exists():
        pytest.skip("the packages are not downloaded: `make containers`")
    folder = shutil.copytree(EXAMPLES / "python", tmp_path / "copy")
    command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", str(PYTHON), ".")
    ended = compile_in(folder, *command)
    assert ended.returncode == 0, ended.stdout
    break_line(folder / "conftest.py", 'DockerContainer("bedtape").nothing()')
    assert 'has no attribute "nothing"' in compile_in(folder, *command).stdout
