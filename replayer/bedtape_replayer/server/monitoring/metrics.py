"""The metrics of a server, in the text format of Prometheus.

A call costs one look-up and a few additions. Labels are words of bedtape and of AWS, names of
namespaces and addresses of buckets: clients choose model ids and session names, so these are no
labels. Source of the format: "Exposition formats" of
Prometheus, version 0.0.4.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
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
Sample: TypeAlias = tuple[str, Mapping[str, str], float]
# The system's clock, in seconds since 1970, when the process imports the server.
_STARTED: Final = time.time()


@dataclass(slots=True)
class _Series:
    """The calls with one operation, status and source: seconds, and numbers by bucket."""

    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that is read when it is needed.

    kind: a counter does not fall. read: returns the number, in the unit that the name ends with.
    labels: tell apart measures with one name, whose kind and help are the same.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    read: Callable[[], float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """The samples of one name: the end of the name, the labels and the number of each."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


class Metrics:
    """Counts the calls of an engine. measures: numbers besides those of the engine."""

    def __init__(self, engine: Engine, measures: Iterable[Measure] = ()) -> None:
        self._series: dict[_Key, _Series] = {}
        self._known: dict[tuple[object, int | None, str], _Series] = {}
        self._faults = self._incomplete = 0
        self._measures = (*self._list_measures(engine), *measures)
        self._library, self._loaded = engine.library, time.time()
        self._engine = engine

    def count(self, outcome: Outcome) -> None:
        """Count a call that has ended. Requests to the control API are not counted."""
        answer = outcome.sample
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

    def list_families(self) -> Iterator[Family]:
        """Yield the metrics of the calls, of the engine, and of `measures`."""
        text = "Calls that have ended. Requests to the control API are not counted."
        yield Family("bedtape_calls_total", "counter", text, [*self._count_calls()])
        text = "Seconds from the request to the end of the answer."
        durations = [*self._list_durations()]
        yield Family("bedtape_call_duration_seconds", "histogram", text, durations)
        yield from read_measures(self._measures)

    def _count_calls(self) -> Iterator[Sample]:
        for (operation, status, source), series in sorted(self._series.items()):
            labels = {"operation": operation, "status": status, "source": source}
            yield "", labels, sum(series.buckets)

    def _list_durations(self) -> Iterator[Sample]:
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
        memory, sessions = engine.memory, engine.sessions
        counters: Mapping[str, tuple[str, Callable[[], float]]] = {
            "faults": ("Calls that a fault answered or changed.", lambda: self._faults),
            "incomplete_calls": (
                "Calls whose client left before the end of the answer.",
                lambda: self._incomplete,
            ),
            "dropped_sessions": (
                "Sessions that --memory, --idle or the limit of their number dropped.",
                lambda: sessions.dropped,
            ),
            "forgotten_calls": (
                "Calls that histories dropped because of a limit.",
                lambda: memory.forgotten,
            ),
        }
        gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
            "sessions": ("Names of sessions in this process.", lambda: len(list(sessions))),
            "memory_bytes": (
                "Estimated bytes of histories, rules, faults and caches.",
                lambda: memory.used,
            ),
            "memory_limit_bytes": (
                "Bytes of --memory, above which the oldest calls are dropped.",
                lambda: memory.limit,
            ),
            "cassettes": ("Cassettes that are played.", lambda: len(engine.library.cassettes)),
            "interactions": ("Recorded interactions that are played.", lambda: len(engine.library)),
            "cassettes_loaded_timestamp_seconds": (
                "Unix time at which the played cassettes were loaded, or first seen here.",
                self._find_load_time,
            ),
            "ready": (
                "1 if the last check found the server ready, 0 otherwise.",
                lambda: not engine.problems,
            ),
        }
        for name, (text, read) in counters.items():
            yield Measure(f"bedtape_{name}_total", "counter", text, read)
        for name, (text, read) in gauges.items():
            yield Measure(f"bedtape_{name}", "gauge", text, read)


def read_measures(measures: Iterable[Measure]) -> Iterator[Family]:
    """Yield a family for each name, with the numbers of now."""
    samples: dict[tuple[str, Literal["counter", "gauge"], str], list[Sample]] = {}
    for each in measures:
        family = samples.setdefault((each.name, each.kind, each.help), [])
        family.append(("", each.labels, each.read()))
    return (Family(*key, all_samples) for key, all_samples in samples.items())


def list_process_measures() -> Iterator[Measure]:
    """Yield the measures of the process, whatever it serves."""
    build = "Always 1. The label is the version of bedtape."
    yield Measure("bedtape_build_info", "gauge", build, lambda: 1, {"version": VERSION})
    text = "CPU time of the process, user and system, in seconds."
    yield Measure("process_cpu_seconds_total", "counter", text, time.process_time)
    text = "Unix time at which the process started, in seconds."
    yield Measure("process_start_time_seconds", "gauge", text, lambda: _STARTED)


def list_refusals(refusals: Mapping[str, int]) -> Iterator[Measure]:
    """Yield the measures of refused requests. refusals: the number for each reason, which grows."""
    for reason in refusals:
        yield Measure(
            "bedtape_refused_requests_total",
            "counter",
            "Requests with a wrong Host or Origin (sender), or no valid token of a namespace.",
            partial(refusals.__getitem__, reason),
            {"reason": reason},
        )


def merge_namespaces(namespaces: Mapping[str, Metrics]) -> Iterator[Family]:
    """Yield the metrics of all namespaces, whose name is a label. namespaces: by name."""
    merged: dict[str, Family] = {}
    for namespace, metrics in namespaces.items():
        for each in metrics.list_families():
            samples = [
                (suffix, {"namespace": namespace, **labels}, value)
                for suffix, labels, value in each.samples
            ]
            before = merged[each.name].samples if each.name in merged else ()
            merged[each.name] = replace(each, samples=(*before, *samples))
    return iter(merged.values())


def render(families: Iterable[Family]) -> str:
    """Return the text of the format. families: each name once."""
    return "".join(f"{line}\n" for each in families for line in _render_family(each))


def _render_family(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for suffix, labels, value in family.samples:
        pairs = ",".join(f'{label}="{_escape(each)}"' for label, each in labels.items())
        yield f"{family.name}{suffix}{f'{{{pairs}}}' if pairs else ''} {float(value)!r}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
