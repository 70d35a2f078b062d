"""The client in Go passes its own tests: with a server that it starts, and under `bedtape run`."""

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

GO_CLIENT = Path(__file__).parents[2] / "clients" / "go"
ABSENT = "module lookup disabled by GOPROXY=off|requires go >= |module requires Go "
SCRIPTS = Path(sys.executable).parent
STARTED = {
    "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
    "BEDTAPE_CASSETTES": str(store.samples()),
}
UNDER_RUN = (str(SCRIPTS / "bedtape"), "run", "--cassettes", str(store.samples()), "--")


def run_tests(*before: str, **environ: str) -> tuple[int, str]:
    """Runs the client's tests, and returns the exit code and the output.

    Skips if Go or the packages are missing.
    """
    if shutil.which("go") is None:
        pytest.skip("go is not installed: install Go 1.24 or later")
    offline = {"GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    inherited = {name: value for name, value in os.environ.items() if name != "BEDTAPE_URL"}
    command = [*before, "go", "test", "-v", "-count=1", "./..."]
    ended = run_program(command, {**inherited, **offline, **environ}, GO_CLIENT)
    output = ended.stdout + ended.stderr
    if ended.returncode and re.search(ABSENT, output):
        pytest.skip("the SDK for Go is not downloaded, or needs a newer Go: `make go`")
    return ended.returncode, output


def is_closed(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((str(address.hostname), int(address.port or 0))) != 0


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the first run compiles the SDK
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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_client_uses_the_server_of_the_run() -> None:
    code, output = run_tests(*UNDER_RUN)
    assert code == 0, output
    assert re.search(r"bedtape: \d+ calls: \d+ from rules, \d+ from faults, 2 missed", output), (
        output
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
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
