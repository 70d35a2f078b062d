"""A company's proxy on loopback.

It supports CONNECT, can require a password, and records the requests.
"""

import socket
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Self


@dataclass(frozen=True)
class ConnectRequest:
    """One CONNECT. authorization: its Proxy-Authorization, or None."""

    target: str
    authorization: str | None


class CompanyProxy:
    """A proxy whose tunnels all lead to `port` of loopback. It looks up no names.

    login: the required `user:password`; without it, the proxy answers 407.
    """

    def __init__(self, port: int, login: str | None = None) -> None:
        self._port = port
        self._wanted = None if login is None else f"Basic {b64encode(login.encode()).decode()}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._accepting = Thread(target=self._accept, daemon=True)
        self.asked: list[ConnectRequest] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def targets(self) -> set[str]:
        return {asked.target for asked in self.asked}

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                self._begin(self._serve, client)

    def _begin(self, run: object, *arguments: socket.socket) -> None:
        thread = Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]  # one of ours
        with self._lock:
            self._sockets += [each for each in arguments if each not in self._sockets]
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(ConnectionError):  # the client has gone
            self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        head = _head(client)
        method, target, *_ = head.partition("\r\n")[0].split(" ")
        named = {
            n.lower(): v.strip()
            for n, _, v in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        self.asked.append(ConnectRequest(target, named.get("proxy-authorization")))
        if method != "CONNECT" or (
            self._wanted is not None and self.asked[-1].authorization != self._wanted
        ):
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            )
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._begin(_carry, server, client)
        _carry(client, server)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()


def _head(client: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = client.recv(1)  # what follows belongs to the tunnel
        if not piece:
            return "GET / HTTP/1.1"
        data += piece
    return data.decode()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # the other side is gone
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
