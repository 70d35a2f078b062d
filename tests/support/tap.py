"""A tap on a connection: forwards bytes between a client and a server, and records their order."""

import socket
import threading
from collections.abc import Iterator
from typing import Self

from support import WAIT

_PREFACE = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_GOAWAY = 7


class Tap:
    """Listens on a port of its own, for one connection, and passes all on to `port`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WAIT)  # for a client that never comes
        self._said: list[tuple[str, bytes]] = []
        self._thread = threading.Thread(target=self._carry, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def has_goaway(self) -> bool:
        """Whether the client's GOAWAY frame has come whole."""
        return self._find_goaway() is not None

    def read_after_goaway(self) -> bytes:
        """What the server said after the client's GOAWAY frame had come whole."""
        number = self._find_goaway()
        assert number is not None, "the client sent no GOAWAY"
        return b"".join(data for who, data in self._said[number:] if who == "server")

    def _find_goaway(self) -> int | None:
        sent = b""
        for number, (who, data) in enumerate(list(self._said)):
            sent += data if who == "client" else b""
            if _GOAWAY in _frames(sent[_PREFACE:]):
                return number
        return None

    def _carry(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            back = threading.Thread(target=self._pump, args=("server", server, client), daemon=True)
            back.start()
            self._pump("client", client, server)
            back.join()

    def _pump(self, who: str, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._said.append((who, data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side is gone, and with it all that could be said

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join()


def _frames(data: bytes) -> Iterator[int]:
    """The types of the HTTP/2 frames in `data` that are whole."""
    while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3])):
        yield data[3]
        data = data[end:]
