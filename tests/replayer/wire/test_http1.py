"""The HTTP/1.1 reader and writer: tables of bytes and what comes of them, and
h11 as a second opinion.
"""

import json
import re
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.answering.reply import DATE, Piece, Reply
from bedtape_replayer.wire.http1 import MAX_DRAINED, Http1Connection
from bedtape_replayer.wire.http1_grammar import MAX_CHUNK_LINE, MAX_HEAD, MAX_TRAILERS
from bedtape_replayer.wire.messages import Received, RequestReceived
from support.examples import examples

MAX_BODY = 1000
OK = ((b"Content-Type", b"text/plain"), (b"Content-Length", b"2"), (b"Connection", b"keep-alive"))
CHUNKED = ((b"Content-Type", b"text/plain"), (b"Transfer-Encoding", b"chunked"))
GET = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
HOST = b"Host: a\r\n"


class Asked(NamedTuple):
    """What one side understood of a request."""

    method: bytes
    target: bytes
    body: bytes


GOOD = Asked(b"GET", b"/good", b"")


class Heard(NamedTuple):
    """What a reader made of all bytes: the requests, the status it refused with,
    whether it wants to close.
    """

    asked: list[Asked]
    refused: int | None = None
    closing: bool = False


@pytest.fixture
def connection() -> Http1Connection:
    return Http1Connection(max_body=MAX_BODY)


def asked(request: RequestReceived) -> Asked:
    return Asked(request.method, request.target, request.body)


def answered(connection: Http1Connection, requests: list[Received]) -> Iterator[RequestReceived]:
    """The requests, each answered before the next one is begun."""
    while requests:
        for request in requests:
            assert isinstance(request, RequestReceived)
            yield request
            connection.respond(request.stream, 200, OK, b"ok")
        requests = connection.receive(b"")


def fed(pieces: Iterable[bytes], *, max_body: int = MAX_BODY) -> Heard:
    connection = Http1Connection(max_body=max_body)
    requests: list[Asked] = []
    out = b""
    for piece in pieces:
        requests += [asked(request) for request in answered(connection, connection.receive(piece))]
        out += connection.take()
    return Heard(requests, statuses(out)[-1] if connection.lingering else None, connection.closing)


def statuses(out: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", out)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def halves(data: bytes) -> Iterator[list[bytes]]:
    return ([data[:at], data[at:]] for at in range(1, len(data)))


def message(connection: Http1Connection) -> tuple[int, str]:
    """Status and message of the refusal that was written last."""
    head, _, body = connection.take().rpartition(b"\r\n\r\n")
    return statuses(head)[-1], json.loads(body)["message"]


# -- requests --------------------------------------------------------------------------------------

POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"
posted = partial(Asked, b"POST", b"/p")
VALID: dict[str, tuple[bytes, Asked]] = {
    "get": (GET, GOOD),
    "no headers but the host": (b"GET / HTTP/1.1\r\nhost:\r\n\r\n", Asked(b"GET", b"/", b"")),
    "content-length": (POST + b"Content-Length: 5\r\n\r\nhello", posted(b"hello")),
    "content-length of nothing": (POST + b"Content-Length: 0\r\n\r\n", posted(b"")),
    "content-length with spaces and zeros": (
        POST + b"content-length:\t 003 \r\n\r\nabc",
        posted(b"abc"),
    ),
    "a body that looks like a request": (
        POST + b"Content-Length: %d\r\n\r\n%b" % (len(GET), GET),
        posted(GET),
    ),
    "chunked": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n",
        posted(b"abc\r\n"),
    ),
    "chunked and empty": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", posted(b"")),
    "chunked in capitals, with extensions": (
        POST + b'TRANSFER-ENCODING:CHUNKED\r\n\r\n0A;name=value;q="a;b"\r\n0123456789\r\n1'
        b" ;x\r\nz\r\n000\r\n\r\n",
        posted(b"0123456789z"),
    ),
    "chunked with trailers": (
        POST + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 99\r\n\r\n",
        posted(b"a"),
    ),
    "head": (b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n", Asked(b"HEAD", b"/h", b"")),
    "a method nobody knows": (b"B!X~ / HTTP/1.1\r\nHost: a\r\n\r\n", Asked(b"B!X~", b"/", b"")),
    "options of the server": (
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"OPTIONS", b"*", b""),
    ),
    "http/1.2 is read as 1.1": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Asked(b"GET", b"/", b"")),
    "http/1.0 with keep-alive": (
        b"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
        Asked(b"GET", b"/", b""),
    ),
    "absolute form": (
        b"GET http://a:1/p?q=/x HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/p?q=/x", b""),
    ),
    "absolute form of https": (
        b"GET HTTPS://[::1]:1/p HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/p", b""),
    ),
    "absolute form without a path": (
        b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/", b""),
    ),
    "absolute form with a query alone": (
        b"GET http://a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/?x=1", b""),
    ),
    "a path that begins like a scheme": (
        b"GET hello HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"hello", b""),
    ),
    "a url in the path": (
        b"GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/http://b/", b""),
    ),
    "percent encoding is left alone": (
        b"GET /model/a%2Fb%3A0/converse HTTP/1.1\r\nHost: a\r\n\r\n",
        Asked(b"GET", b"/model/a%2Fb%3A0/converse", b""),
    ),
    "bytes above ASCII": (
        b"GET /\xc3\xbc HTTP/1.1\r\nHost: \xfc\r\n\r\n",
        Asked(b"GET", b"/\xc3\xbc", b""),
    ),
    "an empty line before it": (b"\r\n\r\n" + GET, GOOD),
    "names that only look like framing": (
        (
            b"GET /good HTTP/1.1\r\nHost: a\r\nX-Content-Length: 5\r\nContent-Length-X: 5\r\n"
            b"Transfer_Encoding: chunked\r\nX: Transfer-Encoding: chunked\r\n\r\n"
        ),
        GOOD,
    ),
    "connection stands twice": (
        b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: a\r\nConnection: b\r\n\r\n",
        GOOD,
    ),
    "expect, with the body at once": (
        POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab",
        posted(b"ab"),
    ),
    "http/1.0 expects nothing": (
        b"POST /p HTTP/1.0\r\nConnection: keep-alive\r\nExpect: x\r\nContent-Length: 2\r\n\r\nab",
        posted(b"ab"),
    ),
}
valid = pytest.mark.parametrize(("data", "expected"), VALID.values(), ids=VALID)


@valid
def test_a_request_whole_byte_by_byte_and_in_two_pieces(data: bytes, expected: Asked) -> None:
    for pieces in ([data], one_by_one(data), *halves(data)):
        assert fed(pieces) == Heard([expected])


@valid
def test_a_request_between_others(data: bytes, expected: Asked) -> None:
    conversation = GET + data + data + GET
    for pieces in (
        [conversation],
        one_by_one(conversation),
        [GET, data + data[:7], data[7:] + GET],
    ):
        assert fed(pieces) == Heard([GOOD, expected, expected, GOOD])


@valid
def test_a_request_cut_off_is_none(
    connection: Http1Connection, data: bytes, expected: Asked
) -> None:
    assert connection.receive(data[:-1]) == []
    assert connection.incomplete
    connection.receive_eof()
    assert connection.closing
    assert connection.receive(data[-1:]) == []


LAST: dict[str, bytes] = {
    "http/1.1 with close": b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "close among others": b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: TE,\tClose , x\r\n\r\n",
    "close in a second line": (
        b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nConnection: close\r\n\r\n"
    ),
    "http/1.0": b"GET /good HTTP/1.0\r\n\r\n",
    "http/1.0 with another option": b"GET /good HTTP/1.0\r\nConnection: upgrade\r\n\r\n",
    "http/1.0 that wants both": b"GET /good HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
}


@pytest.mark.parametrize("data", LAST.values(), ids=LAST)
def test_nothing_is_read_after_the_last_request(data: bytes) -> None:
    for pieces in ([data], [data + GET], one_by_one(data + GET)):
        assert fed(pieces) == Heard([GOOD], closing=True)


def test_the_fields_are_the_lines_as_they_came() -> None:
    lines = b"HOST:  a\t\r\nX-A: \xfc: b\r\nx-a:\r\n"
    (request,) = Http1Connection(max_body=0).receive(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
    assert request.head.raw == b"\r\n" + lines
    assert request.head.pairs() == (("HOST", "a"), ("X-A", "\xfc: b"), ("x-a", ""))
    (request,) = Http1Connection(max_body=0).receive(b"GET / HTTP/1.0\r\n\r\n")
    assert request.head.pairs() == ()


def test_streams_are_numbered() -> None:
    connection = Http1Connection(max_body=0)
    assert [request.stream for request in answered(connection, connection.receive(GET * 3))] == [
        1,
        2,
        3,
    ]


# -- what two readers might read differently -------------------------------------------------------


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines, b"", body])


def chunks(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


REFUSED: dict[str, tuple[bytes, int]] = {
    # Where the request ends
    "both lengths": (
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "both lengths, the other way round": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n"),
        400,
    ),
    "two lengths": (post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), 400),
    "two equal lengths": (post(b"Content-Length: 5", b"content-length: 5", body=b"hello"), 400),
    "a list of lengths": (post(b"Content-Length: 5,5", body=b"hello"), 400),
    "a list of lengths with a space": (post(b"Content-Length: 5, 6", body=b"hello"), 400),
    "a length with a sign": (post(b"Content-Length: +5", body=b"hello"), 400),
    "a negative length": (post(b"Content-Length: -5", body=b"hello"), 400),
    "a hexadecimal length": (post(b"Content-Length: 0x5", body=b"hello"), 400),
    "a length with an underscore": (post(b"Content-Length: 1_0", body=b"hello"), 400),
    "a length with a fraction": (post(b"Content-Length: 5.0", body=b"hello"), 400),
    "a length with a space inside": (post(b"Content-Length: 5 0", body=b"hello"), 400),
    "a length in other digits": (post("Content-Length: ٥".encode(), body=b"hello"), 400),
    "a superscript length": (post(b"Content-Length: \xb2", body=b"hello"), 400),
    "an empty length": (post(b"Content-Length:", body=b"hello"), 400),
    "a length of 19 digits": (post(b"Content-Length: " + b"0" * 18 + b"5", body=b"hello"), 400),
    "a length of 5,000 digits": (post(b"Content-Length: " + b"9" * 5000), 400),
    "identity": (post(b"Transfer-Encoding: identity"), 501),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "chunked, identity": (post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 501),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 501),
    "two lines of chunked": (
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "chunked, then another": (
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=b"0\r\n\r\n"),
        400,
    ),
    "xchunked": (post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "chunked with a parameter": (post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"), 501),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 501),
    "chunked and a comma": (post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n"), 501),
    "an empty coding": (post(b"Transfer-Encoding:", body=b"0\r\n\r\n"), 501),
    "a vertical tab before chunked": (
        post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
        400,
    ),
    "a no-break space before chunked": (
        post(b"Transfer-Encoding: \xa0chunked", body=b"0\r\n\r\n"),
        501,
    ),
    "chunked over http/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    # Lines and names
    "a space before the colon": (post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    "a tab before the colon": (post(b"Content-Length\t: 5", body=b"hello"), 400),
    "a folded line": (post(b"X: a", b" b"), 400),
    "a folded coding": (post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400),
    "a folded first line": (b"POST / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "a line feed in the headers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    "line feeds alone": (b"POST / HTTP/1.1\nHost: a\n\n", 400),
    "a line feed after the request line": (b"POST / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "an empty line of a line feed": (b"POST / HTTP/1.1\r\nHost: a\r\n\nX: y\r\n\r\n", 400),
    "a carriage return in a value": (post(b"X: a\rContent-Length: 5", body=b"hello"), 400),
    "a carriage return before the end": (post(b"X: a\r"), 400),
    "a carriage return in a name": (post(b"\rContent-Length: 5", body=b"hello"), 400),
    "a null in a value": (post(b"X: a\0b"), 400),
    "a null in a name": (post(b"Content-Length\0: 5", body=b"hello"), 400),
    "a delete in a value": (post(b"X: a\x7fb"), 400),
    "no name": (post(b": x"), 400),
    "no colon": (post(b"Content-Length"), 400),
    "a name above ASCII": (post(b"\xc3\xbc: x"), 400),
    "a name with brackets": (post(b"(x): y"), 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "two equal hosts": (b"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    # The request line
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a tab for a space": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space before the method": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space after the version": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", 400),
    "a version in small letters": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "a version of three digits": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    "a version in other digits": ("GET / HTTP/١.1\r\nHost: a\r\n\r\n".encode(), 400),
    "a null in the target": (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a carriage return in the target": (b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a carriage return first": (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a line feed first": (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "words": (b"hello\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(30), 400),
    "tls that holds line ends": (b"\x16\x03\x01\r\n\r\n" + bytes(30), 400),
    "http/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "http/0.9": (b"GET / HTTP/0.9\r\n\r\n", 505),
    "an expectation nobody knows": (
        post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello"),
        417,
    ),
    "two expectations": (
        post(b"Expect: 100-continue", b"Expect: 100-continue", body=b"hello"),
        400,
    ),
    # Chunks
    "a chunk size with 0x": (chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size with a sign": (chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "a negative chunk size": (chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size with an underscore": (chunks(b"0_5\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size after a space": (chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    "no chunk size": (chunks(b"\r\nhello\r\n0\r\n\r\n"), 400),
    "an extension alone": (chunks(b";x\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size and a word": (chunks(b"5 x\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size of 16 digits": (chunks(b"0000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk size that would wrap": (chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk line that ends with a line feed": (chunks(b"5\nhello\r\n0\r\n\r\n"), 400),
    "a line feed in an extension": (chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
    "a carriage return in an extension": (chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400),
    "a null in an extension": (chunks(b"5;\0\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk line too long": (
        chunks(b"5;" + b"x" * MAX_CHUNK_LINE + b"\r\nhello\r\n0\r\n\r\n"),
        400,
    ),
    "a chunk longer than its size": (chunks(b"4\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk shorter than its size": (chunks(b"6\r\nhello\r\n0\r\n\r\n"), 400),
    "a chunk that a line feed ends": (chunks(b"5\r\nhello\n0\r\n\r\n"), 400),
    "a chunk that two carriage returns end": (chunks(b"5\r\nhello\r\r0\r\n\r\n"), 400),
    "a folded trailer": (chunks(b"0\r\nX: a\r\n b\r\n\r\n"), 400),
    "a trailer with a line feed": (chunks(b"0\r\nX: a\nY: b\r\n\r\n"), 400),
    "no trailer": (chunks(b"0\r\nhello\r\n\r\n"), 400),
    # Sizes
    "a body too large": (post(b"Content-Length: %d" % (MAX_BODY + 1)), 413),
    "a chunk too large": (chunks(b"%x\r\n" % (MAX_BODY + 1)), 413),
    "chunks too large together": (chunks(b"%x\r\n%b\r\n1\r\n" % (MAX_BODY, b"x" * MAX_BODY)), 413),
    "too large, though it would wait for our leave": (
        post(b"Expect: 100-continue", b"Content-Length: 5000"),
        413,
    ),
}
refused = pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)


@refused
def test_a_refusal_after_which_nothing_is_read(data: bytes, status: int) -> None:
    for pieces in ([data], one_by_one(data)):
        assert fed(pieces) == Heard([], status)
    for pieces in ([GET + data + GET], [GET, data, GET], one_by_one(GET + data + GET)):
        assert fed(pieces) == Heard([GOOD], status)


@refused
def test_a_refusal_is_an_answer(connection: Http1Connection, data: bytes, status: int) -> None:
    connection.receive(data)
    answer = understood(connection.take(), b"POST")
    assert answer.response.status_code == status
    assert (b"connection", b"close") in answer.response.headers
    assert (b"x-amzn-errortype", b"ValidationException") in answer.response.headers
    assert json.loads(answer.body)["message"].startswith("bedtape: ")
    assert answer.closes


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (REFUSED["tls"][0], "Use http://, not https://"),
        (REFUSED["tls that holds line ends"][0], "Use http://, not https://"),
        (REFUSED["a body too large"][0], f"larger than {MAX_BODY} bytes"),
        (REFUSED["a chunk too large"][0], f"larger than {MAX_BODY} bytes"),
        (REFUSED["two hosts"][0], "The header host occurs more than once"),
        (REFUSED["both lengths"][0], "must not have both"),
        (REFUSED["http/2.0"][0], "HTTP/1.0, HTTP/1.1 and HTTP/2"),
    ],
)
def test_a_refusal_says_why(connection: Http1Connection, data: bytes, words: str) -> None:
    connection.receive(data)
    assert words in message(connection)[1]


# -- limits ----------------------------------------------------------------------------------------


def head_of(size: int) -> bytes:
    """A request whose head, less its last empty line, has `size` bytes."""
    start = b"GET /good HTTP/1.1\r\nHost: a\r\nX: "
    return start + b"x" * (size - len(start)) + b"\r\n\r\n"


def test_the_longest_head() -> None:
    for head, heard in (
        (head_of(MAX_HEAD), Heard([GOOD])),
        (head_of(MAX_HEAD + 1), Heard([], 431)),
    ):
        cuts = ([head[:cut], head[cut:]] for cut in (1, 3, 1000, MAX_HEAD + 1, MAX_HEAD + 3))
        assert all(fed(pieces) == heard for pieces in ([head], one_by_one(head), *cuts))


def test_ten_thousand_headers() -> None:
    small = b"a:b\r\n" * 10_000
    assert fed([b"GET /good HTTP/1.1\r\nHost: a\r\n" + small + b"\r\n"]) == Heard([GOOD])
    ordinary = b"".join(b"x-header-%d: value\r\n" % n for n in range(10_000))
    assert fed([b"GET /good HTTP/1.1\r\nHost: a\r\n" + ordinary + b"\r\n"]) == Heard([], 431)


def trailers_of(size: int) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=b"0\r\nX: " + b"x" * (size - 3) + b"\r\n\r\n")


@pytest.mark.parametrize("from_end", [1, 2, 3, 4, 5, 100])
def test_the_longest_trailers(from_end: int) -> None:
    longest, longer = trailers_of(MAX_TRAILERS), trailers_of(MAX_TRAILERS + 1)
    heard = Heard([Asked(b"POST", b"/", b"")])
    assert fed([longest]) == fed([longest[:-from_end], longest[-from_end:]]) == heard
    assert fed([longer]) == fed([longer[:-from_end], longer[-from_end:]]) == Heard([], 431)


@pytest.mark.parametrize("cut", [1, 700, MAX_CHUNK_LINE + 1])
def test_the_longest_chunk_line(cut: int) -> None:
    head, longest = chunks(b""), b"1;" + b"x" * (MAX_CHUNK_LINE - 2)
    for line, heard in (
        (longest, Heard([Asked(b"POST", b"/", b"a")])),
        (longest + b"x", Heard([], 400)),
    ):
        rest = line + b"\r\na\r\n0\r\n\r\n"
        assert fed([head + rest]) == fed([head, rest[:cut], rest[cut:]]) == heard


def test_the_largest_body() -> None:
    body = b"x" * MAX_BODY
    largest = Heard([Asked(b"POST", b"/", body)])
    assert fed([post(b"Content-Length: %d" % MAX_BODY, body=body)]) == largest
    assert fed([chunks(b"1\r\nx\r\n%x\r\n%b\r\n0\r\n\r\n" % (MAX_BODY - 1, body[1:]))]) == largest


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "empty lines": (b"", b"\r\n"),
    "a request line": (b"GET /", b"x"),
    "headers": (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "garbage": (b"", b"\xff"),
    "carriage returns": (b"", b"\r"),
    "small chunks": (chunks(b""), b"1\r\nx\r\n"),
    "a chunk's line": (chunks(b"5;"), b"x"),
    "a chunk": (chunks(b"%x\r\n" % 10**12), b"x"),
    "trailers": (chunks(b"0\r\n"), b"a: b\r\n"),
    "requests without a body": (b"", GET),
}


@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS)
def test_memory_is_bounded(connection: Http1Connection, start: bytes, more: bytes) -> None:
    piece = more * (8192 // len(more))
    tracemalloc.start()
    try:
        for request in answered(connection, connection.receive(start)):
            assert request.method
        for _ in range(60):
            assert all(
                request.method for request in answered(connection, connection.receive(piece))
            )
            assert connection.buffered_bytes <= MAX_HEAD + len(piece)
            connection.take()
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_HEAD
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("framing", ["content-length", "one chunk", "many chunks"])
def test_a_large_body_is_held_twice_at_most(framing: str) -> None:
    body = bytes(8 << 20)
    match framing:
        case "content-length":
            data = post(b"Content-Length: %d" % len(body), body=body)
        case "one chunk":
            data = chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        case _:
            data = chunks(b"4000\r\n%b\r\n" % body[:0x4000] * (len(body) // 0x4000) + b"0\r\n\r\n")
    connection = Http1Connection(max_body=len(body))
    tracemalloc.start()
    try:
        requests: list[RequestReceived] = []
        for at in range(0, len(data), 65536):
            assert not requests
            requests = connection.receive(data[at : at + 65536])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert requests[0].body == body
    assert peak < 2.5 * len(body)


SPACED = [
    (b"Transfer-Encoding", Heard([], 501)),
    (b"Expect", Heard([], 417)),
    (b"Content-Length", Heard([], 400)),
    (b"Connection", Heard([GOOD])),
    (b"Host", Heard([], 400)),
]


@pytest.mark.parametrize(("name", "heard"), SPACED)
def test_spaces_cost_nothing(name: bytes, heard: Heard) -> None:
    """A request takes milliseconds.

    It took a minute where the work grew with the square, and the timeout of all tests would end it.
    """
    line = name + b": x" + b" \t" * 30_000 + b"x\r\n"
    for _ in range(20):
        assert fed([b"GET /good HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n"]) == heard


@pytest.mark.timeout(300)  # seconds; it takes a second, and minutes where the work grew
def test_many_small_pieces_cost_no_more_than_their_sum() -> None:
    assert len(fed([GET * 20_000]).asked) == 20_000
    large = 4 << 20
    data = post(b"Content-Length: %d" % large, body=bytes(large))
    (request,) = fed((data[at : at + 64] for at in range(0, len(data), 64)), max_body=large).asked
    assert len(request.body) == large
    data = chunks(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
    (request,) = fed([data], max_body=large).asked
    assert len(request.body) == 100_000


# -- expect ----------------------------------------------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "body"),
    [((b"Content-Length: 2",), b"ab"), ((b"Transfer-Encoding: chunked",), b"2\r\nab\r\n0\r\n\r\n")],
)
def test_a_client_that_waits_for_leave_gets_it(
    connection: Http1Connection, lines: Sequence[bytes], body: bytes
) -> None:
    assert connection.receive(post(b"Expect: 100-continue", *lines)) == []
    assert connection.take() == CONTINUE
    (request,) = connection.receive(body)
    assert request.body == b"ab"
    assert connection.take() == b""


@pytest.mark.parametrize(
    "data",
    [
        post(b"Expect: 100-continue", b"Content-Length: 2", body=b"a"),  # it did not wait
        post(b"Expect: 100-continue", b"Content-Length: 0"),  # there is nothing to wait for
        post(b"Expect: 100-continue"),
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_no_leave_is_given_that_nobody_waits_for(connection: Http1Connection, data: bytes) -> None:
    connection.receive(data)
    assert connection.take() == b""


# -- the client's end ------------------------------------------------------------------------------


def test_all_pipelined_requests_are_answered_after_the_end(connection: Http1Connection) -> None:
    (first,) = connection.receive(GET * 3)
    connection.receive_eof()
    assert not connection.closing
    assert len(list(answered(connection, [first]))) == 3
    assert connection.closing
    heads = connection.take().split(b"HTTP/1.1 200")[1:]
    assert [b"Connection: close" in head for head in heads] == [False, False, True]


def test_the_end_during_an_answer_closes_after_it(connection: Http1Connection) -> None:
    (request,) = connection.receive(GET)
    connection.start(request.stream, 200, CHUNKED)
    connection.receive_eof()
    connection.send(request.stream, b"x")
    assert not connection.closing
    connection.finish(request.stream)
    assert connection.closing
    assert connection.take().endswith(b"1\r\nx\r\n0\r\n\r\n")


def test_a_request_that_was_begun_before_the_end_is_dropped(connection: Http1Connection) -> None:
    (request,) = connection.receive(GET + GET[:-1])
    connection.receive_eof()
    assert len(list(answered(connection, [request]))) == 1
    assert connection.closing


def test_the_end_of_an_idle_connection(connection: Http1Connection) -> None:
    assert not connection.incomplete
    connection.receive_eof()
    assert connection.closing
    assert connection.take() == b""


def test_what_comes_after_a_refusal_is_thrown_away_up_to_a_limit(
    connection: Http1Connection,
) -> None:
    connection.receive(post(b"Content-Length: 1000000"))
    piece = bytes(1 << 24)
    for _ in range(MAX_DRAINED // len(piece)):
        assert connection.receive(piece) == []
        assert connection.buffered_bytes == 0
        assert not connection.closing
    assert connection.incomplete
    connection.receive(b"x")
    assert connection.closing


def test_a_refusal_ends_with_its_client(connection: Http1Connection) -> None:
    connection.receive(b"x\r\n")
    connection.receive_eof()
    assert connection.closing
    assert message(connection)[0] == 400


def test_unfinished_is_what_patience_is_for(connection: Http1Connection) -> None:
    for data, unfinished in ((GET[:1], True), (GET[1:], False), (GET[:5], False)):
        connection.receive(data)
        assert connection.incomplete is unfinished
    connection.respond(1, 200, OK, b"ok")
    assert connection.incomplete


# -- answers ---------------------------------------------------------------------------------------


class Understood(NamedTuple):
    """What h11, as a client, makes of an answer."""

    response: h11.Response
    pieces: list[bytes]
    closes: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def understood(
    data: bytes, method: bytes, version: bytes = b"1.1", headers: Sequence[tuple[str, str]] = ()
) -> Understood:
    """The one answer in `data`, after which the connection is closed.

    Anything that h11 minds fails the test.
    """
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=b"/", headers=[("host", "a"), *headers]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    response: h11.Response | None = None
    pieces: list[bytes] = []
    while True:
        event = client.next_event()
        match event:
            case h11.Response():
                assert response is None
                response = event
            case h11.Data(data=piece):
                pieces.append(bytes(piece))
            case h11.NEED_DATA:
                client.receive_data(b"")
            case h11.EndOfMessage():
                assert response is not None
                assert client.trailing_data[0] == b""
                return Understood(response, pieces, client.their_state is not h11.DONE)
            case h11.InformationalResponse():
                pass
            case _:
                raise AssertionError(event)


REQUESTS = {
    "get": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET", True),
    "close": (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"GET", False),
    "head": (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD", True),
    "http/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"GET", False),
    "http/1.0 keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET", True),
}


@pytest.mark.parametrize(("data", "method", "keeps"), REQUESTS.values(), ids=REQUESTS)
def test_an_answer_with_a_length(
    connection: Http1Connection, data: bytes, method: bytes, keeps: bool
) -> None:
    (request,) = connection.receive(data)
    connection.respond(request.stream, 200, OK, b"ok")
    answer = understood(connection.take(), method)
    assert answer.response.status_code == 200
    assert answer.response.reason == b"OK"
    assert answer.body == (b"" if method == b"HEAD" else b"ok")
    assert (b"content-length", b"2") in answer.response.headers
    assert connection.closing is answer.closes is not keeps


@pytest.mark.parametrize(("data", "method", "keeps"), REQUESTS.values(), ids=REQUESTS)
def test_an_answer_in_chunks(
    connection: Http1Connection, data: bytes, method: bytes, keeps: bool
) -> None:
    (request,) = connection.receive(data)
    taken = []
    connection.start(request.stream, 200, CHUNKED)
    for piece in (b"one", b"", b"x" * 300):
        taken.append(connection.take())
        connection.send(request.stream, piece)
    connection.finish(request.stream)
    taken.append(connection.take())
    answer = understood(b"".join(taken), method)
    assert answer.pieces == (
        []
        if method == b"HEAD"
        else [b"one", b"x" * 300]
        if b"1.1" in data
        else [b"onex" + b"x" * 299]
    )
    assert ((b"transfer-encoding", b"chunked") in answer.response.headers) is (b"1.1" in data)
    assert connection.closing is answer.closes is (not keeps or b"1.0" in data)


def test_an_answer_as_bytes(connection: Http1Connection) -> None:
    connection.receive(GET)
    connection.respond(1, 200, OK, b"ok")
    assert (
        connection.take()
        == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection:"
        b" keep-alive\r\n\r\nok"
    )
    assert connection.take() == b""


def test_the_headers_own_case_and_order_stay_when_closing(connection: Http1Connection) -> None:
    connection.receive(LAST["http/1.1 with close"])
    connection.respond(1, 429, (*OK, (b"x-amzn-RequestId", b"1")), b"ok")
    assert (
        connection.take()
        == b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length:"
        b" 2\r\nx-amzn-RequestId: 1\r\nConnection: close\r\n\r\nok"
    )


def test_a_client_of_http_1_0_is_told_that_it_may_stay(connection: Http1Connection) -> None:
    connection.receive(REQUESTS["http/1.0 keep-alive"][0])
    connection.respond(1, 200, OK[:2], b"ok")
    assert b"\r\nConnection: keep-alive\r\n" in connection.take()


def test_a_status_without_a_name(connection: Http1Connection) -> None:
    connection.receive(GET)
    connection.respond(1, 599, OK, b"ok")
    assert understood(connection.take(), b"GET").response.status_code == 599


def test_a_recorded_close_is_kept(connection: Http1Connection) -> None:
    connection.receive(GET)
    connection.respond(1, 200, ((b"Content-Length", b"2"), (b"Connection", b"Close")), b"ok")
    assert connection.closing
    assert understood(connection.take(), b"GET").closes


def test_pending_is_what_was_not_taken(connection: Http1Connection) -> None:
    connection.receive(GET)
    assert connection.count_pending(1) == 0
    connection.start(1, 200, CHUNKED)
    connection.send(1, b"x" * 100)
    assert connection.count_pending(1) > 100
    connection.take()
    assert connection.count_pending(1) == 0


def test_an_answer_to_nobody_is_not_sent(connection: Http1Connection) -> None:
    for stream in (0, 1):
        connection.respond(stream, 200, OK, b"ok")
    connection.receive(GET)
    connection.respond(2, 200, OK, b"ok")
    assert connection.take() == b""
    connection.respond(1, 200, OK, b"ok")
    connection.send(1, b"late")
    connection.finish(1)
    assert connection.take().endswith(b"\r\n\r\nok")


# -- any split, any bytes --------------------------------------------------------------------------

CONVERSATION = b"".join(data for data, _ in VALID.values())
EXPECTED = Heard([expected for _, expected in VALID.values()])


@settings(derandomize=True, deadline=None, max_examples=examples(200))
@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=40).map(sorted))
def test_any_split_means_the_same(cuts: list[int]) -> None:
    edges = [0, *cuts, len(CONVERSATION)]
    assert fed(CONVERSATION[a:b] for a, b in pairwise(edges)) == EXPECTED


REQUEST_LINES = [b"GET / HTTP/1.1\r\n", b"POST /p HTTP/1.1\r\n", b"HEAD /h HTTP/1.0\r\n"]
LENGTHS = [b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"content-length:12\r\n"]
CODINGS = [b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: x\r\n"]
CONNECTIONS = [b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n"]
FIELDS = [HOST, *LENGTHS, *CODINGS, *CONNECTIONS, b"X: y\r\n"]
CHUNKS = [b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\n", b"c\r\nabcabcabcabc\r\n"]
WORDS = [
    *REQUEST_LINES,
    *FIELDS,
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"abc",
    *CHUNKS,
    b"\x00",
    b"\x16",
    b"\xff",
]


def lines() -> st.SearchStrategy[bytes]:
    """Bytes that go far before they go wrong."""
    return st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=4)), max_size=24).map(
        b"".join
    )


def requests() -> st.SearchStrategy[bytes]:
    """Mostly valid requests, their headers in any order and number, with a
    body that may not fit.
    """
    heads = st.lists(st.sampled_from(FIELDS), max_size=4).map(b"".join)
    bodies = st.sampled_from(
        [
            b"",
            b"",
            b"abc",
            b"abcabcabcabc",
            b"3\r\nabc\r\n0\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
            b"0\r\n",
        ]
    )
    one = st.builds(
        lambda line, host, head, body: line + host + head + b"\r\n" + body,
        st.sampled_from(REQUEST_LINES),
        st.sampled_from([b"", HOST, HOST, HOST]),
        heads,
        bodies,
    )
    return st.lists(one, min_size=1, max_size=4).map(b"".join)


@settings(derandomize=True, deadline=None, max_examples=examples(600))
@given(
    st.one_of(lines(), requests(), st.binary(max_size=300)),
    st.lists(st.integers(0, 400), max_size=10).map(sorted),
)
def test_any_bytes_mean_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    whole = fed([data])
    assert fed(one_by_one(data)) == whole
    assert fed(data[a:b] for a, b in pairwise([0, *cuts, len(data)]) if a < b) == fed(
        [data[: max([0, *cuts, len(data)])]]
    )
    assert fed([GET + data]) == whole._replace(asked=[GOOD, *whole.asked])


# -- a second opinion ------------------------------------------------------------------------------


def heard_by_h11(data: bytes) -> list[tuple[Asked, tuple[tuple[str, str], ...]]]:
    """The requests that h11 accepts, up to the first one that it minds."""
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    server.receive_data(data)
    requests: list[tuple[Asked, tuple[tuple[str, str], ...]]] = []
    request: h11.Request | None = None
    body = b""
    while True:
        try:
            event = server.next_event()
        except h11.RemoteProtocolError:
            return requests
        match event:
            case h11.Request():
                request, body = event, b""
            case h11.Data(data=piece):
                body += piece
            case h11.EndOfMessage():
                assert request is not None
                headers = tuple(
                    (n.decode("latin-1"), v.decode("latin-1"))
                    for n, v in request.headers.raw_items()
                )
                requests.append((Asked(request.method, request.target, body), headers))
                server.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                server.send(h11.EndOfMessage())
                if server.our_state is not h11.DONE or server.their_state is not h11.DONE:
                    return requests
                server.start_next_cycle()
            case _:
                return requests


def heard_by_us(data: bytes) -> list[tuple[Asked, tuple[tuple[str, str], ...]]]:
    connection = Http1Connection(max_body=MAX_BODY)
    return [
        (asked(request), request.head.pairs())
        for request in answered(connection, connection.receive(data))
    ]


def agree(data: bytes) -> int:
    """How many requests both accept; each of them must be the same to both."""
    ours, theirs = heard_by_us(data), heard_by_h11(data)
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]
    return both


# h11 keeps scheme and host
@pytest.mark.parametrize("name", [name for name in VALID if "absolute" not in name])
def test_h11_reads_the_same(name: str) -> None:
    assert agree(VALID[name][0]) == (
        name
        not in (
            "an empty line before it",
            "bytes above ASCII",
            "chunked in capitals, with extensions",
        )
    )


@refused
def test_what_h11_accepts_of_a_refused_request_we_do_not(data: bytes, status: int) -> None:
    """Where h11 is more lenient, the one request is all it may see: we never
    read another instead.
    """
    assert agree(GET + data) == 1


@settings(derandomize=True, deadline=None, max_examples=examples(800))
@given(st.one_of(requests(), lines()))
def test_h11_agrees_on_every_request_that_both_accept(data: bytes) -> None:
    agree(GET + data)


def test_the_second_opinion_is_asked_often() -> None:
    """The strategy above must not consist of requests that one side refuses."""
    counts: list[int] = []

    @settings(derandomize=True, deadline=None, max_examples=200, database=None)
    @given(requests())
    def count(data: bytes) -> None:
        counts.append(agree(data))

    count()
    assert sum(counts) > 60
    assert max(counts) >= 2


@settings(derandomize=True, deadline=None, max_examples=examples(200))
@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(sorted(REQUESTS)))
def test_h11_reads_whatever_we_write(pieces: list[bytes], name: str) -> None:
    data, method, _ = REQUESTS[name]
    connection = Http1Connection(max_body=MAX_BODY)
    (request,) = connection.receive(data)
    connection.start(request.stream, 200, CHUNKED)
    for piece in pieces:
        connection.send(request.stream, piece)
    connection.finish(request.stream)
    assert understood(connection.take(), method).body == (
        b"" if method == b"HEAD" else b"".join(pieces)
    )


@settings(derandomize=True, deadline=None, max_examples=examples(200))
@given(
    st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(sorted(REQUESTS)), st.booleans()
)
def test_a_stream_at_once_is_the_stream_piece_by_piece(
    pieces: list[bytes], name: str, last: bool
) -> None:
    data, _, _ = REQUESTS[name]
    slow, fast = Http1Connection(max_body=MAX_BODY), Http1Connection(max_body=MAX_BODY)
    for connection in (slow, fast):
        connection.receive(data)
        if last:
            connection.receive_eof()
    slow.start(1, 200, CHUNKED)
    for piece in pieces:
        slow.send(1, piece)
    slow.finish(1)
    fast.respond_stream(
        1, Reply(200, CHUNKED, tuple(Piece(0, piece) for piece in pieces), streamed=True)
    )
    assert (fast.take(), fast.closing, fast.incomplete) == (
        slow.take(),
        slow.closing,
        slow.incomplete,
    )
    fast.respond_stream(1, Reply(200, CHUNKED, (Piece(0, b"to nobody"),), streamed=True))
    assert fast.take() == b""


DATED = ((b"Content-Type", b"text/plain"), (b"DATE", DATE), (b"Content-Length", b"2"))


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_the_present_date_stands_where_its_header_waits_for_it(name: str) -> None:
    data, _, _ = REQUESTS[name]
    told, waiting = Http1Connection(max_body=MAX_BODY), Http1Connection(max_body=MAX_BODY)
    told.receive(data)
    told.respond(1, 200, tuple((n, b"now" if n == b"DATE" else v) for n, v in DATED), b"ok")
    waiting.receive(data)
    waiting.respond(1, 200, DATED, b"ok", b"now")
    assert waiting.count_pending(1) == told.count_pending(1)
    assert waiting.take() == told.take()


def test_an_answer_without_a_date_gets_none() -> None:
    connection = Http1Connection(max_body=0)
    connection.receive(GET)
    connection.respond(1, 200, OK, b"ok", b"now")
    assert b"now" not in connection.take()
