"""HTTP/1.1 as the upstream speaks it: reads requests to the byte, one after another. Sans-io.

It trusts its clients to be well-formed, as a server must not, and has no limits.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from bedtape_cassettes.model import Headers
from support.upstream.wire import Began, DataCame, Ended, Event, octets, text


class Http1:
    """One connection.

    Its requests are streams 1, 2, 3, ...; the next is not read before the last is answered.
    """

    version: Literal["1.1"] = "1.1"

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._held = bytearray()
        self._stream = 0
        self._step: Callable[[], list[Event]] = self._read_head
        self._length = 0
        self._chunked_answer = False
        self._answered = False

    def receive(self, data: bytes) -> list[Event]:
        self._held += data
        events: list[Event] = []
        while more := self._step():
            events += more
        return events

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def _read_head(self) -> list[Event]:
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return []
        first, *lines = self._take(end + 4)[:-4].split(b"\r\n")
        method, target, _ = text(first).split(" ")
        pairs = (text(line).partition(":") for line in lines)
        headers = tuple((name, value.strip(" \t")) for name, _, value in pairs)
        self._stream += 1
        self._expect_body({name.lower(): value.lower() for name, value in headers})
        return [Began(self._stream, method, target, headers)]

    def _expect_body(self, named: dict[str, str]) -> None:
        self._length = int(named.get("content-length", "0"))
        self._step = (
            self._read_chunk if named.get("transfer-encoding") == "chunked" else self._read_body
        )
        if named.get("expect") == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_body(self) -> list[Event]:
        if len(self._held) < self._length:
            return []
        body = self._take(self._length)
        self._step = self._wait
        return [DataCame(self._stream, body), Ended(self._stream)]

    def _read_chunk(self) -> list[Event]:
        line = self._held.find(b"\r\n")
        if line < 0:
            return []
        size = int(self._held[:line].split(b";")[0], 16)
        if size == 0:
            return self._read_trailers(line)
        if len(self._held) < line + size + 4:
            return []
        return [DataCame(self._stream, self._take(line + 2 + size + 2)[line + 2 : -2])]

    def _read_trailers(self, line: int) -> list[Event]:
        end = self._held.find(b"\r\n\r\n", line)
        if end < 0:
            return []
        self._take(end + 4)
        self._step = self._wait
        return [Ended(self._stream)]

    def _wait(self) -> list[Event]:
        if not self._answered:
            return []
        self._answered = False
        self._step = self._read_head
        return self._read_head()

    def head(self, stream: int, status: int, headers: Headers, length: int | None) -> None:
        self._chunked_answer = length is None
        framing = (
            ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
        )
        lines = [
            f"HTTP/1.1 {status} {_reason(status)}",
            *(f"{name}: {value}" for name, value in (*headers, framing)),
        ]
        self._write(octets("\r\n".join([*lines, "", ""])))

    def data(self, stream: int, data: bytes) -> None:
        if not self._chunked_answer:
            self._write(data)
        elif data:  # an empty chunk would be the last
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, stream: int, trailers: Headers = ()) -> None:
        if self._chunked_answer:
            self._write(
                b"0\r\n%b\r\n"
                % b"".join(octets(f"{name}: {value}\r\n") for name, value in trailers)
            )
        self._answered = True

    def reset(self, stream: int) -> bool:
        return False


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
