"""The server of a run that is in another process, in the place of `Replayer`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.control_client import ControlClient

_T = TypeVar("_T")
_ELSEWHERE = "expected a server in this process, found one that --bedtape-url names"


class RemoteServer:
    """A server that runs already. client: sends requests to its control API."""

    def __init__(self, client: ControlClient) -> None:
        self.client = client

    @property
    def url(self) -> str:
        return self.client.url

    @property
    def engine(self) -> Engine:
        """Raises RuntimeError, because the engine is in another process."""
        raise RuntimeError(_ELSEWHERE)

    def session_url(self, session: str) -> str:
        """The endpoint of a session."""
        return self.client.locate(session)

    def run(self, function: Callable[[], _T]) -> _T:
        """Run a function in this thread, and return its result."""
        return function()

    def run_coroutine(self, coroutine: Awaitable[_T]) -> _T:  # noqa: ARG002 - as of `Replayer`
        """Raises RuntimeError, because the server calls no function of this process."""
        raise RuntimeError(_ELSEWHERE)

    @contextmanager
    def watch(self, rule: str) -> Iterator[None]:  # noqa: ARG002 - as of `Replayer`
        """Do nothing, because the server calls no function of this process."""
        yield

    def stop(self) -> None:
        """Do nothing, because the server goes on."""
