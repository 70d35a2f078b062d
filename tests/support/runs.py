"""Runs pytest in processes, with bedtape's plugin and no other plugin, in a
project that calls Bedrock.
"""

import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from bedtape_cassettes.storage import store
from bedtape_replayer.server.loading import load
from support import WAIT
from support.balancer import balance
from support.recordings import MODEL
from support.replicas import StateServer, open_replicas

# If this variable is set, the runs use two servers behind a load balancer.
AT_REPLICAS = "TESTS_AT_REPLICAS"

# What each of these projects has.
_ASKING = f"""
import boto3, functools
from botocore.config import Config

MODEL = {MODEL!r}

def ask(client, text):
    said = client.converse(modelId=MODEL, messages=[{{"role": "user", "content": [{{"text": text}}]}}])
    return said["output"]["message"]["content"][0]["text"]

def refuse_lookups():
    # A test that is not blocked stays offline.
    import socket, sys

    known = socket.getaddrinfo

    def look_up(host, port, *more, **options):
        if host == "127.0.0.1":
            return known(host, port, *more, **options)
        sys.audit("socket.getaddrinfo", host, 0, 0, 0, 0)
        raise OSError("looked up " + host)

    socket.getaddrinfo = look_up

@functools.cache
def kept():
    return boto3.client("bedrock-runtime", region_name="us-east-1")
"""

Run: TypeAlias = Callable[..., pytest.RunResult]


def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest on files by their paths; arguments are those of the command line."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("RUN_REAL_BEDROCK_TESTS", raising=False)
    for name in [
        name for name in os.environ if name.startswith("BEDTAPE_") and name != "BEDTAPE_CACHE_DIR"
    ]:
        monkeypatch.delenv(name)
    (pytester.path / ".git").mkdir(exist_ok=True)  # no settings of whoever runs this are found
    (pytester.path / "asking.py").write_text(_ASKING)
    (pytester.path / "conftest.py").touch()  # so that `asking` is found from every folder

    def begin(files: dict[str, str], *arguments: str) -> pytest.RunResult:
        for name, code in files.items():
            file = pytester.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("from asking import *\nimport pytest, os\n" + textwrap.dedent(code))
        given = ("-p", "bedtape_replayer.pytest_plugin", *arguments)
        if AT_REPLICAS not in os.environ:
            return pytester.runpytest_subprocess(*given, timeout=WAIT)
        with _start_replicas(pytester.path) as url:
            return pytester.runpytest_subprocess(*given, f"--bedtape-url={url}", timeout=WAIT)

    return begin


@contextmanager
def _start_replicas(project: Path) -> Iterator[str]:
    """Serve the cassettes of a project, or the samples, and yield the address."""
    folders = sorted(project.rglob("cassettes")) or [store.samples()]
    library, work = load(folders), project.with_name(f"{project.name}-servers")
    work.mkdir(exist_ok=True)
    with (
        StateServer(work) as state,
        open_replicas(2, library, state.url) as replicas,
        balance([each.url for each in replicas], work) as url,
    ):
        yield url
