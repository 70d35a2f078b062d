"""The CONNECT of a client that uses the server as its proxy: Bedrock's hosts are answered
here, all others are refused.

The proxy forwards nothing, so it is no way out of this machine.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from bedtape_cassettes.addresses import read_host

# The first byte of CONNECT. No operation of Bedrock or of the control API has a
# method with this letter.
CONNECT = ord("C")
_MOST_BYTES = 64 * 1024
_REQUEST_LINE = re.compile(rb"CONNECT ([A-Za-z0-9.-]+):([0-9]{1,5}) HTTP/1\.[01]\r\n")
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectRequest(asyncio.Protocol):
    """Reads the head of a CONNECT request, answers it, and gives the transport
    back to the `Connection`.

    permits: whether the server has a certificate for a host. complain: is called with a line
    for each refused request.
    """

    def __init__(
        self,
        outer: asyncio.Transport,
        inner: asyncio.Protocol,
        permits: Callable[[str], bool],
        complain: Callable[[str], None],
    ) -> None:
        self._outer = outer
        self._inner = inner
        self._permits = permits
        self._complain = complain
        self._head = b""
        outer.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        if self._outer.is_closing():
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            if len(self._head) > _MOST_BYTES:
                self._refuse(431, "the head of a CONNECT request is too long")
            return
        line = _REQUEST_LINE.match(head + b"\r\n")
        if line is None:
            self._refuse(400, "expected CONNECT HOST:PORT HTTP/1.1")
            return
        host, port = line[1].decode().lower().rstrip("."), int(line[2])
        if problem := self._find_problem(host, port):
            self._complain(problem)
            self._refuse(403, problem)
            return
        self._outer.write(_ESTABLISHED)
        self._outer.set_protocol(self._inner)
        if rest:
            self._inner.data_received(rest)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def _find_problem(self, host: str, port: int) -> str | None:
        if read_host(host) is None:
            fix = (
                f"add {host} to NO_PROXY if the program may call it, and it connects without this"
                " proxy"
            )
            return (
                f"a connection to {host}:{port} was refused, because bedtape intercepts Bedrock's"
                f" hosts alone; {fix}"
            )
        if not self._permits(host):
            fix = (
                "remove the file that bedtape ca names, and bedtape creates an authority for all"
                " regions of botocore"
            )
            return (
                f"a connection to {host} was refused, because bedtape's certificate authority does"
                f" not permit it; {fix}"
            )
        return None

    def _refuse(self, status: int, reason: str) -> None:
        body = f"bedtape: {reason}\n".encode()
        head = (
            f"HTTP/1.1 {status} Refused\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._outer.write(head.encode() + body)
        self._outer.close()
