"""What users take out is in no byte of a journal, whatever it came in; and the journal says the record mode."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.format import eventstream, journal
from bedtape_cassettes.format.eventstream import HeaderType, HeaderValue
from bedtape_cassettes.model import Headers, event_headers
from bedtape_cassettes.redaction.scrub import REDACTED, Redaction
from bedtape_recorder.redacting import RedactingCapture
from support.capturing import JSON, SSE, STREAM, cut
from support.recordings import path

WORD = "Falcon"
MINE = Redaction((re.compile(WORD),))


def journalled(
    response: bytes, headers: Headers = JSON, *, redaction: Redaction = MINE, error: str | None = None
) -> tuple[bytes, list[journal.Record]]:
    """The journal's bytes, and its records, of an exchange in which every text says the word."""
    written = bytearray()
    capture = RedactingCapture(written.extend, lambda: 1.0, name=None, exact=True, mode="new", redaction=redaction)
    sent = (("x-about", WORD), *JSON)
    number = capture.sent(f"test-{WORD}", "POST", path(model=f"{WORD}.one"), sent, json.dumps({"a": WORD}).encode())
    capture.head(number, 200, (*headers, ("x-about", WORD)))
    for piece in cut(response, range(0, len(response), 7)):
        capture.chunk(number, piece)
    capture.end(number, error)
    return bytes(written), list(journal.read(bytes(written), "x"))


def body(records: list[journal.Record]) -> bytes:
    return b"".join(record.data for record in records if isinstance(record, journal.Chunk))


def event(name: str, payload: object) -> bytes:
    return eventstream.encode_strings(event_headers(name), json.dumps(payload).encode())


def sealed(payload: object) -> str:
    return b64encode(json.dumps(payload).encode()).decode()


RESPONSES: dict[str, tuple[bytes, Headers]] = {
    "JSON": (json.dumps({"output": f"the {WORD} flies"}).encode(), JSON),
    "text": (f"the {WORD} flies".encode(), (("Content-Type", "text/plain"),)),
    "a stream": (event("contentBlockDelta", {"delta": {"text": WORD}}) + event("messageStop", {}), STREAM),
    "a stream of chunks": (event("chunk", {"bytes": sealed({"text": WORD, "n": 1})}), STREAM),
    "a broken stream": (event("chunk", {"text": WORD}) + f"the {WORD} breaks".encode(), STREAM),
    "a frame's header": (
        eventstream.encode(eventstream.Frame(((":about", HeaderValue(HeaderType.STRING, WORD)),), b"{}")),
        STREAM,
    ),
    "server-sent events": (f'data: {{"text":"{WORD}"}}\n\ndata: [DONE]\n\n'.encode(), SSE),
}


@pytest.mark.parametrize(("response", "headers"), RESPONSES.values(), ids=RESPONSES)
def test_no_byte_says_the_word(response: bytes, headers: Headers) -> None:
    written, records = journalled(response, headers)
    assert WORD.encode() not in written
    assert b64encode(WORD.encode())[:6] not in written
    assert written.count(REDACTED.encode()) >= 5  # the request says it in four places, the head in one
    assert [type(record) for record in records][:3] == [journal.Opened, journal.Sent, journal.Head]
    unredacted, _ = journalled(response, headers, redaction=Redaction())
    assert unredacted.count(WORD.encode()) >= 5


def test_events_stay_events_for_botocore() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(body(journalled(RESPONSES["a stream"][0], STREAM)[1]))
    events: list[Any] = list(buffer)
    assert [json.loads(event.payload) for event in events] == [{"delta": {"text": REDACTED}}, {}]
    assert [event.headers[":event-type"] for event in events] == ["contentBlockDelta", "messageStop"]


def test_why_an_exchange_ended_is_redacted_too() -> None:
    written, records = journalled(b"{}", error=f"no route to {WORD}")
    assert WORD.encode() not in written
    assert isinstance(records[-1], journal.End)
    assert records[-1].error == f"no route to {REDACTED}"


@pytest.mark.parametrize("redaction", [Redaction(), MINE])
def test_the_journal_says_the_record_mode(redaction: Redaction) -> None:
    assert journalled(b"{}", redaction=redaction)[1][0] == journal.Opened(journal.VERSION, None, True, "new")
