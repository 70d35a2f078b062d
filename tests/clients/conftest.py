"""What the tests of all clients replay from."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from support import corpus
from support.folders import write_tape


@pytest.fixture(scope="module")
def aws() -> boto3.Session:
    """One session for all clients of a module: it loads the service models once."""
    return boto3.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    """A server that has no recordings: rules answer."""
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer, request: pytest.FixtureRequest) -> Session:
    """A session of its own for each test."""
    return server.session(request.node.name)


@pytest.fixture(scope="session")
def corpus_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole corpus, a cassette for each recorder's file; made once, by the first worker
    of pytest-xdist that asks.

    A tape, for more than a thousand folders take several times as long to write and to read.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    tape = shared / "corpus.tape"
    with open(shared / "corpus.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tape.exists():
            write_tape(tape, corpus.cassettes(tuple(corpus.every())))
    return tape
