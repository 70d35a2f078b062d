"""The client in Go passes its own tests: with a server that it starts, and under `bedtape run`."""

import os
import re
import shutil
from pathlib import Path

import pytest

from support.client import until
from support.toolchains import GO_TEST, STARTED, UNDER_RUN, compiles, is_closed, run_offline

GO_CLIENT = Path(__file__).parents[2] / "clients" / "go"
pytestmark = [pytest.mark.slow, compiles]


def run_tests(*before: str, **environ: str) -> tuple[int, str]:
    """Runs the client's tests, and returns the exit code and the output."""
    ended = run_offline(GO_TEST, GO_CLIENT, environ, before)
    return ended.returncode, ended.stdout + ended.stderr


def test_the_server_that_the_client_starts_ends_with_the_tests() -> None:
    code, output = run_tests(**STARTED)
    assert code == 0, output
    assert (
        output.count("\n--- PASS")
        == len(re.findall(r"^=== RUN +Test\w+$", output, re.MULTILINE))
        >= 7
    )
    (url,) = re.findall(r"(http://127\.0\.0\.1:\d+)/s/", output)
    until(lambda: is_closed(url))


def test_the_client_uses_the_server_of_the_run() -> None:
    code, output = run_tests(*UNDER_RUN)
    assert code == 0, output
    assert re.search(r"bedtape: \d+ calls: \d+ from rules, \d+ from faults, 2 missed", output), (
        output
    )


def test_without_a_server_the_client_says_how_to_get_it(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is not None:
        (tmp_path / "go").symlink_to(go)
    path = os.pathsep.join((str(tmp_path), "/usr/bin", "/bin"))
    code, output = run_tests(PATH=path)
    assert code == 1
    assert (
        "found neither BEDTAPE_URL nor bedtape in PATH: run `bedtape run -- go test ./...`"
        in output
    )
