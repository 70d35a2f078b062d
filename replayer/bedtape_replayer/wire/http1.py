"""The server side of an HTTP/1.1 connection, sans-io.

The connection turns bytes into requests and answers into bytes. It answers one request at a time,
in order. A pipelined request waits in the buffer until the previous request is answered. The parser
is strict wherever two lenient parsers could read two different requests (RFC 9112, sections 2.2,
5.1 and 6.3). The connection writes refusals itself. It opens no socket and reads no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.service_operations import is_duplex
from bedtape_replayer.wire.http1_body import BodyReader
from bedtape_replayer.wire.http1_grammar import (
    FIELDS,
    MAX_HEAD,
    REQUEST_LINE,
    RequestError,
    is_chunked,
    keeps_alive,
    make_head_size_error,
    make_request_line_error,
    parse_content_length,
    parse_framing,
    strip_origin,
)
from bedtape_replayer.wire.http1_head import encode, encode_head
from bedtape_replayer.wire.http1_whole import HeadForms, WholeRequestReader
from bedtape_replayer.wire.messages import (
    DataReceived,
    HeadReceived,
    InputEnded,
    Received,
    RequestReceived,
    StreamClosed,
    render_refusal,
)

# After a refusal, this many bytes of the request are read and discarded. If the server closed at
# once, the kernel would reset the connection, and the client would see the reset instead of the
# answer.
MAX_DRAINED = 1024 * 1024 * 1024

_PROTOCOL_ERROR = 1  # the error code of HTTP/2


class _State(IntEnum):
    HEAD = 0
    BODY = auto()
    ANSWERING = auto()
    DRAINING = auto()


class Http1Connection:
    """One HTTP/1.1 connection.

    max_body: the largest request body, in bytes.
    forms: the forms of heads that all connections share.
    closing: whether the server must close the connection after it has written the bytes from
        `take`.
    ending: whether the next answer is the last answer. Its head then has `Connection: close`.
    stream: the number of the current request on this connection, from 1.
    """

    def __init__(self, *, max_body: int, forms: HeadForms | None = None) -> None:
        self.closing = False
        self.ending = False
        self.stream = 0
        self._max_body = max_body
        self._whole = WholeRequestReader(max_body, HeadForms() if forms is None else forms)
        # Most requests arrive in one or two pieces and are parsed without a copy. An incomplete
        # rest is copied to a bytearray.
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._searched = 0
        self._state = _State.HEAD
        self._out: list[bytes] = []
        # Most answers are taken at once, so their bytes are counted in `count_pending` only.
        self._counted = self._pending = 0
        self._keep_alive = True
        self._chunked_answer = False
        self._eof = False
        self._unread = False  # whether `receive` has not parsed the buffer since the last answer
        self._drained = 0
        self._line = (b"", b"", b"")  # method, target, minor version
        self._head = Head(b"\r\n")
        # Of the request that is read, or of a duplex request that is answered while it is read.
        self._body: BodyReader | None = None
        self._events: list[Received] = []

    # -- receiving ---------------------------------------------------------------------------------

    @property
    def incomplete(self) -> bool:
        """Whether a part of a request has arrived, but not all of it."""
        return self._state != _State.ANSWERING and (
            self._state != _State.HEAD or bool(self._buffer)
        )

    @property
    def expects_input(self) -> bool:
        """Whether the connection answers a duplex request before the request's end has arrived."""
        return self._state == _State.ANSWERING and self._body is not None

    @property
    def at_rest(self) -> bool:
        """Whether the connection waits for the next request and no byte of the request has
        arrived.
        """
        return self._state == _State.HEAD and not self._buffer and not self.closing

    @property
    def lingering(self) -> bool:
        """Whether a refusal has been written and the client has to close the connection."""
        return self._state == _State.DRAINING

    @property
    def buffered_bytes(self) -> int:
        """The number of bytes of pipelined requests that have not been parsed."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Received]:
        """Return the complete request, or the parts of a duplex request, or an empty list.

        After the answer to a request, call `receive` with no data to get
        the next pipelined request.
        """
        if self.closing:
            return []
        if (
            not self._buffer
            and self._state == _State.HEAD
            and (whole := self._whole.read(data)) is not None
        ):
            method, target, head, body = whole
            self._line, self._keep_alive = (method, target, b"1"), True
            self._state = _State.ANSWERING
            self.stream += 1
            return [RequestReceived(self.stream, method, target, head, body)]
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
        self._unread = False
        try:
            while self._parse():
                pass
        except RequestError as error:
            if self._state == _State.ANSWERING:
                self._break_off()
            else:
                self.refuse(error.status, error.message)
        self._keep_rest()
        if self._events:
            events, self._events = self._events, []
            return events
        if self._eof and self._state != _State.ANSWERING:
            self.closing = True
        return []

    def receive_eof(self) -> None:
        """Record that the client sends no more bytes.

        Complete requests are still answered. An incomplete request is dropped.
        """
        self._eof = True
        if self._state != _State.ANSWERING and not self._unread:
            self.closing = True

    def refuse(self, status: int, message: str) -> None:
        """Answer with a refusal and discard the rest of the request; see `lingering`."""
        headers, body = render_refusal(message)
        self._out.append(encode_head(status, headers, b"1", False).after + body)
        self._buffer, self._at, self._body = b"", 0, None
        self._state = _State.DRAINING

    def _break_off(self) -> None:
        """End the connection, because the rest of a duplex request cannot be read."""
        self._body, self.closing, self._keep_alive = None, True, False
        self._buffer, self._at = b"", 0
        self._events.append(StreamClosed(self.stream, _PROTOCOL_ERROR))

    def _keep_rest(self) -> None:
        """Remove the parsed bytes from the buffer.

        The rest becomes a bytearray, which grows at its end and shrinks at
        its start without a copy.
        """
        if self._at == len(self._buffer):
            self._buffer = b""
        elif isinstance(self._buffer, bytearray):
            del self._buffer[: self._at]
        else:
            self._buffer = bytearray(memoryview(self._buffer)[self._at :])
        self._at = 0

    # One parser for each state. A parser returns whether to continue with the parser of the new
    # state. It returns `False` if it needs more bytes or if the request is complete.

    def _read_head(self) -> bool:
        buffer, at = self._buffer, self._at
        while buffer.startswith(b"\r\n", at):  # RFC 9112, section 2.2: an extra CR LF
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
        return self._parse_head(bytes(buffer[at : end + 2]))

    def _check_unfinished_head(self, buffer: bytes | bytearray, at: int) -> None:
        """Raise `RequestError` if the start of a head is invalid or too long.

        The check runs before the head is complete, because the limits must not depend on
        how the bytes were split.
        """
        line_end = buffer.find(b"\n", at + self._searched)
        if buffer.startswith(b"\x16", at) or (line_end >= 0 and not REQUEST_LINE.match(buffer, at)):
            raise make_request_line_error(buffer, at)
        if len(buffer) - at > MAX_HEAD + 3:
            raise make_head_size_error()

    def _parse_head(self, head: bytes) -> bool:
        line = REQUEST_LINE.match(head)
        if line is None:
            raise make_request_line_error(head, 0)
        if len(head) > MAX_HEAD + 2:
            raise make_head_size_error()
        method, target, major, minor = line.groups()
        if major != b"1":
            raise RequestError(505, "The supported versions are HTTP/1.0, HTTP/1.1 and HTTP/2.")
        if not FIELDS.fullmatch(head, line.end()):
            raise RequestError(400, "A header line is malformed.")
        self._line, self._head = (method, strip_origin(target), minor), Head(head[line.end() - 2 :])
        return self._prepare_body(parse_framing(self._head.lowercase), minor)

    def _prepare_body(self, framing: dict[bytes, bytes], minor: bytes) -> bool:
        if minor != b"0" and b"host" not in framing:
            raise RequestError(400, "An HTTP/1.1 request must have a Host header.")
        self._keep_alive = keeps_alive(framing.get(b"connection", b""), minor)
        chunked = is_chunked(framing, minor)
        length = None if chunked else parse_content_length(framing)
        self._body = BodyReader(length, self._max_body)
        self._state = _State.BODY
        if minor != b"0" and b"expect" in framing:
            if framing[b"expect"] != b"100-continue":
                raise RequestError(417, "The only supported expectation is 100-continue.")
            if self._at == len(self._buffer) and length != 0:
                self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        if chunked and is_duplex(self._line[1]):
            self.stream += 1
            self._state = _State.ANSWERING
            self._events.append(HeadReceived(self.stream, self._line[0], self._line[1], self._head))
        return True

    def _read_body(self) -> bool:
        assert self._body is not None
        self._at = self._body.read(self._buffer, self._at)
        if self._body.complete:
            self._state = _State.ANSWERING
            self.stream += 1
            method, target, _ = self._line
            self._events.append(
                RequestReceived(self.stream, method, target, self._head, self._body.body)
            )
            self._body = None
        return False

    def _read_input(self, body: BodyReader) -> bool:
        """Read the body of a duplex request while the request is answered."""
        self._at = body.read(self._buffer, self._at)
        if data := body.take():
            self._events.append(DataReceived(self.stream, data))
        if body.complete:
            self._body = None
            self._events.append(InputEnded(self.stream))
        return False

    def _drain(self) -> bool:
        self._drained += len(self._buffer)
        self._at = len(self._buffer)
        self.closing = self.closing or self._drained > MAX_DRAINED
        return False

    def _parse(self) -> bool:
        """Call the parser of the current state."""
        match self._state:
            case _State.HEAD:
                return self._read_head()
            case _State.BODY:
                return self._read_body()
            case _State.ANSWERING if self._body is not None:
                return self._read_input(self._body)
            case _State.ANSWERING:
                return False  # the next request stays in the buffer until this one is answered
            case _State.DRAINING:
                return self._drain()

    # -- answering ---------------------------------------------------------------------------------

    def start(
        self, stream: int, status: int, headers: Sequence[tuple[bytes, bytes]], date: bytes = b""
    ) -> None:
        """Send the head of the answer.

        headers: include the framing, which is content-length or transfer-encoding.
        date: replaces the placeholder `reply.DATE`.
        """
        if self._is_answering(stream):
            self._start(status, headers, date, complete=False)

    def send(self, stream: int, data: bytes) -> None:
        """Send a piece of the body. In a chunked answer, the piece becomes one chunk."""
        if data and self._is_answering(stream) and self._line[0] != b"HEAD":
            self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked_answer else data)

    def finish(self, stream: int) -> None:
        """End the answer. After that, the next request can be read."""
        if not self._is_answering(stream):
            return
        if self._chunked_answer and self._line[0] != b"HEAD":
            self._out.append(b"0\r\n\r\n")
        self._end_answer()

    def respond(
        self,
        stream: int,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        date: bytes = b"",
    ) -> None:
        """Send a complete answer. The bytes equal those of `start`, `send` and `finish`."""
        if self._state != _State.ANSWERING or stream != self.stream:
            return
        self._start(status, headers, date)
        if self._chunked_answer:
            self.send(stream, body)
            self.finish(stream)
            return
        if self._line[0] != b"HEAD":
            self._out.append(body)
        self._end_answer()

    @property
    def keeps_alive(self) -> bool:
        """Whether the current answer is a whole one in HTTP/1.1 that keeps the connection."""
        return self._keep_alive and not self._eof and not self.ending and self._body is None

    def end_again(self) -> None:
        """End an answer that was written as it was encoded before. Only if it `keeps_alive`."""
        self._state = _State.HEAD

    def respond_stream(self, stream: int, reply: Reply, date: bytes = b"") -> None:
        """Send a complete streamed answer.

        The bytes equal those of `start`, one `send` for each piece, and `finish`.
        """
        if self._state != _State.ANSWERING or stream != self.stream:
            return
        self._start(reply.status, reply.headers, date)
        if self._line[0] != b"HEAD":
            self._out.append(reply.http1_chunks if self._chunked_answer else reply.body)
        self._end_answer()

    def _is_answering(self, stream: int) -> bool:
        # `respond` and `respond_stream` contain this condition, because most answers use them
        return self._state == _State.ANSWERING and stream == self.stream

    def _start(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        date: bytes,
        *,
        complete: bool = True,
    ) -> None:
        """Write the head. complete: whether the whole answer is known."""
        is_last = (self._eof and not self._buffer) or self.ending
        # After an answer that does not wait for the end of its request, the connection closes.
        # An answer in chunks may wait. A client that reads `Connection: close` in such a head sends
        # no more of its request, as AWS's CRT does.
        waits = self._body is None or (not complete and _is_chunked(headers))
        head = encode(status, headers, self._line[2], self._keep_alive and waits and not is_last)
        self._chunked_answer, self._keep_alive = head.chunked, head.keep_alive
        if head.dated:
            self._out += (head.before, date, head.after)
        else:
            self._out.append(head.after)

    def _end_answer(self) -> None:
        if self._body is not None:
            self._body, self._state = None, _State.DRAINING
            return
        self._state = _State.HEAD
        self._unread = bool(self._buffer)
        self.closing = not self._keep_alive or (self._eof and not self._buffer)

    def count_pending(self, stream: int) -> int:  # noqa: ARG002 - HTTP/2 needs it
        """Return how many bytes wait for `take`. HTTP/1.1 leaves flow control to TCP."""
        if self._counted != len(self._out):
            self._pending += sum(map(len, self._out[self._counted :]))
            self._counted = len(self._out)
        return self._pending

    def take(self) -> bytes:
        """Return and remove all bytes that are ready to be written."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._counted = self._pending = 0
        return data


def _is_chunked(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"transfer-encoding" for name, _ in headers)
