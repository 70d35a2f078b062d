"""A capture whose journal says the record mode, and holds nothing of what the user's own patterns match. Sans-io.

Other secrets are gone when a record comes here, and it holds whole events or a whole body: none of it waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bedtape_cassettes.format import eventstream, journal
from bedtape_cassettes.format.eventstream import HeaderValue
from bedtape_cassettes.redaction.scrub import Redaction, scrub_body, scrub_headers, scrub_path, scrub_text
from bedtape_recorder.capture import Capture

__all__ = ["RedactingCapture"]


class RedactingCapture(Capture):
    """As `Capture`. mode: the record mode, for whoever recovers; redaction: what to take out besides secrets."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        clock: Callable[[], float],
        *,
        name: str | None,
        exact: bool,
        mode: str | None,
        redaction: Redaction,
    ) -> None:
        self._mode = mode
        self._redaction = redaction
        super().__init__(write, clock, name=name, exact=exact)

    def _append(self, record: journal.Record) -> None:
        if isinstance(record, journal.Opened):
            record = replace(record, mode=self._mode)
        super()._append(_redacted(record, self._redaction) if self._redaction.patterns else record)


def _redacted(record: journal.Record, redaction: Redaction) -> journal.Record:
    match record:
        case journal.Sent():
            return replace(
                record,
                session=scrub_text(record.session, redaction),
                path=scrub_path(record.path, redaction),
                headers=scrub_headers(record.headers, redaction),
                body=scrub_body(record.body, redaction),
            )
        case journal.Head():
            return replace(record, headers=scrub_headers(record.headers, redaction))
        case journal.Chunk():
            return replace(record, data=_redacted_data(record.data, redaction))
        case journal.End(error=str() as error):
            return replace(record, error=scrub_text(error, redaction))
    return record


def _redacted_data(data: bytes, redaction: Redaction) -> bytes:
    try:
        frames = eventstream.decode_all(data)
    except eventstream.FrameError:  # a body, or server-sent events
        return scrub_body(data, redaction)
    return b"".join(_redacted_frame(frame, redaction) for frame in frames)


def _redacted_frame(frame: eventstream.Frame, redaction: Redaction) -> bytes:
    headers = tuple((name, _redacted_value(value, redaction)) for name, value in frame.headers)
    return eventstream.encode(replace(frame, headers=headers, payload=scrub_body(frame.payload, redaction)))


def _redacted_value(header: HeaderValue, redaction: Redaction) -> HeaderValue:
    return replace(header, value=scrub_text(header.value, redaction)) if isinstance(header.value, str) else header
