"""HTTP/1.1 for a server, sans-io: bytes in, requests out; answers in, bytes out.

One answer at a time, in order: a pipelined request waits in the buffer until the one before it is answered. Strict
where leniency would let two readers see two different requests (RFC 9112 sections 2.2, 5.1, 6.3), and it answers what
it refuses itself. It will never open a socket or look at the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum, auto
from typing import ClassVar

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.wire.http1_grammar import (
    CHUNK_LINE,
    FIELDS,
    FRAMING,
    MAX_CHUNK_LINE,
    MAX_HEAD,
    MAX_TRAILERS,
    REQUEST_LINE,
    WHOLE_HEAD,
    RequestError,
    invalid_request_line,
    is_chunked,
    keeps_alive,
    oversized_head,
    parse_content_length,
    parse_framing,
    strip_origin,
)
from bedtape_replayer.wire.http1_head import encode_head
from bedtape_replayer.wire.messages import RequestReceived, render_refusal

__all__ = ["Http1Connection"]

# After a refusal the rest of the request is read and thrown away for a while: closing at once would make the kernel
# reset the connection, and the client would see that instead of the answer.
MAX_DRAINED = 1024 * 1024 * 1024

_USUAL = frozenset({b"connection", b"content-length", b"host"})
_SLASH = ord("/")


class _State(IntEnum):
    HEAD = 0
    BODY = auto()
    CHUNK_LINE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    ANSWERING = auto()
    DRAINING = auto()


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
        except RequestError as refused:
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
        headers, body = render_refusal(message)
        self._put(encode_head(status, headers, b"1", False).after + body)
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
        whole = WHOLE_HEAD.match(data)
        if whole is None or whole.end() > MAX_HEAD:
            return None
        method, target = whole.groups()
        end = whole.end()
        head = Head(data[whole.end(2) + 9 : end - 2])
        found = FRAMING.findall(head.lowered)
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
            target = strip_origin(target)
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
        if buffer.startswith(b"\x16", at) or (line_end >= 0 and not REQUEST_LINE.match(buffer, at)):
            raise invalid_request_line(buffer, at)
        if len(buffer) - at > MAX_HEAD + 3:
            raise oversized_head()

    def _begin(self, head: bytes) -> bool:
        line = REQUEST_LINE.match(head)
        if line is None:
            raise invalid_request_line(head, 0)
        if len(head) > MAX_HEAD + 2:
            raise oversized_head()
        method, target, major, minor = line.groups()
        if major != b"1":
            raise RequestError(505, "Only HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here.")
        if not FIELDS.fullmatch(head, line.end()):
            raise RequestError(400, "A header line is malformed.")
        self._line, self._head = (method, strip_origin(target), minor), Head(head[line.end() - 2 :])
        return self._expect_body(parse_framing(self._head.lowered), minor)

    def _expect_body(self, framing: dict[bytes, bytes], minor: bytes) -> bool:
        if minor != b"0" and b"host" not in framing:
            raise RequestError(400, "A request of HTTP/1.1 has a Host header.")
        self._keep_alive = keeps_alive(framing.get(b"connection", b""), minor)
        chunked = is_chunked(framing, minor)
        self._length = 0 if chunked else parse_content_length(framing)
        if self._length > self._max_body:
            raise self._too_large()
        self._state = _State.CHUNK_LINE if chunked else _State.BODY
        if minor != b"0" and b"expect" in framing:
            if framing[b"expect"] != b"100-continue":
                raise RequestError(417, "The only expectation known here is 100-continue.")
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
                raise RequestError(400, "A chunk's size line is too long.")
            return False
        line = CHUNK_LINE.fullmatch(self._buffer, self._at, end)
        if line is None:
            raise RequestError(400, "A chunk's size is not a hexadecimal number.")
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
            raise RequestError(400, "A chunk does not end where its size says.")
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
            raise RequestError(431, f"The request's trailers are longer than {MAX_TRAILERS} bytes.")
        if end < 0:
            return False
        if not FIELDS.fullmatch(buffer, at, end + 2):
            raise RequestError(400, "A trailer line is malformed.")
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

    def _too_large(self) -> RequestError:
        return RequestError(413, f"The request's body is larger than {self._max_body} bytes.")

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
        head = encode_head(status, tuple(headers), self._line[2], self._keep_alive and not is_last)
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
