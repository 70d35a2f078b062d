"""The log of calls that `bedtape replay` writes to stderr."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from functools import lru_cache

from bedtape_cassettes.cli.errors import report
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.scrub import scrub_path, scrub_text
from bedtape_cassettes.text import escape_controls
from bedtape_replayer.answering.answer import Source
from bedtape_replayer.server.server import Outcome


class LogLevel(StrEnum):
    """The lines on stderr: all calls (`info`), problems (`warning`), or errors (`error`)."""

    info = "info"
    warning = "warning"
    error = "error"


def log(line: str, level: LogLevel) -> None:
    if level is LogLevel.info:
        report(line)


class CallLog:
    """Writes a line for each call to stderr: at once to a terminal, otherwise in batches, because a
    write costs as much as an answer.
    """

    def __init__(self, level: LogLevel) -> None:
        self._level = level
        self._at_once = sys.stderr.isatty()
        self._lines: list[str] = []

    def add(self, outcome: Outcome) -> None:
        source = outcome.answer.source
        wrong = source in ("miss", "overlay") or outcome.answer.miss is not None
        if source == "control" or (self._level is not LogLevel.info and not wrong):
            return
        self._lines.append(_line(outcome))
        if self._at_once:
            self.flush()
        elif len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_BATCH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._lines:
            sys.stderr.write("\n".join(self._lines) + "\n")
            sys.stderr.flush()
            self._lines.clear()


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
    answer = outcome.answer
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
    if not outcome.complete:
        line += "  client hung up"
    return f"{line}\n{_indent(str(answer.miss))}" if answer.miss else line


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
    target = identify(method, scrub_path(path))
    shown = target.model or (model and scrub_text(model)) or "-"
    layer = _BY.get(source, "") + (by or "")
    layers = " + ".join((layer, *faults)) if source != "fault" else layer
    return escape_controls(
        "  ".join((target.name or f"{method} {target.path}", shown, str(status), layers))
    )


def _indent(text: str) -> str:
    return "\n".join("  " + escape_controls(line) for line in text.splitlines())
