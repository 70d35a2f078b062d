"""What OpenTelemetry's packages log, for the log of bedtape.

They log when they are imported, when they read their variables, and from the thread that sends
spans. This module imports none of them, so that it can be used before they are imported.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from typing import Final, Self

from bedtape_cassettes.redaction.kinds import REDACTED
from bedtape_cassettes.redaction.scrub import scrub_text

_LOG: Final = logging.getLogger("opentelemetry")
# Without a handler, Python writes to stderr, also when the exporter goes on after the end.
_LOG.addHandler(logging.NullHandler())
_HEADERS: Final = re.compile(r"OTEL_EXPORTER_OTLP_(?:TRACES_)?HEADERS")
# Less is no credential, and can be a part of a word.
_SHORTEST_HEADER: Final = 4


class ExporterLog(logging.Handler):
    """Passes warnings and errors of OpenTelemetry on, between `open` and `close`.

    report: gets one line for each, without a traceback and without secrets, in any thread.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def open(self) -> None:
        """Begin to pass lines on."""
        _LOG.addHandler(self)

    def close(self) -> None:
        """Pass no more lines on."""
        _LOG.removeHandler(self)
        super().close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        self.report(message if error is None else f"{message} ({show_error(error)})")

    def report(self, message: str) -> None:
        """Pass a message on."""
        self._report(f"OpenTelemetry: {_hide_headers(message)}")


def show_error(error: BaseException) -> str:
    """Return the class and the message of an error as one line without secrets."""
    name, message = type(error).__name__, str(error)
    return _hide_headers(f"{name}: {message}" if message else name)


def _hide_headers(text: str) -> str:
    """Return one line without the headers for the collector, which contain its credentials."""
    values = [value for name, value in os.environ.items() if _HEADERS.fullmatch(name)]
    for value in (*values, *(part.strip() for each in values for part in each.split(","))):
        if len(value) >= _SHORTEST_HEADER:
            text = text.replace(value, REDACTED)
    return " ".join(scrub_text(text).split())
