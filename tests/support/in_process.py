"""A connection of a server without sockets, for tests of answers that need no timer."""

import asyncio

from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.server import Server


class Transport(asyncio.Transport):
    """Keeps what the server writes. closed: whether the server has ended the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    write_eof = abort = close


def connect(server: Server) -> tuple[Connection, Transport]:
    """Return a new connection, and its transport."""
    loop = asyncio.new_event_loop()
    loop.close()
    connection, transport = Connection(server, loop), Transport()
    connection.connection_made(transport)
    return connection, transport
