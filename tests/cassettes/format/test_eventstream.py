"""The frame codec: against botocore's, against bytes written by hand from the
specification, and against lies.
"""

import struct
import uuid
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from random import Random
from zlib import crc32

import pytest
from botocore import eventstream as theirs
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import (
    MAX_HEADERS,
    MAX_PAYLOAD,
    Decoder,
    Frame,
    FrameError,
    HeaderType,
    HeaderValue,
    decode_all,
    encode,
    encode_all,
    encode_strings,
)
from support.examples import examples

quick = settings(derandomize=True, deadline=None, max_examples=examples(150))

INTEGERS = {HeaderType.BYTE: 7, HeaderType.SHORT: 15, HeaderType.INTEGER: 31, HeaderType.LONG: 63}


def values() -> st.SearchStrategy[HeaderValue]:
    whole = (
        st.integers(-(2**bits), 2**bits - 1).map(partial(HeaderValue, kind))
        for kind, bits in {**INTEGERS, HeaderType.TIMESTAMP: 63}.items()
    )
    return st.one_of(
        st.sampled_from([HeaderValue(HeaderType.TRUE, True), HeaderValue(HeaderType.FALSE, False)]),
        *whole,
        st.binary(max_size=40).map(lambda data: HeaderValue(HeaderType.BYTES, data)),
        st.text(st.characters(codec="utf-8"), max_size=40).map(
            lambda text: HeaderValue(HeaderType.STRING, text)
        ),
        st.uuids().map(lambda value: HeaderValue(HeaderType.UUID, value)),
    )


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
HEADERS = st.dictionaries(NAMES, values(), max_size=5).map(lambda headers: tuple(headers.items()))
FRAMES = st.builds(Frame, HEADERS, st.binary(max_size=100))


def cut(data: bytes, seed: int) -> list[bytes]:
    chance = Random(seed)
    marks = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(8))})
    return [data[start:end] for start, end in pairwise(marks)]


def fed(pieces: list[bytes]) -> list[Frame]:
    decoder = Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    assert decoder.rest == b""
    return frames


@quick
@given(st.lists(FRAMES, max_size=4), st.integers())
def test_what_is_written_is_read_back_however_it_is_split(frames: list[Frame], seed: int) -> None:
    data = encode_all(frames)
    assert decode_all(data) == frames
    assert fed([data]) == frames
    assert fed([data[n : n + 1] for n in range(len(data))]) == frames
    assert fed(cut(data, seed)) == frames


def botocore_reads(data: bytes) -> list[tuple[object, object]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(event.headers, event.payload) for event in buffer]


def as_botocore(value: HeaderValue) -> object:
    """Botocore gives timestamps as milliseconds, uuids as bytes."""
    return value.value.bytes if isinstance(value.value, uuid.UUID) else value.value


@quick
@given(st.lists(FRAMES, min_size=1, max_size=3))
def test_botocore_reads_what_is_written(frames: list[Frame]) -> None:
    assert botocore_reads(encode_all(frames)) == [
        ({name: as_botocore(value) for name, value in f.headers}, f.payload) for f in frames
    ]


# The value bytes of each header type, written by hand from "Amazon Event Stream Specification".
MOMENT = int(datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp() * 1000)
BY_HAND = [
    (b"\x00", HeaderType.TRUE, True),
    (b"\x01", HeaderType.FALSE, False),
    (b"\x02\xcf", HeaderType.BYTE, -49),
    (b"\x03\x01\x00", HeaderType.SHORT, 256),
    (b"\x04\x00\x00\xa0\x0c", HeaderType.INTEGER, 40972),
    (b"\x05\xff\xff\xff\xff\xff\xff\xff\xfe", HeaderType.LONG, -2),
    (b"\x06\x00\x03\x00\xff\x80", HeaderType.BYTES, b"\x00\xff\x80"),
    (b"\x07\x00\x03\xe6\xbc\xa2", HeaderType.STRING, "漢"),
    (b"\x08\x00\x00\x01\x8c\xc8 \xdb.", HeaderType.TIMESTAMP, MOMENT),
    (b"\x09" + bytes(range(16)), HeaderType.UUID, uuid.UUID(bytes=bytes(range(16)))),
]


def by_hand(
    headers: bytes, payload: bytes, total: int | None = None, length: int | None = None
) -> bytes:
    """A frame with right checksums, whatever its lengths and headers say."""
    lengths = struct.pack(
        ">II",
        len(headers) + len(payload) + 16 if total is None else total,
        len(headers) if length is None else length,
    )
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return message + struct.pack(">I", crc32(message))


@pytest.mark.parametrize(
    ("value", "kind", "meaning"), BY_HAND, ids=[kind.name for _, kind, _ in BY_HAND]
)
def test_the_specification_both_ways(value: bytes, kind: HeaderType, meaning: object) -> None:
    frame = Frame((("name", HeaderValue(kind, meaning)),), b"{}")  # type: ignore[arg-type]
    data = by_hand(b"\x04name" + value, b"{}")
    assert decode_all(data) == [frame]
    assert encode(frame) == data


def test_a_frame_without_headers_and_payload_is_the_shortest_there_is() -> None:
    """The example of the specification, in its bytes."""
    empty = bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff")
    assert encode(Frame((), b"")) == empty
    assert decode_all(empty) == [Frame((), b"")]


ALL_TYPES = tuple((f"h{kind}", HeaderValue(kind, meaning)) for _, kind, meaning in BY_HAND)  # type: ignore[arg-type]
WHOLE = encode(Frame(ALL_TYPES, b'{"a":1}'))


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_noticed(flip: int) -> None:
    for at in range(len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[at] ^= flip
        with pytest.raises(FrameError, match="byte 0"):
            decode_all(bytes(changed))


def test_every_truncation_is_noticed() -> None:
    for length in range(1, len(WHOLE)):
        with pytest.raises(FrameError, match=f"{length} bytes after the last whole"):
            decode_all(WHOLE[:length])
        assert Decoder().feed(WHOLE[:length]) == []


def test_a_message_says_where_in_the_stream_it_is() -> None:
    with pytest.raises(FrameError, match=f"frame at byte {2 * len(WHOLE)}: the prelude"):
        decode_all(WHOLE + WHOLE + b"\0" * 16)


def test_a_feed_that_fails_loses_no_byte() -> None:
    """A recorder keeps what was not returned as it came."""
    decoder = Decoder()
    assert decoder.feed(WHOLE + WHOLE[:5]) == decode_all(WHOLE)
    broken = WHOLE[5:] + WHOLE + b"garbage, and long enough"
    for more in (broken, b"", b"more"):
        with pytest.raises(FrameError, match=f"byte {3 * len(WHOLE)}"):
            decoder.feed(more)
    assert decoder.rest == WHOLE[:5] + broken + b"more"


@pytest.mark.parametrize(
    ("total", "length"),
    [
        (15, 0),
        (0, 0),
        (20, 5),
        (2**32 - 1, 0),
        (MAX_HEADERS + 17, MAX_HEADERS + 1),
        (MAX_PAYLOAD + 17, 0),
        (100, 2**32 - 1),
    ],
)
def test_lengths_that_lie_are_noticed_before_the_frame_is_awaited(total: int, length: int) -> None:
    data = by_hand(b"", b"", total, length)
    with pytest.raises(FrameError, match="cannot be"):
        Decoder().feed(data[:12])


HEADERS_THAT_LIE = {
    "an empty name": b"\x00\x00",
    "a name past the end": b"\x09name\x00",
    "a value that is missing": b"\x04name",
    "an unknown type": b"\x04name\x0a",
    "a string past the end": b"\x04name\x07\x00\x09abc",
    "a string without its length": b"\x04name\x07\x00",
    "a number past the end": b"\x04name\x05\x00\x00",
    "a uuid past the end": b"\x04name\x09\x00\x00",
    "a string that is not UTF-8": b"\x04name\x07\x00\x01\xff",
    "a name that is not UTF-8": b"\x01\xff\x00",
    "a name that stands twice": b"\x01a\x00\x01a\x01",
}


@pytest.mark.parametrize("headers", HEADERS_THAT_LIE.values(), ids=HEADERS_THAT_LIE)
def test_headers_that_lie_are_refused_though_every_checksum_is_right(headers: bytes) -> None:
    with pytest.raises(FrameError, match="a header cannot be read"):
        decode_all(by_hand(headers, b"{}"))


@quick
@given(st.binary(max_size=80), st.binary(max_size=20))
def test_random_headers_raise_nothing_but_frame_errors(headers: bytes, payload: bytes) -> None:
    try:
        frames = decode_all(by_hand(headers, payload))
    except FrameError:
        return
    assert [frame.payload for frame in frames] == [payload]


@quick
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_frame_errors(data: bytes) -> None:
    try:
        frames = decode_all(data)
    except FrameError:
        return
    assert encode_all(frames) == data


CANNOT_BE_WRITTEN = {
    "no name": ("", HeaderValue(HeaderType.STRING, "a"), "1 to 255"),
    "too long a name": ("é" * 128, HeaderValue(HeaderType.STRING, "a"), "1 to 255"),
    "half a character in a name": ("\ud83d", HeaderValue(HeaderType.STRING, "a"), "surrogates"),
    "too long a string": (
        "a",
        HeaderValue(HeaderType.STRING, "é" * 16384),
        "32768 bytes is too long",
    ),
    "too many bytes": ("a", HeaderValue(HeaderType.BYTES, b"a" * 32768), "32768 bytes is too long"),
    "half a character": ("a", HeaderValue(HeaderType.STRING, "\ud83d"), "surrogates"),
    "a string of bytes": ("a", HeaderValue(HeaderType.STRING, b"\xff"), "STRING cannot hold"),
    "a number in a string": ("a", HeaderValue(HeaderType.STRING, 1), "STRING cannot hold"),
    "text in a number": ("a", HeaderValue(HeaderType.INTEGER, "1"), "INTEGER cannot hold"),
    "a flag in a number": ("a", HeaderValue(HeaderType.BYTE, True), "BYTE cannot hold"),
    "the other flag": ("a", HeaderValue(HeaderType.TRUE, False), "TRUE cannot hold"),
    "a text as uuid": (
        "a",
        HeaderValue(HeaderType.UUID, str(uuid.UUID(int=1))),
        "UUID cannot hold",
    ),
    "too large a byte": ("a", HeaderValue(HeaderType.BYTE, 128), "format requires"),
    "too large a long": ("a", HeaderValue(HeaderType.LONG, 2**63), "cannot be written"),
}


@pytest.mark.parametrize(
    ("name", "value", "why"), CANNOT_BE_WRITTEN.values(), ids=CANNOT_BE_WRITTEN
)
def test_what_cannot_be_written_is_refused(name: str, value: HeaderValue, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        encode(Frame(((name, value),), b""))


def test_what_clients_would_refuse_is_not_written() -> None:
    twice = (("a", HeaderValue(HeaderType.TRUE, True)),) * 2
    with pytest.raises(FrameError, match="twice"):
        encode(Frame(twice, b""))
    with pytest.raises(FrameError, match=r"headers of .* too long"):
        encode_strings(tuple((f"h{n}", "a" * 32767) for n in range(5)), b"")
    with pytest.raises(FrameError, match=r"payload of .* too long"):
        encode(Frame((), bytes(MAX_PAYLOAD + 1)))


def test_the_largest_frame_is_read_by_us_and_by_botocore() -> None:
    # 4 * (1 + 8 + 3 + 32757) == 131076
    headers = tuple((f"{n:08d}", "a" * 32757) for n in range(4))
    headers = (*headers[:3], ("00000003", "a" * 32753))
    data = encode_strings(headers, bytes(MAX_PAYLOAD))
    assert struct.unpack_from(">II", data)[1] == MAX_HEADERS
    (frame,) = decode_all(data)
    assert frame.strings() == headers
    assert botocore_reads(data) == [(dict(headers), bytes(MAX_PAYLOAD))]


@quick
@given(
    st.lists(
        st.tuples(NAMES, st.text(st.characters(codec="utf-8"))), unique_by=lambda pair: pair[0]
    ),
    st.binary(),
)
def test_string_headers_go_both_ways(pairs: list[tuple[str, str]], payload: bytes) -> None:
    headers = tuple(pairs)
    (frame,) = decode_all(encode_strings(headers, payload))
    assert frame.strings() == headers
    assert frame.payload == payload


def test_headers_of_other_types_are_not_plain_strings() -> None:
    assert Frame(ALL_TYPES, b"").strings() is None


def test_the_limits_are_botocores() -> None:
    limits = vars(theirs)
    assert limits["_MAX_HEADERS_LENGTH"] == eventstream.MAX_HEADERS
    assert limits["_MAX_PAYLOAD_LENGTH"] == eventstream.MAX_PAYLOAD
