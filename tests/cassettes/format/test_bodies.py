"""Bodies between the wire and the cassette: whatever is opened gives its bytes back."""

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from random import Random
from struct import pack
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format.bodies import (
    EVENT_STREAM,
    MAX_LEVELS,
    PADDING,
    SERVER_SENT,
    choose_form,
    compact,
    levels,
    open_chunk,
    open_data,
    pad,
    parse,
    read_body,
    read_chunk,
    read_events,
    read_pieces,
    read_request_body,
    read_value,
    seal_chunk,
    seal_data,
    unpad,
    wire,
)
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue, encode
from bedtape_cassettes.model import (
    EMPTY,
    Body,
    Event,
    Events,
    JsonValue,
    event_headers,
    exception_headers,
)
from support import interactions as some
from support.corpus import every, needs_corpus
from support.examples import examples

quick = settings(derandomize=True, deadline=None, max_examples=examples(100))


def sent(body: Body | Events, seed: int = 1) -> bytes:
    """The body as replay sends it."""
    if isinstance(body, Body):
        return body.data
    chance = Random(seed)
    return b"".join(wire(event, body.padded, chance) for event in body.events)


def same(one: JsonValue, other: JsonValue) -> bool:
    """Equal in type, sign of zero and order of keys too."""
    return repr(one) == repr(other)


# -- whole bodies ----------------------------------------------------------------------------------


@quick
@given(some.body_bytes)
def test_a_body_gives_its_bytes_back_and_keeps_its_forms_promise(data: bytes) -> None:
    body = read_body(data)
    assert body.data == data
    if body.form == "json":
        assert compact(parse(data)) == data
    elif body.form == "text":
        data.decode()
    else:
        with pytest.raises(UnicodeDecodeError):
            data.decode()


@quick
@given(some.json_values)
def test_compact_and_parse_are_inverse(value: JsonValue) -> None:
    assert same(parse(compact(value)), value)
    assert read_body(compact(value)) == Body("json", compact(value))


@pytest.mark.parametrize(
    "text",
    [
        "1e-05",
        "0.0",
        "-0.0",
        "1.0",
        "12345678901234567890",
        "1e+16",
        '{"a":"\\n\\u0001é"}',
        "null",
        '""',
        "[]",
    ],
)
def test_json_that_is_spelt_as_we_spell_it_is_opened(text: str) -> None:
    assert read_body(text.encode()) == Body("json", text.encode())


STAYS_TEXT = [
    "1E-6",
    "1e-5",
    "1.50",
    "-0",
    "1e16",
    "0.1000000000000000055",
    "1e999",
    '{"a": 1}',
    ' {"a":1}',
    '{"a":1}\n',
    '"\\u00e9"',
    '"\\/"',
    '"\\ud83d"',
    '"\\ud83d\\ude00"',
    '{"a":1,"a":2}',
    '[{"a":{"b":1,"b":1}}]',
    "NaN",
    "[Infinity]",
    "-Infinity",
    "[1,]",
    "{'a':1}",
    "\ufeff{}",
    "9" * 5000,
    "[" * (MAX_LEVELS + 1) + "]" * (MAX_LEVELS + 1),
    "[" * 100_000 + "]" * 100_000,
]


@pytest.mark.parametrize("text", STAYS_TEXT, ids=lambda text: ascii(text[:20]))
def test_json_that_would_be_spelt_otherwise_stays_text(text: str) -> None:
    assert read_body(text.encode()) == Body("text", text.encode())


@pytest.mark.parametrize("data", [b"\xff", b"{\xff}", b"\xff\xfe{\x00}\x00", b'"\xed\xa0\xbd"'])
def test_what_is_not_utf_8_is_base64(data: bytes) -> None:
    """UTF-16 too, which Python's `json.loads` takes for JSON."""
    assert read_body(data) == Body("base64", data)
    assert read_request_body(data) == Body("base64", data)


def test_levels_are_counted_and_limited() -> None:
    assert levels(1) == 0
    assert levels([]) == 1
    assert levels({"a": [{}], "b": []}) == 3
    assert read_body(b"[" * MAX_LEVELS + b"]" * MAX_LEVELS).form == "json"
    assert read_body(b"[" + b"[]," * 1000 + b"1]").form == "json"


@quick
@given(some.json_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_requests_json_loses_its_spelling_only(
    value: JsonValue, indent: int | str | None, ascii_only: bool
) -> None:
    spelt = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert read_request_body(spelt) == Body("json", compact(value))


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', "[NaN]", '"\\ud83d"', "1e999", "plain", "[" * 2000]
)
def test_a_request_that_is_not_plain_json_stays_as_it_came(text: str) -> None:
    assert read_request_body(text.encode()) == Body("text", text.encode())


def test_no_body_is_no_body() -> None:
    assert read_body(b"") == read_request_body(b"") == EMPTY


# -- padding ---------------------------------------------------------------------------------------


@quick
@given(some.json_objects.filter(lambda value: "p" not in value), st.integers())
def test_padding_comes_off_as_it_was_put_on(value: dict[str, JsonValue], seed: int) -> None:
    payload = compact(value)
    padded = pad(payload, Random(seed))
    assert padded == pad(payload, Random(seed))
    assert unpad(padded) == (payload, True)
    padding = parse(padded)["p"]  # type: ignore[call-overload, index]
    assert isinstance(padding, str)
    assert PADDING.startswith(padding)
    assert 2 <= len(padding) <= 61


@pytest.mark.parametrize(
    ("payload", "padded"),
    [
        (b"{}", b'{"p":"%b"}'),
        (b'{"a":1,"z":2}', b'{"a":1,"p":"%b","z":2}'),
        (b'{"z":2}', b'{"p":"%b","z":2}'),
        (b'{"oz":{"z":1},"pa":2}', b'{"oz":{"z":1},"p":"%b","pa":2}'),
    ],
)
def test_padding_stands_where_the_alphabet_puts_it(payload: bytes, padded: bytes) -> None:
    padding = PADDING[: Random(3).randint(2, 61)].encode()
    assert pad(payload, Random(3)) == padded % padding


def test_padding_is_from_2_to_61_long_and_every_length_comes() -> None:
    chance = Random(0)
    lengths = {len(parse(pad(b"{}", chance))["p"]) for _ in range(2000)}  # type: ignore[call-overload, index, arg-type]
    assert lengths == set(range(2, 62))


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"p":1}', b'{"a":1,"a":2}', b'{"a":1e999}', b'"\\ud83d"', b"\xff"],
)
def test_only_json_objects_without_p_are_padded(payload: bytes) -> None:
    assert pad(payload, Random(0)) == payload


@pytest.mark.parametrize(
    "payload",
    [
        b'{"p":"ab","a":1}',  # not where it belongs
        b'{"a":1, "p":"ab"}',  # spelt otherwise
        b'{"p":"abd"}',  # not the alphabet
        b'{"p":"a"}',  # too short
        b'{"p":"%b"}' % PADDING.encode(),  # too long
        b'{"p":1}',
        b'{"a":{"p":"abc"}}',  # somebody else's
        b'[{"p":"abc"}]',
        b'{"p":"abc","p":"abc"}',
        b'{"p":"abc"',
        b'\xff"p":"abc',
    ],
)
def test_what_could_not_be_put_back_is_not_taken_off(payload: bytes) -> None:
    assert unpad(payload) == (payload, False)


# -- opened payloads -------------------------------------------------------------------------------


@quick
@given(some.json_values)
def test_chunks_and_data_lines_open_as_they_were_sealed(value: JsonValue) -> None:
    assert same(open_chunk(seal_chunk(value)), value)
    assert same(open_data(seal_data(value)), value)
    assert choose_form(seal_chunk(value)) == "bytes"
    assert choose_form(seal_data(value), framed=False) == "data"


# What looks like a chunk in some spelling: a beginning, a text and an end.
STARTS = [b'{"bytes":"', b'{"bytes": "', b'{ "bytes":"', b'{"byte":"', b'["bytes":"', b'"']
INNERS = [b"eyJhIjoxfQ==", b"eyJhIjoxfQ", b"e30=", b"e3\\u0030=", b"%", b"", b'e30=","a":"e30=']
ENDS = [b'"}', b'"]', b'",', b'" }', b'"}\n', b'"}}', b"}", b'","bytes":"e30="}', b""]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("inner", INNERS)
@pytest.mark.parametrize("start", STARTS)
def test_a_chunk_is_read_only_if_its_payload_is_json(
    start: bytes, inner: bytes, end: bytes
) -> None:
    payload = start + inner + end
    try:
        expected: JsonValue = parse(payload)
    except ValueError:
        expected = payload.decode()
    if isinstance(expected, dict) and isinstance(data := expected.get("bytes"), str):
        with suppress(ValueError):
            expected = read_value("json", b64decode(data, validate=True))
    assert same(read_chunk(payload), expected)


def chunk(inner: bytes) -> bytes:
    return b'{"bytes":"' + b64encode(inner) + b'"}'


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        (chunk(b'{"a":1}'), "bytes"),
        (chunk(b'{"a": 1}'), "json"),
        (chunk(b"\xff"), "json"),
        (chunk(b"{") + b" ", "text"),
        (b'{"bytes":"e30"}', "json"),  # base64 without its padding
        (b'{"bytes":"e31="}', "json"),  # bits that nobody reads
        (b'{"bytes":"%%"}', "json"),
        (b'{"bytes":1}', "json"),
        (b'{"bytes":"e30=","b":1}', "json"),
        (b'{"bytes": "e30="}', "text"),
        (b'{"bytes":\xff', "base64"),
        (b"", "text"),
    ],
)
def test_the_form_of_a_payload(payload: bytes, form: str) -> None:
    assert choose_form(payload) == form
    if form != "bytes":
        with pytest.raises(ValueError, match=r"."):
            open_chunk(payload)


@pytest.mark.parametrize(
    "piece",
    [b"data: {}", b"data: [DONE]\n\n", b"data: { }\n\n", b"data: {}\n\n\n\n", b"data:{}\n\n"],
)
def test_other_server_sent_events_stay_text(piece: bytes) -> None:
    assert choose_form(piece, framed=False) == "text"
    with pytest.raises(ValueError, match=r"."):
        open_data(piece)


# -- streams ---------------------------------------------------------------------------------------


@quick
@given(st.one_of(some.stream_bytes, some.padded_stream_bytes, st.binary(max_size=60)))
def test_an_exact_stream_gives_its_bytes_back(data: bytes) -> None:
    assert sent(read_events(data, exact=True)) == data


def understood(data: bytes) -> list[tuple[object, object]]:
    """Frames as botocore reads them, the payloads less their padding."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [
        (event.headers, unpad(event.payload)[0] if is_event(event) else event.payload)
        for event in buffer
    ]


def is_event(event: object) -> bool:
    return event.headers.get(":message-type") == "event"  # type: ignore[attr-defined, no-any-return]


@quick
@given(st.one_of(some.stream_bytes, some.padded_stream_bytes), st.integers())
def test_a_normalised_stream_differs_in_its_padding_only(data: bytes, seed: int) -> None:
    assert understood(sent(read_events(data), seed)) == understood(data)


@quick
@given(some.padded_stream_bytes)
def test_a_padded_stream_is_kept_without_padding(data: bytes) -> None:
    body = read_events(data)
    assert isinstance(body, Events)
    assert body.padded
    for event in body.events:
        assert unpad(pad(event.payload, Random(0))) == (event.payload, True)
        assert event.form == choose_form(event.payload)


EVENT = event_headers("chunk")
ERROR = exception_headers("throttlingException")
PADDED = b'{"a":1,"p":"abcd"}'


def test_exception_frames_neither_lose_nor_get_padding() -> None:
    body = read_events(
        some.encode_frames([(EVENT, PADDED), (ERROR, b'{"message":"m"}'), (ERROR, PADDED)])
    )
    assert isinstance(body, Events)
    assert [event.payload for event in body.events] == [b'{"a":1}', b'{"message":"m"}', PADDED]
    assert [wire(e, True, Random(1)).count(b'"p":"ab') for e in body.events] == [1, 0, 1]


def test_events_are_known_whatever_the_order_of_their_headers() -> None:
    """Other services of AWS put the message's type first."""
    body = read_events(some.encode_frames([(EVENT[::-1], PADDED)]))
    assert isinstance(body, Events)
    assert body.events[0].payload == b'{"a":1}'
    assert b'"p":"ab' in wire(body.events[0], True, Random(1))


def test_padding_is_removed_from_each_event_that_has_it() -> None:
    body = read_events(some.encode_frames([(EVENT, PADDED), (EVENT, b'{"a":1}')]))
    assert isinstance(body, Events)
    assert body.padded
    assert [event.payload for event in body.events] == [b'{"a":1}'] * 2


def test_what_cannot_be_opened_stays_whole() -> None:
    typed = encode(Frame((("a", HeaderValue(HeaderType.BYTE, 0)),), b"{}"))
    for data in (
        b"{}",
        some.encode_frames([(EVENT, PADDED)])[:-1],
        some.encode_frames([((), b"{}")]),
        typed,
        b"\0" * 40,
    ):
        assert read_events(data) == read_events(data, exact=True) == read_body(data)
    assert read_events(b"") == EMPTY


def test_a_header_that_only_others_would_write_stays_whole() -> None:
    """Its length has 16 bits on the wire; we write 15 of them."""
    header = b"\x01a\x07" + pack(">H", 40_000) + b"a" * 40_000
    lengths = pack(">II", len(header) + 16, len(header))
    message = lengths + pack(">I", crc32(lengths)) + header
    data = message + pack(">I", crc32(message))
    assert read_events(data) == read_body(data)


def test_times_go_with_their_frames() -> None:
    body = read_events(some.encode_frames([(EVENT, PADDED)] * 3), at_ms=[5, 70])
    assert isinstance(body, Events)
    assert [event.at_ms for event in body.events] == [5, 70, 0]


@quick
@given(st.one_of(some.sse_bytes, some.body_bytes))
def test_pieces_joined_are_the_body(data: bytes) -> None:
    assert sent(read_pieces(data)) == data


def test_server_sent_events_are_cut_after_each_empty_line() -> None:
    body = read_pieces(b'data: {"a":1}\n\nevent: b\ndata: {}\n\ndata: [DONE]\n\n', at_ms=[1, 2])
    assert isinstance(body, Events)
    assert body.events == (
        Event(1, (), b'data: {"a":1}\n\n', "data"),
        Event(2, (), b"event: b\ndata: {}\n\n", "text"),
        Event(0, (), b"data: [DONE]\n\n", "text"),
    )
    crlf = b'event: a\r\ndata: {"b":1}\r\n\r\ndata: [DONE]\r\n\r\n'
    body = read_pieces(crlf)
    assert isinstance(body, Events)
    first, last = body.events
    assert first.payload == b'event: a\r\ndata: {"b":1}\r\n\r\n'
    assert last.payload == b"data: [DONE]\r\n\r\n"
    assert read_pieces(b"") == EMPTY
    assert read_pieces(b"\xff\n\n") == Body("base64", b"\xff\n\n")


# -- the corpus ------------------------------------------------------------------------------------


@pytest.mark.corpus
@needs_corpus
def test_every_stream_of_the_corpus() -> None:
    streams = server_sent = padded = 0
    for row in every():
        kind = next(
            (value for name, value in row.response_headers if name.lower() == "content-type"), ""
        )
        data = row.response_body
        if kind.startswith(SERVER_SENT):
            server_sent += 1
            assert sent(read_pieces(data)) == data, row
        elif kind.startswith(EVENT_STREAM):
            streams += 1
            assert sent(read_events(data, exact=True)) == data, row
            body = read_events(data)
            if isinstance(body, Events):
                padded += body.padded
                assert understood(sent(body)) == understood(data), row
            else:
                assert body.data == data, row
    assert streams > 100
    assert padded > 100
    assert server_sent > 0


@pytest.mark.corpus
@needs_corpus
def test_most_json_of_the_corpus_is_opened_and_all_of_it_comes_back() -> None:
    forms = {"json": 0, "text": 0, "base64": 0}
    for row in every():
        for data in (row.request_body, row.response_body):
            body = read_body(data)
            forms[body.form] += 1
            assert body.data == data
    assert forms["json"] > 3 * forms["text"]
