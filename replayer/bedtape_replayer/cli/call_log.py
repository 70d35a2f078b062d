"""The log that `bedtape replay` writes to stderr: a line for each call, as text or as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from threading import Lock

import orjson

from bedtape_cassettes.cli.errors import report
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.scrub import scrub_path, scrub_text
from bedtape_cassettes.text import escape_controls
from bedtape_replayer.answering.answer import PROBLEMS, Outcome, Source
from bedtape_replayer.history.json_safe import make_json_safe


class LogLevel(StrEnum):
    """The lines on stderr: all calls (`info`), problems (`warning`), or errors (`error`)."""

    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(StrEnum):
    """The form of the lines: for people, or a JSON object in each line."""

    text = "text"
    json = "json"


class CallLog:
    """Writes a line for each call to stderr: at once to a terminal, otherwise in batches, because
    a line costs as much as an answer.

    `add` is called in the thread of the server's loop, the other methods in any thread.
    """

    def __init__(self, level: LogLevel, form: LogFormat = LogFormat.text) -> None:
        self._level = level
        self._is_json = form is LogFormat.json
        self._at_once = sys.stderr.isatty()
        self._waiting: deque[Outcome] = deque()
        self._is_scheduled = False
        self._lock = Lock()

    def add(self, outcome: Outcome) -> None:
        """Write a call, if it is not below the level."""
        if outcome.sample.source == "control":
            return
        if self._level is not LogLevel.info and not _is_wrong(outcome):
            return
        self._waiting.append(outcome)
        if self._at_once:
            self.flush()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(_BATCH_SECONDS, self.flush)

    def inform(self, message: str) -> None:
        """Write a message, at the level `info`."""
        if self._level is LogLevel.info:
            self._write(LogLevel.info, message)

    def report(self, message: object) -> None:
        """Write a problem, at every level."""
        self._write(LogLevel.warning, message)

    def _write(self, level: LogLevel, message: object) -> None:
        with self._lock:
            self._write_lines()
            if not self._is_json:
                report(message)
                return
            now = _format_time(time.time())
            line = {"time": now, "level": level.value, "message": str(message)}
            sys.stderr.write(f"{_dump(line)}\n")
            sys.stderr.flush()

    def flush(self) -> None:
        """Write the lines of the calls that wait."""
        self._is_scheduled = False
        with self._lock:
            self._write_lines()

    def _write_lines(self) -> None:
        """Write the lines of the calls that wait. The lock is held, because other threads write."""
        lines = []
        while self._waiting:
            outcome = self._waiting.popleft()
            lines.append(render_json(outcome) if self._is_json else _line(outcome))
        if lines:
            sys.stderr.write("\n".join(lines) + "\n")
            sys.stderr.flush()


def _is_wrong(outcome: Outcome) -> bool:
    """Return whether the call is a problem."""
    return outcome.sample.source in PROBLEMS or outcome.sample.miss is not None


# The log of a process that is killed lacks the calls of this time.
_BATCH_SECONDS = 0.05


# The word before the name of the layer that answered. A recording is shown by its file name alone.
_BY = {
    "rule": "rule ",
    "default": "default ",
    "fault": "fault ",
    "miss": "MISS",
    "validation": "refused as Bedrock would",
    "simulation": "simulated",
    "overlay": "OVERLAY ",
    "upstream": "from ",
}


def _line(outcome: Outcome) -> str:
    """`ConverseStream  us.amazon.nova-lite-v1:0  200  weather/0002-….yaml  1.2 ms`."""
    answer = outcome.sample
    call = answer.call
    described = _describe(
        call.method,
        call.path,
        call.model,
        answer.reply.status,
        answer.source,
        answer.by,
        answer.faults,
    )
    line = f"{described}  {outcome.seconds * 1000:.1f} ms"
    if call.session != "default":
        line += f"  session {escape_controls(scrub_text(call.session))}"
    if call.namespace:
        line += f"  namespace {call.namespace}"
    if not outcome.complete:
        line += "  client hung up"
    return f"{line}\n{_indent(str(answer.miss))}" if answer.miss else line


def _find_target(method: str, path: str, model: str | None) -> tuple[str, str | None]:
    """Return the operation, or method and path, and the model, without secrets."""
    target = identify(method, scrub_path(path))
    return target.name or f"{method} {target.path}", target.model or (model and scrub_text(model))


@lru_cache(maxsize=1024)
def _describe(
    method: str,
    path: str,
    model: str | None,
    status: int,
    source: Source,
    by: str | None,
    faults: tuple[str, ...],
) -> str:
    """Formats the part of a line that is the same for equal calls."""
    operation, shown = _find_target(method, path, model)
    layer = _BY.get(source, "") + (by or "")
    layers = " + ".join((layer, *faults)) if source != "fault" else layer
    return escape_controls("  ".join((operation, shown or "-", str(status), layers)))


def _indent(text: str) -> str:
    return "\n".join("  " + escape_controls(line) for line in text.splitlines())


def render_json(outcome: Outcome) -> str:
    """Return the call as one line of JSON, with the facts of the line for people."""
    answer = outcome.sample
    call = answer.call
    stable = _describe_json(
        *(_is_wrong(outcome), call.namespace, call.session, call.method, call.path, call.model),
        *(answer.reply.status if outcome.started else None, answer.source),
        *(answer.by, answer.faults, outcome.complete),
    )
    ended = _format_time(outcome.began + outcome.seconds)
    line = (
        f'{{"time":"{ended}","call":{outcome.call_number},"seconds":{outcome.seconds:.6f},{stable}'
    )
    return f'{line},"miss":{_dump(str(answer.miss))}}}' if answer.miss else f"{line}}}"


@lru_cache(maxsize=1024)
def _describe_json(
    wrong: bool,
    namespace: str,
    session: str,
    method: str,
    path: str,
    model: str | None,
    status: int | None,
    source: Source,
    by: str | None,
    faults: tuple[str, ...],
    complete: bool,
) -> str:
    """Return the members of a line that are the same for equal calls."""
    operation, shown = _find_target(method, path, model)
    members = {
        "level": LogLevel.warning.value if wrong else LogLevel.info.value,
        **({"namespace": namespace} if namespace else {}),
        "session": scrub_text(session),
        "operation": operation,
        "model": shown,
        "status": status,
        "source": source,
        "by": by,
        "faults": faults,
        "complete": complete,
    }
    return _dump(members)[1:-1]


def _format_time(seconds: float) -> str:
    """Return a time in the form of RFC 3339, of which each second is formatted once."""
    milliseconds = int(seconds * 1000)
    return f"{_format_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=4)
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _dump(value: object) -> str:
    """Return the value in one line of ASCII, because other characters can end or hide lines."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # half of a surrogate pair
        return json.dumps(make_json_safe(value))
    return text if text.isascii() and text.isprintable() else json.dumps(value)
