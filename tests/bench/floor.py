"""The floor: uvloop answers whatever it reads with one constant.

It reads no request and keeps no history.
"""

import asyncio
import sys

import material

from bedtape_replayer.server.server import new_event_loop

BODY = material.answer(0)
HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Type:"
    b" application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\nx-amzn-RequestId:"
    b" 00000000-0000-4000-8000-000000000000\r\n\r\n"
)


class Constant(asyncio.Protocol):
    answer = HEAD % len(BODY) + BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, _data: bytes) -> None:
        self.transport.write(self.answer)  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
