"""Serves what `bedtape replay` has loaded, until a signal comes."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from bedtape_cassettes.admission import Admission
from bedtape_cassettes.cli import processes
from bedtape_cassettes.cli.errors import exit_on_error, fail
from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import CallLog
from bedtape_replayer.cli.recordings import Service, Source, describe
from bedtape_replayer.server.loading import prepare_checks
from bedtape_replayer.server.monitoring.exporter_log import ExporterLog
from bedtape_replayer.server.monitoring.metrics import (
    Measure,
    Metrics,
    list_process_measures,
    list_refusals,
    merge_namespaces,
    read_measures,
    render,
)
from bedtape_replayer.server.server import Observer, Server, end_tasks
from bedtape_replayer.server.tls_contexts import Certificates

if TYPE_CHECKING:
    from bedtape_replayer.server.monitoring.spans import CallSpans


@dataclass(frozen=True)
class Serving:
    """What is served, where, and how it ends.

    own: what serves all requests; with `teams`, the requests without a token. port: 0 for any that
    is free. speed: a multiple of the recorded pace; `None` for as fast as possible. grace, drain:
    seconds, see `Server.stop`. observers: are called after each call. traces: whether each call is
    a span of OpenTelemetry. certificates: `None` for clear text alone.
    """

    own: Service
    teams: Sequence[Service]
    host: str
    port: int
    admission: Admission
    speed: float | None
    grace: float
    drain: float
    log: CallLog
    observers: Sequence[Observer]
    traces: bool
    certificates: Certificates | None

    async def run(self) -> None:
        """Serve until a signal comes. Ends the command with exit code 2 if it cannot listen."""
        engine, log = self.own.namespace.engine, self.log
        served = [*self.teams] or [self.own]
        spans = self._open_spans() if self.traces else None
        server = Server(
            engine,
            admission=self.admission,
            speed=self.speed,
            complain=log.report,
            certificates=self.certificates,
            state=self.own.namespace.state,
            teams=[each.namespace for each in self.teams],
        )
        observers = (self._measure(server), *self.observers)
        server.observer = _join((*observers, spans.add) if spans is not None else observers)
        stopping = _stop_on_signals()
        try:
            with exit_on_error():
                await server.start(self.host, self.port)
        except OSError as error:
            _fail_to_listen(self.host, self.port, error)
        _print_address(self.host, server.port, tls=self.certificates is not None)
        for each in served:
            log.inform(describe(each))
        sources = {id(each.source): each.source for each in served}
        tasks = [self._follow(source, served) for source in sources.values()]
        if engine.checks_requests:
            tasks.append(prepare_checks())
        running = [asyncio.create_task(each) for each in tasks]
        await stopping.wait()
        for task in running:
            task.cancel()
        await server.stop(self.grace, drain=self.drain)
        if spans is not None:
            await asyncio.to_thread(spans.stop)
        await end_tasks()
        log.flush()

    def _measure(self, server: Server) -> Observer:
        """Give each namespace its metrics, and the server those of all. Return what counts a call.

        With the token of a namespace, clients read the metrics of this namespace and the process.
        """
        process = [*list_process_measures()]
        own = [*process, *list_refusals(server.refusals)]
        metrics: dict[str, Metrics] = {}
        for each in self.teams or [self.own]:
            engine, state = each.namespace.engine, each.namespace.state
            measures = [*(state.list_measures() if state is not None else ())]
            measures += each.source.list_measures()
            metrics[engine.namespace] = Metrics(engine, measures)
            engine.render_metrics = partial(_render_metrics, process, metrics[engine.namespace])
        all_metrics = metrics if self.teams else metrics[self.own.namespace.engine.namespace]
        self.own.namespace.engine.render_metrics = partial(_render_metrics, own, all_metrics)

        def count(outcome: Outcome) -> None:
            if (counting := metrics.get(outcome.sample.call.namespace)) is not None:
                counting.count(outcome)

        return count

    def _follow(self, source: Source, served: Sequence[Service]) -> Coroutine[Any, Any, None]:
        """Let what plays the source play its changes."""
        using, log = [each for each in served if each.source is source], self.log

        def replace_library(library: Library) -> None:
            for each in using:
                each.namespace.engine.library = library
                log.inform(f"cassettes changed: {describe(each)}")

        def report_failure(error: CassetteError) -> None:
            log.report(f"cassettes changed, and cannot be read; the old ones stay\n{error}")

        return source.follow(replace_library, report_failure, log.report)

    def _open_spans(self) -> CallSpans:
        with ExporterLog(self.log.report):
            from bedtape_replayer.server.monitoring.spans import CallSpans

        with exit_on_error():
            return CallSpans(self.log.report)


def _render_metrics(measures: Sequence[Measure], metrics: Metrics | Mapping[str, Metrics]) -> str:
    """Return the text of all metrics. measures: of the process. metrics: of one engine, or of all
    namespaces by name.
    """
    served = metrics.list_families() if isinstance(metrics, Metrics) else merge_namespaces(metrics)
    return render((*read_measures(measures), *served))


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
