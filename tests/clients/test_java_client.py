"""The client in Java passes its tests: with a server that it starts, and under `bedtape run`."""

import os
import re
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.storage import store
from support.client import until
from support.commands import run_program

JAVA_CLIENT = Path(__file__).parents[2] / "clients" / "java"
ABSENT = "in offline mode|invalid target release|release version 17 not supported"
SCRIPTS = Path(sys.executable).parent
STARTED = {
    "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
    "BEDTAPE_CASSETTES": str(store.samples()),
}
UNDER_RUN = (str(SCRIPTS / "bedtape"), "run", "--cassettes", str(store.samples()), "--")
PASSED = r"Tests run: \d+, Failures: 0, Errors: 0, Skipped: 0"


def run_tests(folder: Path, *before: str, **environ: str) -> tuple[int, str]:
    """Runs the client's tests in a copy, and returns the exit code and the output.

    Skips if Maven or the packages are missing.
    """
    if shutil.which("mvn") is None:
        pytest.skip("mvn is not installed: install Maven 3.8 or later and a JDK 17 or later")
    shutil.copytree(JAVA_CLIENT, folder, ignore=shutil.ignore_patterns("target"))
    inherited = {name: value for name, value in os.environ.items() if name != "BEDTAPE_URL"}
    command = [*before, "mvn", "--offline", "--batch-mode", "test"]
    ended = run_program(command, {**inherited, **environ}, folder)
    output = ended.stdout + ended.stderr
    if ended.returncode and re.search(ABSENT, output):
        pytest.skip("the packages for Java are not downloaded: `make java`")
    return ended.returncode, output


def is_closed(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((str(address.hostname), int(address.port or 0))) != 0


@pytest.mark.slow
def test_the_server_that_the_client_starts_ends_with_the_tests(tmp_path: Path) -> None:
    code, output = run_tests(tmp_path / "copy", **STARTED)
    assert code == 0, output
    assert re.search(PASSED, output), output
    (url,) = re.findall(r"endpoint: (http://127\.0\.0\.1:\d+)/s/", output)
    until(lambda: is_closed(url))


@pytest.mark.slow
def test_the_client_uses_the_server_of_the_run(tmp_path: Path) -> None:
    code, output = run_tests(tmp_path / "copy", *UNDER_RUN)
    assert code == 0, output
    assert re.search(r"bedtape: \d+ calls: \d+ from rules, \d+ from faults, 2 missed", output), (
        output
    )
