"""Makes events of the server's waits: tests end them, so that no test depends on
how fast the machine is.
"""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
import uvloop

from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.player import Player
from bedtape_replayer.server.server import Server
from support.client import until


class HeldAnswers:
    """Paced answers stay at their next wait until `release`.

    The loops hold them, because the player may be compiled.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._held: list[
            tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle, Callable[[], object]]
        ] = []
        self._released = False
        for kind in (asyncio.BaseEventLoop, uvloop.Loop):
            monkeypatch.setattr(kind, "call_at", self._replace(kind.call_at))

    def _replace(
        self, call_at: Callable[..., asyncio.TimerHandle]
    ) -> Callable[..., asyncio.TimerHandle]:
        def hold(
            loop: asyncio.AbstractEventLoop,
            when: float,
            callback: Callable[..., object],
            *args: object,
            **more: Any,
        ) -> asyncio.TimerHandle:
            if not isinstance(getattr(callback, "__self__", None), Player):
                return call_at(loop, when, callback, *args, **more)
            if self._released:
                return call_at(loop, loop.time(), callback)
            timer = call_at(loop, loop.time() + 1e6, callback)
            self._held.append((loop, timer, callback))
            return timer

        return hold

    def until(self, count: int) -> None:
        """Waits until so many answers are held."""
        until(lambda: len(self._held) >= count)

    def release(self) -> None:
        """Ends these waits, and all later ones at once."""

        def wake() -> None:
            self._released = True
            for _, timer, callback in self._held:
                if not timer.cancelled():
                    timer.cancel()
                    callback()

        self._held[0][0].call_soon_threadsafe(wake)


class Patience:
    """The server's patience with incomplete requests: time for it passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Server, "_sweep", lambda *_: None)
        self._now = 0.0

    def advance(self, server: Server, seconds: float) -> None:
        """Lets time pass for the connections of the server, whose patience is 60 seconds."""
        self._now += seconds
        for connection in list(server.connections):
            checked = Event()

            def check(connection: Connection = connection, checked: Event = checked) -> None:
                connection.check_patience(self._now, 60.0)
                checked.set()

            connection.loop.call_soon_threadsafe(check)
            checked.wait()


class ReceivedBytes:
    """Counts the bytes that servers have read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count = 0
        receive = Connection.data_received

        def data_received(connection: Connection, data: bytes) -> None:
            receive(connection, data)
            self._count += len(data)

        monkeypatch.setattr(Connection, "data_received", data_received)

    def until(self, count: int) -> None:
        """Waits until servers have read so many bytes since the beginning of the test."""
        until(lambda: self._count >= count)


def until_answering(server: Server, count: int = 1) -> list[Connection]:
    """Waits until the server has so many connections and each of them has an answer in flight.

    Returns them.
    """
    connections = server.connections
    until(
        lambda: (
            len(connections) == count
            and all(connection.exchanges.in_flight for connection in list(connections))
        )
    )
    return list(connections)
