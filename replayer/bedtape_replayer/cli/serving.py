"""Serves what `bedtape replay` has loaded, until a signal comes."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bedtape_cassettes.admission import Admission
from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import CallLog
from bedtape_replayer.cli.recordings import Recordings
from bedtape_replayer.cli.shared_server import Mirror
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.loading import prepare_checks, watch
from bedtape_replayer.server.monitoring.metrics import Metrics
from bedtape_replayer.server.server import Observer, Server
from bedtape_replayer.server.tls_contexts import Certificates

if TYPE_CHECKING:
    from bedtape_replayer.server.monitoring.spans import CallSpans
    from bedtape_replayer.server.shared.state import SharedState


@dataclass(frozen=True)
class Serving:
    """What is served, where, and how it ends.

    seen: the cassettes' files when they were loaded. grace, drain: see `Server.stop`. observers:
    are called after each call. traces: whether each call is a span of OpenTelemetry.
    """

    engine: Engine
    host: str
    port: int
    admission: Admission
    recordings: Recordings
    seen: store.Fingerprint
    speed: float | None
    grace: float
    drain: float
    log: CallLog
    observers: Sequence[Observer]
    traces: bool
    certificates: Certificates | None
    state: SharedState | None
    mirror: Mirror | None

    async def run(self) -> None:
        """Serve until a signal comes."""
        engine, log, recordings = self.engine, self.log, self.recordings
        measures = [
            *(self.state.list_measures() if self.state is not None else ()),
            *(self.mirror.list_measures() if self.mirror is not None else ()),
        ]
        metrics = Metrics(engine, measures)
        spans = self._open_spans() if self.traces else None
        observers = (metrics.count, *self.observers, *([spans.add] if spans is not None else []))
        engine.render_metrics = metrics.render
        server = Server(
            engine,
            admission=self.admission,
            speed=self.speed,
            observer=_join(observers),
            complain=log.report,
            certificates=self.certificates,
            state=self.state,
        )
        stopping = _stop_on_signals()
        try:
            with exit_on_error():
                await server.start(self.host, self.port)
        except OSError as error:
            _fail_to_listen(self.host, self.port, error)
        _print_address(self.host, server.port, tls=self.certificates is not None)
        played = (*recordings.folders, *recordings.foreign)
        log.inform(_summarize(engine.library, played))

        def replace_library(library: Library) -> None:
            engine.library = library
            log.inform(f"cassettes changed: {_summarize(library, played)}")

        def report_failure(error: CassetteError) -> None:
            log.report(f"cassettes changed, and cannot be read; the old ones stay\n{error}")

        read = partial(recordings.load, log.report)
        tasks = [
            watch(
                recordings.watched,
                self.seen,
                read=read,
                changed=replace_library,
                failed=report_failure,
            )
        ]
        if self.mirror is not None:
            tasks.append(self.mirror.follow(log.report))
        if engine.checks_requests:
            tasks.append(prepare_checks())
        running = [asyncio.create_task(each) for each in tasks]
        await stopping.wait()
        for task in running:
            task.cancel()
        await server.stop(self.grace, drain=self.drain)
        if spans is not None:
            await asyncio.to_thread(spans.stop)
        log.flush()

    def _open_spans(self) -> CallSpans:
        from bedtape_replayer.server.monitoring.spans import CallSpans

        loop = asyncio.get_running_loop()

        def report(line: str) -> None:  # in the thread of the exporter
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(self.log.report, line)

        with exit_on_error():
            return CallSpans(report)


def _join(observers: Sequence[Observer]) -> Observer:
    """Return an observer that calls all."""

    def observe(outcome: Outcome) -> None:
        for each in observers:
            each(outcome)

    return observe if len(observers) > 1 else observers[0]


def _stop_on_signals() -> asyncio.Event:
    """The first signal ends the server in order. The second kills the process in any state."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for number in processes.ENDING:
            loop.remove_signal_handler(number)
        processes.die_at_next_signal()

    for number in processes.ENDING:
        loop.add_signal_handler(number, stop)
    return stopping


def _fail_to_listen(host: str, port: int, error: OSError) -> NoReturn:
    why = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    fail(
        f"cannot listen on {host} port {port}: {why}; choose another with --port, or 0 for any that"
        " is free"
    )


def _print_address(host: str, port: int, *, tls: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"bedtape: listening on http{'s' if tls else ''}://{shown}:{port}", flush=True)


def _summarize(library: Library, folders: Sequence[Path]) -> str:
    where = (
        "the shipped samples"
        if list(folders) == [store.samples()]
        else ", ".join(map(str, folders))
    )
    return (
        f"{format_count(len(library), 'interaction')} in"
        f" {format_count(len(library.cassettes), 'cassette')} from {where}"
    )
