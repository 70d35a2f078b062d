"""HTTP/1.1 for a server, sans-io: bytes in, requests out; answers in, bytes out.

One answer at a time, in order: a pipelined request waits in the buffer until the one before it is answered. Strict
where leniency would let two readers see two different requests (RFC 9112 sections 2.2, 5.1, 6.3), and it answers what
it refuses itself. It will never open a socket or look at the clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus

from bedtape_replayer.refusal import refusal_body

__all__ = ["Http1Connection", "RequestReceived"]

# nginx takes 32 KiB of headers by default, Node 16 KiB, AWS's own load balancers 64 KiB.
MAX_HEAD = 64 * 1024
MAX_TRAILERS = 16 * 1024
MAX_CHUNK_LINE = 1024
# After a refusal the rest of the request is read and thrown away for a while: closing at once would make the kernel
# reset the connection, and the client would see that instead of the answer.
MAX_DRAINED = 1024 * 1024 * 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]++) HTTP/(\d)\.(\d)\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[\t ]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?")


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A whole request. `fields` are the header lines as they came, from the CR LF before the first to the last's."""

    stream: int
    method: bytes
    target: bytes
    fields: bytes
    body: bytes


class _State(Enum):
    HEAD = auto()
    BODY = auto()
    CHUNK_LINE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    ANSWERING = auto()
    DRAINING = auto()


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@lru_cache(maxsize=8192)
def _encode_head(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    lines = [b"HTTP/1.1 %d %b" % (status, phrase), *(b"%b: %b" % pair for pair in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Http1Connection:
    """One connection. `closing` says: write what `take` gives, then close."""

    def __init__(self, *, max_body: int) -> None:
        self.closing = False
        self.stream = 0
        self._max_body = max_body
        self._buffer = bytearray()
        self._searched = 0
        self._state = _State.HEAD
        self._out: list[bytes] = []
        self._keep_alive = True
        self._chunked_answer = False
        self._eof = False
        self._drained = 0
        self._request = (b"", b"", b"", b"")  # method, target, fields, version
        self._length = 0
        self._body = bytearray()

    # -- receiving ---------------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> bool:
        """Whether a request has begun to come and is not whole."""
        return self._state not in (_State.HEAD, _State.ANSWERING) or (self._state is _State.HEAD and bool(self._buffer))

    @property
    def lingering(self) -> bool:
        """Whether all is said and the client only has to hang up."""
        return self._state is _State.DRAINING

    @property
    def buffered(self) -> int:
        """Bytes of pipelined requests that wait for their turn."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[RequestReceived]:
        """The request that is whole now, if one is. Call again with nothing once it is answered: pipelining."""
        self._buffer += data
        try:
            while not self.closing and (step := self._parsers[self._state]) is not None:
                request = step(self)
                if request is None:
                    break
                if request is not _PROGRESS:
                    return [request]
        except _Refused as refused:
            self.refuse(refused.status, refused.message)
        return []

    def eof(self) -> None:
        """The client will send no more. What it asked is still answered."""
        self._eof = True
        if self._state is not _State.ANSWERING:
            self.closing = True

    def refuse(self, status: int, message: str) -> None:
        """Answers with an error of our own. What still comes of the request is thrown away; see `lingering`."""
        body = refusal_body(message)
        head = _encode_head(
            status,
            (
                (b"Content-Type", b"application/json"),
                (b"Content-Length", b"%d" % len(body)),
                (b"Connection", b"close"),
                (b"x-amzn-ErrorType", b"ValidationException"),
            ),
        )
        self._out.append(head + body)
        self._buffer.clear()
        self._state = _State.DRAINING

    def _read_head(self) -> RequestReceived | None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":  # RFC 9112 section 2.2: some clients end a body with an extra CR LF
            del buffer[:2]
            self._searched = 0
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._check_unfinished_head()
            self._searched = len(buffer)
            return None
        self._searched = 0
        if end > MAX_HEAD:
            raise _Refused(431, f"The request's headers are longer than {MAX_HEAD} bytes.")
        head = bytes(buffer[: end + 2])
        del buffer[: end + 4]
        return self._begin(head)

    def _check_unfinished_head(self) -> None:
        buffer = self._buffer
        if buffer[:1] == b"\x16":  # how TLS begins
            raise _Refused(400, "This port speaks plain HTTP: use http://, not https://.")
        if len(buffer) > MAX_HEAD:
            raise _Refused(431, f"The request's headers are longer than {MAX_HEAD} bytes.")
        if self._searched == 0 and b"\n" in buffer and not _REQUEST_LINE.match(buffer):
            raise _Refused(400, "That is not an HTTP/1.1 request line.")

    def _begin(self, head: bytes) -> RequestReceived | None:
        line = _REQUEST_LINE.match(head)
        if line is None:
            raise _Refused(400, "That is not an HTTP/1.1 request line.")
        method, target, major, minor = line.groups()
        if major != b"1":
            raise _Refused(505, "Only HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here.")
        fields = head[line.end() - 2 :]
        if not _FIELDS.fullmatch(head, line.end()):
            raise _Refused(400, "A header line is malformed.")
        self._request = (method, _ABSOLUTE.sub(b"", target, count=1) if target[:1] in b"hH" else target, fields, minor)
        lowered = fields.lower()
        self._keep_alive = _keeps_alive(lowered, minor)
        if minor != b"0" and b"\r\nhost:" not in lowered:
            raise _Refused(400, "A request of HTTP/1.1 has a Host header.")
        return self._expect_body(lowered, minor)

    def _expect_body(self, lowered: bytes, minor: bytes) -> RequestReceived | None:
        self._body = bytearray()
        chunked = _is_chunked(lowered)
        self._length = 0 if chunked else _content_length(lowered)
        if self._length > self._max_body:
            raise _Refused(413, _too_large(self._max_body))
        self._state = _State.CHUNK_LINE if chunked else _State.BODY
        if b"\r\nexpect:" in lowered and minor != b"0" and not self._buffer and (chunked or self._length):
            if _value(lowered, b"expect") != b"100-continue":
                raise _Refused(417, "The only expectation known here is 100-continue.")
            self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        return _PROGRESS

    def _read_body(self) -> RequestReceived | None:
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        return self._whole(body)

    def _whole(self, body: bytes) -> RequestReceived:
        self._state = _State.ANSWERING
        self.stream += 1
        method, target, fields, _ = self._request
        return RequestReceived(self.stream, method, target, fields, body)

    def _read_chunk_line(self) -> RequestReceived | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_CHUNK_LINE:
                raise _Refused(400, "A chunk's size line is too long.")
            return None
        line = _CHUNK_LINE.fullmatch(self._buffer, 0, end)
        if line is None:
            raise _Refused(400, "A chunk's size is not a hexadecimal number.")
        self._length = int(line[1], 16)
        if len(self._body) + self._length > self._max_body:
            raise _Refused(413, _too_large(self._max_body))
        del self._buffer[: end + 2]
        self._state = _State.CHUNK if self._length else _State.TRAILERS
        return _PROGRESS

    def _read_chunk(self) -> RequestReceived | None:
        if len(self._buffer) < self._length + 2:
            return None
        if self._buffer[self._length : self._length + 2] != b"\r\n":
            raise _Refused(400, "A chunk does not end where its size says.")
        self._body += self._buffer[: self._length]
        del self._buffer[: self._length + 2]
        self._state = _State.CHUNK_LINE
        return _PROGRESS

    def _read_trailers(self) -> RequestReceived | None:
        if self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
            return self._whole(bytes(self._body))
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_TRAILERS or (end < 0 and len(self._buffer) > MAX_TRAILERS):
            raise _Refused(431, "The request's trailers are too long.")
        if end < 0:
            return None
        if not _FIELDS.fullmatch(self._buffer, 0, end + 2):
            raise _Refused(400, "A trailer line is malformed.")
        del self._buffer[: end + 4]
        return self._whole(bytes(self._body))

    def _drain(self) -> RequestReceived | None:
        self._drained += len(self._buffer)
        self._buffer.clear()
        self.closing = self._drained > MAX_DRAINED
        return None

    _parsers = {
        _State.HEAD: _read_head,
        _State.BODY: _read_body,
        _State.CHUNK_LINE: _read_chunk_line,
        _State.CHUNK: _read_chunk,
        _State.TRAILERS: _read_trailers,
        _State.ANSWERING: None,
        _State.DRAINING: _drain,
    }

    # -- answering ---------------------------------------------------------------------------------------------

    def start(self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Sends the head; headers hold the framing, content-length or transfer-encoding."""
        if stream != self.stream or self._state is not _State.ANSWERING:
            return
        self._out.append(self._head(status, tuple(headers)))

    def _head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
        version = self._request[3]
        self._chunked_answer = any(name.lower() == b"transfer-encoding" for name, _ in headers)
        if self._chunked_answer and version == b"0":  # HTTP/1.0 knows no chunks: the end of the connection ends it
            headers = tuple(pair for pair in headers if pair[0].lower() != b"transfer-encoding")
            self._chunked_answer = self._keep_alive = False
        if self._eof or not self._keep_alive:
            self._keep_alive = False
            headers = tuple(pair for pair in headers if pair[0].lower() != b"connection")
            headers += ((b"Connection", b"close"),)
        return _encode_head(status, headers)

    def send(self, stream: int, data: bytes) -> None:
        """Sends a piece of the body: a chunk of its own where the answer is chunked."""
        if stream != self.stream or self._state is not _State.ANSWERING or not data or self._request[0] == b"HEAD":
            return
        self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked_answer else data)

    def finish(self, stream: int) -> None:
        """Ends the answer; the next request may be read."""
        if stream != self.stream or self._state is not _State.ANSWERING:
            return
        if self._chunked_answer and self._request[0] != b"HEAD":
            self._out.append(b"0\r\n\r\n")
        self._state = _State.HEAD
        self.closing = not self._keep_alive

    def respond(self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """A whole answer at once."""
        self.start(stream, status, headers)
        self.send(stream, body)
        self.finish(stream)

    def pending(self, stream: int) -> int:
        """Nothing is held back here: flow control is TCP's."""
        return 0

    def take(self) -> bytes:
        """All bytes to write now."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data


_PROGRESS = RequestReceived(0, b"", b"", b"", b"")  # a parser's word for: go on with the next state


def _too_large(limit: int) -> str:
    return f"The request's body is larger than {limit} bytes."


def _value(lowered: bytes, name: bytes) -> bytes | None:
    """The header's value; refuses one that stands twice with two values."""
    found = re.findall(rb"\r\n" + name + rb":[\t ]*([^\r]*?)[\t ]*(?=\r\n)", lowered)
    if len(set(found)) > 1:
        raise _Refused(400, f"The header {name.decode()} stands twice with different values.")
    return found[0] if found else None


def _content_length(lowered: bytes) -> int:
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = lowered.index(b"\r\n", at + 2)
    value = lowered[at + 17 : end].strip(b" \t")
    if lowered.find(b"\r\ncontent-length:", end) >= 0:
        value = _value(lowered, b"content-length") or b""
    if not value.isdigit() or len(value) > 18:
        raise _Refused(400, "The content-length is not a number.")
    return int(value)


def _is_chunked(lowered: bytes) -> bool:
    if b"\r\ntransfer-encoding:" not in lowered:
        return False
    if b"\r\ncontent-length:" in lowered:  # two lengths are how requests are smuggled: RFC 9112 section 6.3
        raise _Refused(400, "A request has a content-length or a transfer-encoding, not both.")
    if _value(lowered, b"transfer-encoding") != b"chunked":
        raise _Refused(501, "The only transfer-encoding known here is chunked.")
    return True


def _keeps_alive(lowered: bytes, minor: bytes) -> bool:
    if b"\r\nconnection:" not in lowered:
        return minor != b"0"
    options = b",".join(re.findall(rb"\r\nconnection:([^\r]*)", lowered)).split(b",")
    if minor == b"0":
        return any(option.strip() == b"keep-alive" for option in options)
    return all(option.strip() != b"close" for option in options)
