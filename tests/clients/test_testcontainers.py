"""The files that start bedtape's image with Testcontainers compile. Running them needs Docker."""

import shutil
import sys
from pathlib import Path

import pytest

from support.toolchains import MAVEN, compiles, run_offline

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples" / "testcontainers"
PYTHON = ROOT / ".venv-containers" / "bin" / "python"
pytestmark = [pytest.mark.slow, compiles]


def break_line(file: Path, line: str) -> None:
    """Adds a line that does not compile, so that a test sees that the compiler reads the file."""
    file.write_text(f"{file.read_text()}\n{line}\n")


def test_go(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "go", tmp_path / "copy")
    ended = run_offline(("go", "vet", "./..."), folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    break_line(folder / "bedtape_test.go", "var _ = testcontainers.Nothing")
    assert "undefined: testcontainers.Nothing" in run_offline(("go", "vet", "./..."), folder).stderr


def test_java(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("target")
    folder = shutil.copytree(EXAMPLES / "java", tmp_path / "copy", ignore=ignore)
    command = (*MAVEN, "test-compile")
    ended = run_offline(command, folder)
    assert ended.returncode == 0, ended.stdout
    (source,) = folder.rglob("BedtapeContainer.java")
    break_line(source, "class Broken extends org.testcontainers.containers.Nothing {}")
    assert "COMPILATION ERROR" in run_offline(command, folder).stdout


def test_node(tmp_path: Path) -> None:
    if not (EXAMPLES / "node" / "node_modules").is_dir():
        pytest.skip("the packages are not downloaded: `make javascript`")
    ignore = shutil.ignore_patterns("node_modules")
    folder = shutil.copytree(EXAMPLES / "node", tmp_path / "copy", ignore=ignore)
    (folder / "node_modules").symlink_to(EXAMPLES / "node" / "node_modules")
    command = ("npm", "run", "--silent", "check")
    ended = run_offline(command, folder)
    assert ended.returncode == 0, ended.stdout
    break_line(folder / "bedtape.ts", "container.nothing();")
    assert "Property 'nothing' does not exist" in run_offline(command, folder).stdout


def test_python(tmp_path: Path) -> None:
    if not (PYTHON.parents[1] / ".installed").exists():
        pytest.skip("the packages are not downloaded: `make containers`")
    folder = shutil.copytree(EXAMPLES / "python", tmp_path / "copy")
    command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", str(PYTHON), ".")
    ended = run_offline(command, folder)
    assert ended.returncode == 0, ended.stdout
    break_line(folder / "conftest.py", 'DockerContainer("bedtape").nothing()')
    assert 'has no attribute "nothing"' in run_offline(command, folder).stdout
