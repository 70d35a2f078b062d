"""The metrics of a server, in the text format of Prometheus.

A call costs one look-up and a few additions. Labels are words of bedtape and of AWS: clients choose
model ids and session names, so these are no labels. Source of the format: "Exposition formats" of
Prometheus, version 0.0.4.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal, TypeAlias

from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.api.route import VERSION
from bedtape_replayer.engine.engine import Engine

# The upper bounds of the buckets of durations, in seconds.
BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
# Rules choose statuses. Above this number of combinations, calls are counted as one operation.
_MOST_SERIES: Final = 1000
# The operation of a request that is none of AWS's, and the status of a call without an answer.
_OTHER: Final = "other"
_NO_STATUS: Final = "none"
_Key: TypeAlias = tuple[str, str, str]
_Sample: TypeAlias = tuple[str, Mapping[str, str], float]


@dataclass(slots=True)
class _Series:
    """The calls with one operation, status and source: seconds, and numbers by bucket."""

    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that is read when it is needed. kind: a counter does not fall."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[], float]


class Metrics:
    """Counts the calls of a server. measures: numbers besides those of its engine."""

    def __init__(self, engine: Engine, measures: Iterable[Measure] = ()) -> None:
        self._series: dict[_Key, _Series] = {}
        self._known: dict[tuple[object, int | None, str], _Series] = {}
        self._faults = self._incomplete = 0
        self._measures = (*self._list_measures(engine), *measures)
        self._library, self._loaded = engine.library, time.time()
        self._engine = engine

    def count(self, outcome: Outcome) -> None:
        """Count a call that is over. Requests to the control API are no calls."""
        answer = outcome.answer
        if answer.source == "control":
            return
        status = answer.reply.status if outcome.started else None
        key = (answer.call.operation, status, answer.source)
        series = self._known.get(key) or self._add(*key)
        series.seconds += outcome.seconds
        series.buckets[bisect_left(BOUNDS, outcome.seconds)] += 1
        if answer.faults or answer.source == "fault":
            self._faults += 1
        if not outcome.complete:
            self._incomplete += 1

    def _add(self, operation: str | None, status: int | None, source: str) -> _Series:
        shown = _NO_STATUS if status is None else str(status)
        if len(self._series) >= _MOST_SERIES:
            return self._series.setdefault((_OTHER, _NO_STATUS, source), _Series())
        series = self._series.setdefault((operation or _OTHER, shown, source), _Series())
        self._known[operation, status, source] = series
        return series

    def render(self) -> str:
        """Return all metrics."""
        lines = [
            *_render("bedtape_build_info", "gauge", "Version.", [("", {"version": VERSION}, 1)]),
            *_render("bedtape_calls_total", "counter", "Calls that are over.", self._count_calls()),
            *_render(
                "bedtape_call_duration_seconds",
                "histogram",
                "Time from the request to the end of the answer.",
                self._list_durations(),
            ),
        ]
        for each in self._measures:
            lines += _render(each.name, each.kind, each.help, [("", {}, each.read())])
        return "\n".join(lines) + "\n"

    def _count_calls(self) -> Iterator[_Sample]:
        for (operation, status, source), series in sorted(self._series.items()):
            labels = {"operation": operation, "status": status, "source": source}
            yield "", labels, sum(series.buckets)

    def _list_durations(self) -> Iterator[_Sample]:
        by_operation: dict[str, list[_Series]] = {}
        for (operation, _, _), series in sorted(self._series.items()):
            by_operation.setdefault(operation, []).append(series)
        for operation, all_series in by_operation.items():
            totals = map(sum, zip(*(each.buckets for each in all_series), strict=True))
            counts = list(accumulate(totals))
            for bound, count in zip((*map(repr, BOUNDS), "+Inf"), counts, strict=True):
                yield "_bucket", {"operation": operation, "le": bound}, count
            yield "_sum", {"operation": operation}, sum(each.seconds for each in all_series)
            yield "_count", {"operation": operation}, counts[-1]

    def _find_load_time(self) -> float:
        if self._engine.library is not self._library:
            self._library, self._loaded = self._engine.library, time.time()
        return self._loaded

    def _list_measures(self, engine: Engine) -> Iterator[Measure]:
        memory, sessions, started = engine.memory, engine.sessions, time.time()
        counters: Mapping[str, tuple[str, Callable[[], float]]] = {
            "faults": ("Calls that a fault changed.", lambda: self._faults),
            "incomplete_calls": ("Calls whose client left early.", lambda: self._incomplete),
            "dropped_sessions": ("Sessions that a limit dropped.", lambda: sessions.dropped),
            "forgotten_calls": ("Calls that histories have dropped.", lambda: memory.forgotten),
        }
        gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
            "sessions": ("Sessions.", lambda: len(list(sessions))),
            "memory_bytes": ("Bytes of histories, layers and caches.", lambda: memory.used),
            "memory_limit_bytes": ("Bytes above which calls are dropped.", lambda: memory.limit),
            "cassettes": ("Cassettes.", lambda: len(engine.library.cassettes)),
            "interactions": ("Recorded interactions.", lambda: len(engine.library)),
            "cassettes_loaded_timestamp_seconds": (
                "When cassettes were loaded.",
                self._find_load_time,
            ),
            "ready": ("1 if it is ready.", lambda: not engine.problems),
        }
        for name, (text, read) in counters.items():
            yield Measure(f"bedtape_{name}_total", "counter", text, read)
        for name, (text, read) in gauges.items():
            yield Measure(f"bedtape_{name}", "gauge", text, read)
        yield Measure("process_cpu_seconds_total", "counter", "CPU time.", time.process_time)
        start = "When the process started."
        yield Measure("process_start_time_seconds", "gauge", start, lambda: started)


def _render(name: str, kind: str, text: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        pairs = ",".join(f'{label}="{_escape(each)}"' for label, each in labels.items())
        yield f"{name}{suffix}{f'{{{pairs}}}' if pairs else ''} {float(value)!r}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
