"""A server with faults, in its own thread. After its `with` block, its observations can be read."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.server.server import Server, new_event_loop
from support import WAIT
from support.recordings import path, prompt

EMPTY = Reply(200, (), (), streamed=False)


class Faulty:
    """Replays the interactions, with these harms done to every answer.

    seen: the outcome of each call, in the order in which they end; whole when the block has ended.
    """

    def __init__(
        self,
        *interactions: Interaction,
        harms: tuple[FaultKind, ...] = (),
        speed: float | None = None,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = new_event_loop,
    ) -> None:
        faults = tuple(Fault(f"fault-{number}", kind) for number, kind in enumerate(harms, 1))
        self.seen: list[Outcome] = []
        self.engine = Engine(
            Library([Cassette("made", interactions)]), overlay=Overlay(faults=faults)
        )
        self.server = Server(
            self.engine, speed=speed, observer=self.seen.append, complain=self._complain
        )
        self._loop = new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty", daemon=True)
        self.complaints: list[str] = []
        self._loop.set_exception_handler(lambda _, context: self.complaints.append(repr(context)))

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lay(self, *faults: Fault) -> None:
        """Adds faults to the default session, which has nothing to answer meanwhile."""
        self.engine.sessions.get("default").layers.add(*faults)

    def _complain(self, line: str) -> None:
        self.complaints.append(line)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT)

    def stop(self) -> None:
        """Waits for every answer in flight, however long that takes: what hangs, fails."""
        self._run(self.server.stop())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self.server.start("127.0.0.1", 0))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(WAIT)
            self._loop.close()
        assert not self.complaints, self.complaints


def make_context(seed: int = 0, now: float = 0.0) -> FaultContext:
    """A moment for a kind that is tried without an engine."""
    return FaultContext(b"%d" % seed, now, {})


def call(operation: str = "converse", body: bytes | None = None) -> Call:
    """A call of an operation, by the end of its path."""
    return Call(
        "default", "POST", path(operation), Head.of(()), prompt("q") if body is None else body
    )
