"""The client in Java passes its tests: with a server that it starts, and under `bedtape run`."""

import re
import shutil
from pathlib import Path

import pytest

from support.client import until
from support.toolchains import MAVEN, STARTED, UNDER_RUN, compiles, is_closed, run_offline

JAVA_CLIENT = Path(__file__).parents[2] / "clients" / "java"
PASSED = r"Tests run: \d+, Failures: 0, Errors: 0, Skipped: 0"
pytestmark = [pytest.mark.slow, compiles]


def run_tests(folder: Path, *before: str, **environ: str) -> tuple[int, str]:
    """Runs the client's tests in a copy, and returns the exit code and the output."""
    shutil.copytree(JAVA_CLIENT, folder, ignore=shutil.ignore_patterns("target"))
    ended = run_offline((*MAVEN, "test"), folder, environ, before)
    return ended.returncode, ended.stdout + ended.stderr


def test_the_server_that_the_client_starts_ends_with_the_tests(tmp_path: Path) -> None:
    code, output = run_tests(tmp_path / "copy", **STARTED)
    assert code == 0, output
    assert re.search(PASSED, output), output
    (url,) = re.findall(r"endpoint: (http://127\.0\.0\.1:\d+)/s/", output)
    until(lambda: is_closed(url))


def test_the_client_uses_the_server_of_the_run(tmp_path: Path) -> None:
    code, output = run_tests(tmp_path / "copy", *UNDER_RUN)
    assert code == 0, output
    assert re.search(r"bedtape: \d+ calls: \d+ from rules, \d+ from faults, 2 missed", output), (
        output
    )
