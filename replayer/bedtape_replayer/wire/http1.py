"""HTTP/1.1 for a server, sans-io: bytes in, requests out; answers in, bytes out.

One answer at a time, in order: a pipelined request waits in the buffer until the one before it is answered. Strict
where leniency would let two readers see two different requests (RFC 9112 sections 2.2, 5.1, 6.3), and it answers what
it refuses itself. It will never open a socket or look at the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import IntEnum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import ClassVar, NamedTuple

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply, is_date
from bedtape_replayer.wire.refusal import refusal_body

__all__ = ["Http1Connection", "RequestReceived"]

# nginx takes 32 KiB of headers by default, Node 16 KiB, AWS's own load balancers 64 KiB.
MAX_HEAD = 64 * 1024
MAX_TRAILERS = 16 * 1024
MAX_CHUNK_LINE = 1024
# After a refusal the rest of the request is read and thrown away for a while: closing at once would make the kernel
# reset the connection, and the client would see that instead of the answer.
MAX_DRAINED = 1024 * 1024 * 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TARGET = rb"[\x21-\x7e\x80-\xff]++"
_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/(\d)\.(\d)\r\n")
_FIELDS = re.compile(_LINES)
# The headers that say where a request ends, in one look: to search for each of them costs more than all the rest.
_FRAMING = re.compile(rb"\r\n(connection|content-length|expect|host|transfer-encoding):([^\r]*+)")
# What `_read_at_once` takes: a whole head, and the framing that nearly all have.
_WHOLE_HEAD = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/1\.1\r\n" + _LINES + rb"\r\n")
_USUAL = frozenset({b"connection", b"content-length", b"host"})
_SLASH = ord("/")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[\t ]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?")

_Headers = tuple[tuple[bytes, bytes], ...]


class RequestReceived(NamedTuple):
    """A whole request."""

    stream: int
    method: bytes
    target: bytes
    head: Head
    body: bytes


class _State(IntEnum):
    HEAD = 0
    BODY = auto()
    CHUNK_LINE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    ANSWERING = auto()
    DRAINING = auto()


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Encoded(NamedTuple):
    """A response's head as it goes out, before and after the present date, and what follows from it."""

    before: bytes
    after: bytes
    dated: bool
    chunked: bool
    keep_alive: bool


# As many as there are recordings in a large suite.
@lru_cache(maxsize=8192)
def _encode_head(status: int, headers: _Headers, minor: bytes, keep_alive: bool) -> _Encoded:
    """The head in the form that a client of HTTP/1.`minor` understands."""
    named = {name.lower(): value.lower() for name, value in headers}
    chunked = b"transfer-encoding" in named
    dropped = set()
    if chunked and minor == b"0":  # HTTP/1.0 knows no chunks: the end of the connection ends the answer
        chunked = keep_alive = False
        dropped.add(b"transfer-encoding")
    keep_alive = keep_alive and named.get(b"connection") != b"close"
    added: _Headers = ()
    if not keep_alive:
        dropped.add(b"connection")
        added = ((b"Connection", b"close"),)
    elif minor == b"0" and b"connection" not in named:
        added = ((b"Connection", b"keep-alive"),)
    kept = [pair for pair in headers if pair[0].lower() not in dropped]
    lines = [_status_line(status), *(b"%b: %b" % pair for pair in (*kept, *added))]
    hole = next((number for number, pair in enumerate(kept, 2) if is_date(*pair)), 0)
    before = b"\r\n".join(lines[:hole])
    after = b"\r\n".join([b"", *lines[hole:], b"", b""] if hole else [*lines, b"", b""])
    return _Encoded(before, after, hole > 0, chunked, keep_alive)


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    return b"HTTP/1.1 %d %b" % (status, phrase)


class Http1Connection:
    """One connection. `closing` says: write what `take` gives, then close."""

    def __init__(self, *, max_body: int) -> None:
        self.closing = False
        self.stream = 0
        self._max_body = max_body
        # Most requests come in one piece or two, and are read where they lie. What stays becomes a bytearray.
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._searched = 0
        self._state = _State.HEAD
        self._out: list[bytes] = []
        self._pending = 0
        self._keep_alive = True
        self._chunked_answer = False
        self._eof = False
        self._drained = 0
        self._line = (b"", b"", b"")  # method, target, minor version
        self._head = Head(b"\r\n")
        self._length = 0
        self._body: bytes | bytearray = b""
        self._request: RequestReceived | None = None

    # -- receiving ---------------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> bool:
        """Whether a request has begun to come and is not whole."""
        return self._state != _State.ANSWERING and (self._state != _State.HEAD or bool(self._buffer))

    @property
    def at_rest(self) -> bool:
        """Whether it only waits for a next request, of which nothing has come."""
        return self._state == _State.HEAD and not self._buffer and not self.closing

    @property
    def lingering(self) -> bool:
        """Whether all is said and the client only has to hang up."""
        return self._state == _State.DRAINING

    @property
    def buffered(self) -> int:
        """Bytes of pipelined requests that wait for their turn."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[RequestReceived]:
        """The request that is whole now, if one is. Call again with nothing once it is answered: pipelining."""
        if self.closing:
            return []
        if not self._buffer and self._state == _State.HEAD and (whole := self._read_at_once(data)) is not None:
            return [whole]
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
        try:
            while self._parsers[self._state](self):
                pass
        except _Refused as refused:
            self.refuse(refused.status, refused.message)
        self._keep_rest()
        request, self._request = self._request, None
        if request is not None:
            return [request]
        if self._eof and self._state != _State.ANSWERING:
            self.closing = True
        return []

    def eof(self) -> None:
        """The client will send no more. What it asked is still answered, what it only began to ask is not."""
        self._eof = True
        if self._state != _State.ANSWERING:
            self.closing = True

    def refuse(self, status: int, message: str) -> None:
        """Answers with an error of our own. What still comes of the request is thrown away; see `lingering`."""
        body = refusal_body(message)
        headers = (
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
            (b"x-amzn-ErrorType", b"ValidationException"),
        )
        self._put(_encode_head(status, headers, b"1", False).after + body)
        self._buffer, self._at, self._body = b"", 0, b""
        self._state = _State.DRAINING

    def _keep_rest(self) -> None:
        """Forgets what is read. A bytearray grows at its end and shrinks at its start without being copied."""
        if self._at == len(self._buffer):
            self._buffer = b""
        elif isinstance(self._buffer, bytearray):
            del self._buffer[: self._at]
        else:
            self._buffer = bytearray(memoryview(self._buffer)[self._at :])
        self._at = 0

    def _read_at_once(self, data: bytes) -> RequestReceived | None:
        """The request, where it came in one piece and holds nothing unusual; else None, and nothing is changed.

        Most requests are such. What is read here the parsers below read too, and find the same in it.
        """
        whole = _WHOLE_HEAD.match(data)
        if whole is None or whole.end() > MAX_HEAD:
            return None
        method, target = whole.groups()
        end = whole.end()
        head = Head(data[whole.end(2) + 9 : end - 2])
        found = _FRAMING.findall(head.lowered)
        framing = dict(found)
        length = framing.get(b"content-length", b"0").strip(b" \t")
        if len(framing) != len(found) or not framing.keys() <= _USUAL or b"host" not in framing or len(length) > 18:
            return None
        if framing.get(b"connection", b" keep-alive") != b" keep-alive":
            return None
        body = data[end:]
        if not length.isdigit() or int(length) != len(body) or len(body) > self._max_body:
            return None
        if target[0] != _SLASH:
            target = _path(target)
        self._line, self._keep_alive, self._state = (method, target, b"1"), True, _State.ANSWERING
        self.stream += 1
        return RequestReceived(self.stream, method, target, head, body)

    # The parsers, one a state. Each says whether to go on with the state that it leaves behind, which it may not
    # where it needs more bytes, or where the request is whole.

    def _read_head(self) -> bool:
        buffer, at = self._buffer, self._at
        while buffer.startswith(b"\r\n", at):  # RFC 9112 section 2.2: some clients end a body with an extra CR LF
            at += 2
            self._searched = 0
        self._at = at
        end = buffer.find(b"\r\n\r\n", at + max(0, self._searched - 3))
        if end < 0:
            self._check_unfinished_head(buffer, at)
            self._searched = len(buffer) - at
            return False
        self._searched = 0
        self._at = end + 4
        return self._begin(bytes(buffer[at : end + 2]))

    def _check_unfinished_head(self, buffer: bytes | bytearray, at: int) -> None:
        """What can be said before the end: no limit may depend on how the bytes were cut."""
        line_end = buffer.find(b"\n", at + self._searched)
        if buffer.startswith(b"\x16", at) or (line_end >= 0 and not _REQUEST_LINE.match(buffer, at)):
            raise _not_a_request(buffer, at)
        if len(buffer) - at > MAX_HEAD + 3:
            raise _too_long_a_head()

    def _begin(self, head: bytes) -> bool:
        line = _REQUEST_LINE.match(head)
        if line is None:
            raise _not_a_request(head, 0)
        if len(head) > MAX_HEAD + 2:
            raise _too_long_a_head()
        method, target, major, minor = line.groups()
        if major != b"1":
            raise _Refused(505, "Only HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here.")
        if not _FIELDS.fullmatch(head, line.end()):
            raise _Refused(400, "A header line is malformed.")
        self._line, self._head = (method, _path(target), minor), Head(head[line.end() - 2 :])
        return self._expect_body(_framing(self._head.lowered), minor)

    def _expect_body(self, framing: dict[bytes, bytes], minor: bytes) -> bool:
        if minor != b"0" and b"host" not in framing:
            raise _Refused(400, "A request of HTTP/1.1 has a Host header.")
        self._keep_alive = _keeps_alive(framing.get(b"connection", b""), minor)
        chunked = _is_chunked(framing, minor)
        self._length = 0 if chunked else _content_length(framing)
        if self._length > self._max_body:
            raise self._too_large()
        self._state = _State.CHUNK_LINE if chunked else _State.BODY
        if minor != b"0" and b"expect" in framing:
            if framing[b"expect"] != b"100-continue":
                raise _Refused(417, "The only expectation known here is 100-continue.")
            if self._at == len(self._buffer) and (chunked or self._length):
                self._put(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_in(self) -> None:
        """Moves what is there of a body, or of a chunk, to where it is collected."""
        data = self._buffer[self._at : self._at + self._length]
        self._at += len(data)
        self._length -= len(data)
        if not self._body:
            self._body = data
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += data

    def _read_body(self) -> bool:
        if self._length:
            self._take_in()
        return False if self._length else self._whole()

    def _read_chunk_line(self) -> bool:
        end = self._buffer.find(b"\r\n", self._at, self._at + MAX_CHUNK_LINE + 2)
        if end < 0:
            if len(self._buffer) - self._at >= MAX_CHUNK_LINE + 2:
                raise _Refused(400, "A chunk's size line is too long.")
            return False
        line = _CHUNK_LINE.fullmatch(self._buffer, self._at, end)
        if line is None:
            raise _Refused(400, "A chunk's size is not a hexadecimal number.")
        self._length = int(line[1], 16)
        if len(self._body) + self._length > self._max_body:
            raise self._too_large()
        self._at = end + 2
        self._state = _State.CHUNK if self._length else _State.TRAILERS
        return True

    def _read_chunk(self) -> bool:
        self._take_in()
        if self._length:
            return False
        self._state = _State.CHUNK_END
        return True

    def _read_chunk_end(self) -> bool:
        end = self._buffer[self._at : self._at + 2]
        if not b"\r\n".startswith(end):
            raise _Refused(400, "A chunk does not end where its size says.")
        if len(end) < 2:
            return False
        self._at += 2
        self._state = _State.CHUNK_LINE
        return True

    def _read_trailers(self) -> bool:
        """Trailers are checked, and nobody is told of them."""
        buffer, at = self._buffer, self._at
        if buffer.startswith(b"\r\n", at):
            self._at = at + 2
            return self._whole()
        end = buffer.find(b"\r\n\r\n", at)
        if end - at > MAX_TRAILERS or (end < 0 and len(buffer) - at > MAX_TRAILERS + 3):
            raise _Refused(431, f"The request's trailers are longer than {MAX_TRAILERS} bytes.")
        if end < 0:
            return False
        if not _FIELDS.fullmatch(buffer, at, end + 2):
            raise _Refused(400, "A trailer line is malformed.")
        self._at = end + 4
        return self._whole()

    def _whole(self) -> bool:
        self._state = _State.ANSWERING
        self.stream += 1
        method, target, _ = self._line
        self._request = RequestReceived(self.stream, method, target, self._head, bytes(self._body))
        self._body = b""
        return False

    def _wait(self) -> bool:
        """The next request is not looked at before this one is answered."""
        return False

    def _drain(self) -> bool:
        self._drained += len(self._buffer)
        self._at = len(self._buffer)
        self.closing = self.closing or self._drained > MAX_DRAINED
        return False

    _parsers: ClassVar[tuple[Callable[[Http1Connection], bool], ...]] = (
        _read_head,
        _read_body,
        _read_chunk_line,
        _read_chunk,
        _read_chunk_end,
        _read_trailers,
        _wait,
        _drain,
    )

    def _too_large(self) -> _Refused:
        return _Refused(413, f"The request's body is larger than {self._max_body} bytes.")

    # -- answering ---------------------------------------------------------------------------------------------

    def start(self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]], date: bytes = b"") -> None:
        """Sends the head; headers hold the framing, content-length or transfer-encoding. date: where `reply.DATE` is."""
        if self._is_answering(stream):
            self._start(status, headers, date)

    def send(self, stream: int, data: bytes) -> None:
        """Sends a piece of the body: a chunk of its own where the answer is chunked."""
        if data and self._is_answering(stream) and self._line[0] != b"HEAD":
            self._put(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked_answer else data)

    def finish(self, stream: int) -> None:
        """Ends the answer; the next request may be read."""
        if not self._is_answering(stream):
            return
        if self._chunked_answer and self._line[0] != b"HEAD":
            self._put(b"0\r\n\r\n")
        self._end_answer()

    def respond(
        self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, date: bytes = b""
    ) -> None:
        """A whole answer at once: the bytes of `start`, `send` and `finish`."""
        if not self._is_answering(stream):
            return
        self._start(status, headers, date)
        if self._chunked_answer:
            self.send(stream, body)
            self.finish(stream)
            return
        if self._line[0] != b"HEAD":
            self._put(body)
        self._end_answer()

    def respond_streamed(self, stream: int, reply: Reply, date: bytes = b"") -> None:
        """A whole streamed answer at once: the bytes of `start`, a `send` for each piece, and `finish`."""
        if not self._is_answering(stream):
            return
        self._start(reply.status, reply.headers, date)
        if self._line[0] != b"HEAD":
            self._put(reply.chunked if self._chunked_answer else reply.whole)
        self._end_answer()

    def _is_answering(self, stream: int) -> bool:
        return self._state == _State.ANSWERING and stream == self.stream

    def _start(self, status: int, headers: Sequence[tuple[bytes, bytes]], date: bytes) -> None:
        is_last = self._eof and not self._buffer
        head = _encode_head(status, tuple(headers), self._line[2], self._keep_alive and not is_last)
        self._chunked_answer, self._keep_alive = head.chunked, head.keep_alive
        if head.dated:
            self._out += (head.before, date)
            self._pending += len(head.before) + len(date)
        self._put(head.after)

    def _end_answer(self) -> None:
        self._state = _State.HEAD
        self.closing = not self._keep_alive or (self._eof and not self._buffer)

    def _put(self, data: bytes) -> None:
        self._out.append(data)
        self._pending += len(data)

    def pending(self, stream: int) -> int:  # noqa: ARG002 - HTTP/2 needs it
        """How many bytes wait to be taken. Nothing is held back here: flow control is TCP's."""
        return self._pending

    def take(self) -> bytes:
        """All bytes to write now."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._pending = 0
        return data


def _not_a_request(data: bytes | bytearray, at: int) -> _Refused:
    if data.startswith(b"\x16", at):  # how TLS begins
        return _Refused(400, "This port speaks plain HTTP: use http://, not https://.")
    return _Refused(400, "That is not an HTTP/1.1 request line.")


def _too_long_a_head() -> _Refused:
    return _Refused(431, f"The request's headers are longer than {MAX_HEAD} bytes.")


def _path(target: bytes) -> bytes:
    """The target without scheme and host, which a client sends that takes us for its proxy (RFC 9112 section 3.2.2)."""
    if target[:1] not in b"hH":
        return target
    path = _ABSOLUTE.sub(b"", target, count=1)
    return b"/" + path if path != target and path[:1] != b"/" else path


def _framing(lowered: bytes) -> dict[bytes, bytes]:
    """The headers that say where the request ends and what follows it, by name, of header lines in lower case.

    A list may stand in several lines. What is no list and stands twice is one thing to one reader and another to the
    next (RFC 9112 sections 3.2 and 6.3).
    """
    framing: dict[bytes, bytes] = {}
    for name, value in _FRAMING.findall(lowered):
        if name not in framing:
            framing[name] = value.strip(b" \t")
        elif name == b"connection":
            framing[name] += b"," + value
        else:
            raise _Refused(400, f"The header {name.decode()} stands twice.")
    return framing


def _content_length(framing: dict[bytes, bytes]) -> int:
    value = framing.get(b"content-length", b"0")
    if not value.isdigit() or len(value) > 18:
        raise _Refused(400, "The content-length is not a number of up to 18 digits.")
    return int(value)


def _is_chunked(framing: dict[bytes, bytes], minor: bytes) -> bool:
    coding = framing.get(b"transfer-encoding")
    if coding is None:
        return False
    if b"content-length" in framing:  # two lengths are how requests are smuggled: RFC 9112 section 6.3
        raise _Refused(400, "A request has a content-length or a transfer-encoding, not both.")
    if minor == b"0":  # section 6.1: whoever handed it on may not have understood it
        raise _Refused(400, "A request of HTTP/1.0 has no transfer-encoding.")
    if coding != b"chunked":
        raise _Refused(501, "The only transfer-encoding known here is chunked.")
    return True


def _keeps_alive(connection: bytes, minor: bytes) -> bool:
    options = [option.strip(b" \t") for option in connection.split(b",")] if connection else []
    return b"close" not in options and (minor != b"0" or b"keep-alive" in options)
