"""The same server in a background thread, for Python tests: start it, use its `url`, stop it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from bedtape_cassettes.key import DEFAULT, MatchRules
from bedtape_cassettes.store import cache_folder
from bedtape_replayer.engine import Engine
from bedtape_replayer.library import Library
from bedtape_replayer.loading import load
from bedtape_replayer.loops import new_event_loop
from bedtape_replayer.server import Observer, Server

__all__ = ["Replayer"]

# When a test ends, its server does: answers in flight get this many seconds, then they are cut.
_GRACE = 1.0


class Replayer:
    """Replays cassettes over HTTP on a local port, as a context manager, sync or async.

    cassettes: a folder of cassettes or a `.tape` file, or several. speed: None for as fast as possible, else a
    multiple of the recorded pace. strict: play each recording once only. match: what to leave out when requests
    are compared. observer: told of every call, in the server's thread.

    Raises CassetteError on entering where the cassettes cannot be read, OSError where the port cannot be had.
    """

    def __init__(
        self,
        cassettes: str | Path | Sequence[str | Path] = "cassettes",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float | None = None,
        strict: bool = False,
        match: MatchRules = DEFAULT,
        observer: Observer | None = None,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"expected a speed above 0 (1 is the recorded pace), found {speed}")
        named = [cassettes] if isinstance(cassettes, str | Path) else cassettes
        self._folders = [Path(folder) for folder in named]
        self._address = (host, port)
        self._strict = strict
        self._match = match
        self._speed = speed
        self._observer = observer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The endpoint to give to a client: `http://127.0.0.1:PORT`."""
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def port(self) -> int:
        return self._running().port

    def session_url(self, session: str) -> str:
        """The endpoint that names a session, which then has its own place in the recordings."""
        return f"{self.url}/s/{quote(session, safe='')}"

    def reload(self) -> None:
        """Reads the cassettes again. Raises CassetteError where they cannot be read; then the old ones stay."""
        server, library = self._running(), self._load()
        assert self._loop is not None
        done = threading.Event()

        def swap() -> None:
            server.engine.library = library
            done.set()

        self._loop.call_soon_threadsafe(swap)
        done.wait()

    def start(self) -> Self:
        """Starts the server and returns when it takes connections."""
        if self._server is not None:
            raise RuntimeError("this Replayer runs already; make another one")
        engine = Engine(self._load(), strict=self._strict)
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bedtape", daemon=True)
        self._thread.start()
        server = Server(engine, speed=self._speed, observer=self._observer)
        try:
            self._run(server.start(*self._address))
        except BaseException:
            self._end_thread()
            raise
        self._server = server
        return self

    def stop(self) -> None:
        """Stops the server; does nothing where it does not run."""
        server, self._server = self._server, None
        if server is not None:
            self._run(server.stop(_GRACE))
            self._end_thread()

    def _load(self) -> Library:
        return load(self._folders, rules=self._match, cache=cache_folder(os.environ))

    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("this Replayer does not run; use it in a `with` block, or call start()")
        return self._server

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end_thread(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
