"""Streams: how fast without their pace, and how punctual at it when there are a thousand."""

import asyncio
import statistics
from pathlib import Path

import material
from measuring import Load, Row, cpu, median, pinned, script, wrk
from servers import bedtape

from bedtape_cassettes.model import Cassette
from bedtape_replayer.server.server import new_event_loop

EVENTS, EVERY = 40, 0.05
STREAMS = 1000
ROUNDS = 4


def measure(work: Path) -> list[Row]:
    return [*_unpaced(work), *_paced(work)]


def _unpaced(work: Path) -> list[Row]:
    folder = work / "streams"
    asked = material.ASKED
    interactions = [
        each for n in range(50) for each in (material.stream(n, 30, asked), material.converse(n))
    ]
    material.write(folder, Cassette("streams", tuple(interactions)))
    lua = work / "streams.lua"
    lua.write_text(script([material.request(n) for n in range(50)], vary=False))
    loads: dict[str, list[Load]] = {"": [], "-stream": []}
    with bedtape(str(folder)) as server:
        for _ in range(ROUNDS):
            for ending, runs in loads.items():
                runs.append(wrk(f"{server.url}{material.PATH}{ending}", server.pid, lua))
    plain, streamed = median(loads[""]), median(loads["-stream"])
    share = streamed.rate / plain.rate
    return [
        (
            "a stream of 30 events, unpaced, 16 connections (target: 0.7 of no stream)",
            (
                f"{streamed.rate:,.0f} streams/s, {share:.2f} of no stream, {streamed.cost:.0f} µs"
                " of CPU each"
            ),
        )
    ]


def _paced(work: Path) -> list[Row]:
    folder = work / "punctual"
    material.write(
        folder, Cassette("punctual", (material.stream(1, EVENTS, every_ms=round(EVERY * 1000)),))
    )
    with bedtape(str(folder), "--speed", "1") as server:
        before = cpu(server.pid)
        with pinned(server.pid, apart=True), asyncio.Runner(loop_factory=new_event_loop) as runner:
            late = runner.run(_listen(server.port))
        used = (cpu(server.pid) - before) / 1e6
    p99 = statistics.quantiles(late, n=100)[98] * 1000
    # From the first stream's start to the last one's end; see `_listen`.
    took = EVENTS * EVERY + 1
    return [
        (
            (
                f"{STREAMS:,} streams at once, an event every {EVERY * 1000:.0f} ms: lateness p50"
                " and p99 (target: 20 ms)"
            ),
            (
                f"{statistics.median(late) * 1000:.1f} and {p99:.1f} ms, {used / took * 100:.0f} %"
                " of a core"
            ),
        )
    ]


class _Listener(asyncio.Protocol):
    """Asks for one stream, and notes how late each event is after what was asked and recorded."""

    def __init__(self, request: bytes, late: list[float], done: asyncio.Future[None]) -> None:
        self._request, self._late, self._done = request, late, done
        self._unread, self._seen, self._headed = b"", 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._began = self._loop.time()
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        self._unread += data
        if not self._headed:
            head, self._headed, rest = (
                self._unread.partition(b"\r\n\r\n")[0],
                True,
                self._unread.partition(b"\r\n\r\n")[2],
            )
            if not head.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(RuntimeError(f"expected 200, found {head!r}"))
            self._unread = rest
        while (end := self._unread.find(b"\r\n")) >= 0:
            size = int(self._unread[:end], 16)
            if size == 0:
                self._transport.close()
                self._done.set_result(None)
                return
            if len(self._unread) < end + 4 + size:
                return
            self._unread = self._unread[end + 4 + size :]
            self._late.append(now - self._began - self._seen * EVERY)
            self._seen += 1


async def _listen(port: int) -> list[float]:
    """All streams, begun within a second, so that it is not the connecting that is measured."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    request = material.on_the_wire(material.request(1, 180), f"{material.PATH}-stream")

    async def one(number: int) -> None:
        await asyncio.sleep(number / STREAMS)
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda: _Listener(request, late, done), "127.0.0.1", port)
        await done

    await asyncio.gather(*(one(number) for number in range(STREAMS)))
    return late
