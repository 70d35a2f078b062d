"""Programs in Go, Java, Rust and Ruby, offline. All but Ruby compile first: minutes on a slow
machine.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bedtape_cassettes.storage import store
from support.commands import run_program

# The mark of a test that compiles. It ends a test that hangs, after `_LIMIT`.
compiles = pytest.mark.timeout(3600)
_LIMIT = 1500.0  # seconds, for one command
_OFFLINE = {"GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
# What Go, Maven, cargo and Ruby print if packages were not downloaded, or need a newer version.
_ABSENT = re.compile(
    "module lookup disabled by GOPROXY=off|requires go >= |module requires Go "
    "|in offline mode|--offline was specified|invalid target release|release version 17 not supported"
    "|cannot load such file -- aws-"
)
_SCRIPTS = Path(sys.executable).parent
GO_TEST = ("go", "test", "-v", "-count=1", "./...")
MAVEN = ("mvn", "--offline", "--batch-mode")
# The variables of a client that starts bedtape itself, and the command that starts it before.
STARTED = {
    "PATH": f"{_SCRIPTS}{os.pathsep}{os.environ['PATH']}",
    "BEDTAPE_CASSETTES": str(store.samples()),
}
UNDER_RUN = (str(_SCRIPTS / "bedtape"), "run", "--cassettes", str(store.samples()), "--")


def run_offline(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command of a toolchain. Skips if the command or its packages are missing.

    environ: the variables besides those of the tests. before: a command that runs this command.
    text: its standard input.
    """
    if shutil.which(command[0]) is None and not (folder / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed: CONTRIBUTING.md names the versions")
    inherited = {name: value for name, value in os.environ.items() if name != "BEDTAPE_URL"}
    ended = run_program(
        [*before, *command], {**inherited, **_OFFLINE, **(environ or {})}, folder, _LIMIT, text
    )
    if ended.returncode and _ABSENT.search(ended.stdout + ended.stderr):
        pytest.skip(
            f"the packages of {folder.name} are not installed: CONTRIBUTING.md, Other languages"
        )
    return ended


def is_closed(url: str) -> bool:
    """Whether nothing listens at the address."""
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((str(address.hostname), int(address.port or 0))) != 0
