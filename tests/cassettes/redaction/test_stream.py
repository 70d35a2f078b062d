"""Scrubbers by themselves: without secrets they change no byte, however a body is cut, and they
hold as little as can be.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue
from bedtape_cassettes.redaction.stream import scrubber_for
from support import interactions as some
from support.capturing import cut
from support.corpus import every, needs_corpus
from support.examples import examples

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)
KINDS = [
    bodies.EVENT_STREAM,
    bodies.SERVER_SENT,
    "application/json",
    "",
    "text/plain; charset=utf-8",
]
places = st.lists(st.integers(0, 300), max_size=6)
anything = st.one_of(some.body_bytes, some.stream_bytes, some.padded_stream_bytes, some.sse_bytes)


def scrubbed(
    kind: str, pieces: list[bytes], length: str | None = None, *, broken: bool = False
) -> bytes:
    scrubber = scrubber_for(kind, length)
    return b"".join(map(scrubber.feed, pieces)) + scrubber.close(cut=broken)


@quick
@given(anything, st.sampled_from(KINDS), places, st.booleans())
def test_what_holds_no_secret_passes_as_it_came(
    data: bytes, kind: str, cuts: list[int], announced: bool
) -> None:
    length = str(len(data)) if announced else None
    passed = scrubbed(kind, cut(data, cuts), length)
    assert data.startswith(passed)
    if kind != bodies.EVENT_STREAM:
        assert passed == data


@quick
@given(some.stream_bytes, places)
def test_a_whole_event_stream_passes_whole(data: bytes, cuts: list[int]) -> None:
    assert scrubbed("Application/VND.amazon.eventstream; a=b", cut(data, cuts)) == data


def test_headers_of_every_type_pass() -> None:
    values = [
        HeaderValue(HeaderType.TRUE, True),
        HeaderValue(HeaderType.SHORT, -3),
        HeaderValue(HeaderType.BYTES, b"\xff"),
        HeaderValue(HeaderType.STRING, "é"),
        HeaderValue(HeaderType.TIMESTAMP, 1_700_000_000_000),
    ]
    data = eventstream.encode(
        Frame(tuple((f"h{n}", value) for n, value in enumerate(values)), b"\xff\xfe")
    )
    assert scrubbed(bodies.EVENT_STREAM, [data, data]) == data * 2


@pytest.mark.parametrize(
    ("kind", "data", "left"),
    [
        ("application/json", b'{"a": "several words', b'{"a": "several '),
        ("application/json", b'{"a": "b"}', b'{"a": "b"}'),
        ("application/json", b"AKIA", b""),
        (bodies.SERVER_SENT, b"data: 1\n\ndata: two three", b"data: 1\n\ndata: two "),
        (
            bodies.EVENT_STREAM,
            eventstream.encode(Frame((), b"ab")) + b"\0\0\0\x20rest",
            eventstream.encode(Frame((), b"ab")),
        ),
        (
            bodies.EVENT_STREAM,
            b"<html>this is no event stream</html> at all",
            b"<html>this is no event stream</html> at ",
        ),
    ],
)
def test_a_cut_body_loses_its_last_word_or_frame(kind: str, data: bytes, left: bytes) -> None:
    assert scrubbed(kind, [data], broken=True) == left


def test_what_only_calls_itself_an_event_stream_is_kept_whole() -> None:
    data = b'{"message": "this is no event stream"}' * 3
    assert scrubbed(bodies.EVENT_STREAM, [data[:20], data[20:]]) == data
    assert scrubbed(bodies.EVENT_STREAM, [b"\0" * 64]) == b""


def test_a_long_word_is_read_once() -> None:
    assert (
        scrubbed("text/plain", [b"A" * 400_000 + b" " + b"B" * 400_000], broken=True)
        == b"A" * 400_000 + b" "
    )


@pytest.mark.slow
@pytest.mark.corpus
@needs_corpus
def test_the_corpus_passes_as_it_came() -> None:
    for exchange in every():
        named = {name.lower(): value for name, value in exchange.response_headers}
        pieces = cut(exchange.response_body, range(0, len(exchange.response_body), 1000))
        passed = scrubbed(named.get("content-type", ""), pieces)
        assert len(passed) == len(exchange.response_body), exchange
