"""Runs the server in a background thread, for Python tests."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from bedtape_cassettes.addresses import DEFAULT_SESSION, render_prefix
from bedtape_cassettes.admission import Admission
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.storage.store import cache_folder
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.checks import Validate, parse_checks
from bedtape_replayer.engine.defaults import DefaultAnswer, parse_default
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session import Session
from bedtape_replayer.history.history import History
from bedtape_replayer.overlay.document import parse_overlay
from bedtape_replayer.overlay.overlay import NOTHING, Ids, Overlay, parse_ids
from bedtape_replayer.overlay.simulation.features import parse_names
from bedtape_replayer.server.loading import find_folders, load, read_overlay
from bedtape_replayer.server.other_folders import OtherFolders, find_other_folders
from bedtape_replayer.server.server import Observer, Server, end_tasks, new_event_loop
from bedtape_replayer.server.tls_contexts import Certificates, open_certificates

__tracebackhide__ = True  # so that pytest shows the line of the test

_T = TypeVar("_T")

# When a test ends, answers that are not complete get this many seconds. Then the server
# closes their connections.
_GRACE = 1.0
# Seconds after which the function of a rule is slow. A client with usual settings waits sixty.
_SLOW = 2.0
_SLOW_FUNCTION = (
    "expected the function of %s to return, found that it has run for %g s; the server answers no"
    " other call until it returns: let it not wait, and not call its own server"
)


class Replayer(Session):
    """Replays cassettes over HTTP on a local port, as a context manager, sync or async.

    It is the default session.

    cassettes: a folder of cassettes or a `.tape` file, or several; an empty sequence if rules
    answer everything; `None` for those of the settings (`bedtape.toml`, `pyproject.toml` or
    BEDTAPE_REPLAY_CASSETTES) that exist. speed: a multiple of the recorded pace; `None` for as fast
    as possible. strict: play each recording once. match: the parts of requests to leave out of the
    comparison. overlay: the path or the content of an overlay file for every session. validate:
    when requests are validated as Bedrock does: `rules` (before a rule answers), `always` or
    `never`. ids: whether answers of rules to equal requests have `equal` or `unique` ids; an
    overlay can set it too. simulate: the features of the service to simulate, by name; an overlay
    can set them with options. default: the answer where nothing else answers: `strict` (a miss),
    `canned`, `echo` or `schema`. history: the number of calls that each session keeps. observer: is
    called after every call, in the server's thread. tls: the endpoint is https, with a certificate
    of bedtape's certificate authority or with other `Certificates`. The port also accepts clear
    text. intercept: the port is also a proxy that answers connections to Bedrock's hosts, with
    `tls`.

    When it starts, it raises CassetteError if cassettes or overlay cannot be read, or the
    certificate authority cannot be used, and OSError if the port is not free.
    """

    def __init__(
        self,
        cassettes: str | Path | Sequence[str | Path] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float | None = None,
        strict: bool = False,
        match: MatchRules = DEFAULT,
        overlay: str | Path | Mapping[str, Any] | None = None,
        validate: Validate = "rules",
        ids: Ids = "equal",
        simulate: Sequence[str] = (),
        default: DefaultAnswer = "strict",
        history: int = History.LIMIT,
        observer: Observer | None = None,
        tls: bool | Certificates = False,
        intercept: bool = False,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"expected a speed above 0 (1 is the recorded pace), found {speed}")
        super().__init__(DEFAULT_SESSION, self)
        self._cassettes = cassettes
        self._address = (host, port)
        self._strict = strict
        self._match = match
        self._overlay = overlay
        self._checks = parse_checks(validate)
        self._ids = parse_ids(ids)
        self._features = parse_names(simulate)
        self._defaults = parse_default(default)
        self._history = history
        self._speed = speed
        self._observer = observer
        self._tls = tls or intercept
        self._intercept = intercept
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: Server | None = None

    @property
    def url(self) -> str:
        """The endpoint to give to a client: `http://127.0.0.1:PORT`, or https with `tls`."""
        host = self._address[0]
        return (
            f"http{'s' if self._tls else ''}://{f'[{host}]' if ':' in host else host}:{self.port}"
        )

    @property
    def port(self) -> int:
        return self._server_running().port

    def session_url(self, session: str) -> str:
        """The endpoint of a session, which has its own position in the recordings."""
        if session == DEFAULT_SESSION:
            return self.url
        return f"{self.url}{render_prefix(session)}"

    def reload(self) -> None:
        """Read the cassettes again, or raise CassetteError and keep the old ones."""
        library = self._load()
        self.run(lambda: setattr(self.engine, "library", library))

    def session(self, name: str) -> Session:
        """The session with this name on this server, with its own layers, positions and calls."""
        return Session(name, self)

    @property
    def engine(self) -> Engine:
        """The engine. Tests use the methods of a session instead."""
        return self._server_running().engine

    def run(self, function: Callable[[], _T]) -> _T:
        """Run a function in the server's thread, between two requests, and return its result."""
        __tracebackhide__ = True  # pytest shows the line of the test that called
        self._server_running()
        if threading.current_thread() is self._thread:
            return function()
        # A queue of one result, because a Future's condition costs several locks.
        results: SimpleQueue[tuple[_T, None] | tuple[None, BaseException]] = SimpleQueue()

        def do() -> None:
            try:
                results.put((function(), None))
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                results.put((None, error))

        assert self._loop is not None
        # One turn later, so that earlier events of sockets come first: for
        # example, that a client closed.
        self._loop.call_soon_threadsafe(self._loop.call_soon, do)
        result = results.get()
        if result[1] is not None:
            raise result[1]
        return result[0]

    def run_coroutine(self, coroutine: Awaitable[_T]) -> _T:
        """Run a coroutine in an event loop and a thread of its own, and return its result.

        The server calls this for the `async` function of a rule, and answers no
        other call until it returns.
        """

        async def run() -> _T:
            return await coroutine

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result()

    @contextmanager
    def watch(self, rule: str) -> Iterator[None]:
        """Log a warning that names a rule if its function has not returned after two seconds.

        A function that calls its own server never returns, and all other calls wait for it.
        """
        timer = threading.Timer(
            _SLOW, logging.getLogger("bedtape").warning, (_SLOW_FUNCTION, rule, _SLOW)
        )
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def start(self) -> Self:
        """Start the server and return when it accepts connections."""
        if self._running is not None:
            raise RuntimeError(
                "expected a Replayer that is not running, found one that runs; create another one"
            )
        engine = Engine(
            self._load(),
            strict=self._strict,
            overlay=self._read_overlay().with_ids(self._ids).with_features(self._features),
            history_limit=self._history,
            checks=self._checks,
            defaults=self._defaults,
        )
        engine.control = Gate(engine, address=self._address[0])
        engine.elsewhere = OtherFolders(self._find_other_folders, self._match)
        certificates = (
            open_certificates(os.environ, self._address[0])
            if self._tls is True
            else self._tls or None
        )
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bedtape", daemon=True)
        self._thread.start()
        admission = Admission.at(self._address[0])
        server = Server(
            engine,
            admission=admission,
            speed=self._speed,
            observer=self._observer,
            certificates=certificates,
            intercept=self._intercept,
        )
        try:
            self._await(server.start(*self._address))
        except BaseException:
            self._end_thread()
            raise
        self._running = server
        return self

    def stop(self) -> None:
        """Stop the server, if it runs."""
        server, self._running = self._running, None
        if server is not None:
            self._await(server.stop(_GRACE))
            self._end_thread()

    def _load(self) -> Library:
        folders = self._find_folders()
        if not folders:
            return Library((), self._match)
        return load(folders, rules=self._match, cache=cache_folder(os.environ))

    def _find_folders(self) -> list[Path]:
        if isinstance(self._cassettes, str | Path):
            return [Path(self._cassettes)]
        return (
            find_folders()
            if self._cassettes is None
            else [Path(folder) for folder in self._cassettes]
        )

    def _find_other_folders(self) -> list[Path]:
        return find_other_folders(self._find_folders())

    def _read_overlay(self) -> Overlay:
        if self._overlay is None:
            return NOTHING
        if isinstance(self._overlay, str | Path):
            return read_overlay(Path(self._overlay))
        return parse_overlay(dict(self._overlay), "file-")

    def _server_running(self) -> Server:
        if self._running is None:
            raise RuntimeError(
                "this Replayer is not running; use it in a `with` block, or call start()"
            )
        return self._running

    def _await(self, coroutine: Coroutine[None, None, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end_thread(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._await(end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.to_thread(self.stop)
