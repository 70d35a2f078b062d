"""Reads the stream of events of the control API: in this process, and over a socket."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, Self

from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.steps import Await, Finish, Send
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.live import LiveReply

Event = tuple[str, Any]


def parse(text: bytes) -> Iterator[Event]:
    """Yield the names and the data of complete events."""
    for event in text.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def open_feed(gate: Gate, query: str = "", session: str = "default") -> LiveReply:
    """Return the reply, which is open."""
    head = Head.of(((b"host", b"127.0.0.1:4566"),))
    reply = gate(session, "GET", f"/_bedtape/events{query}", head, b"")
    assert isinstance(reply, LiveReply)
    reply.feed.open(lambda: None)
    return reply


def take(reply: LiveReply) -> list[Event]:
    """Return the events that are due."""
    data = b""
    for step in reply.feed:
        if isinstance(step, Await | Finish):
            break
        data += step.data if isinstance(step, Send) else b""
    return list(parse(data))


def collect(gate: Gate, query: str = "") -> list[Event]:
    """Return the events with which a new stream begins."""
    reply = open_feed(gate, query)
    events = take(reply)
    reply.feed.close()
    return events


class EventReader:
    """A client of the stream. headers: of its request."""

    def __init__(
        self, port: int, query: str = "", prefix: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._connection.request("GET", f"{prefix}/_bedtape/events{query}", headers=headers or {})
        self.response = self._connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.response.close()
        self._connection.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the stream ends."""
        while line := self.response.readline():
            data = self.response.readline()
            self.response.readline()
            yield (
                line.decode().strip().removeprefix("event: "),
                json.loads(data.decode().removeprefix("data: ")),
            )

    def until(self, name: str) -> Any:
        """Return the data of the next event with the name.

        Raises AssertionError if the stream ends before.
        """
        for event, data in self:
            if event == name:
                return data
        raise AssertionError(f"expected {name}, found the end of the stream")
