"""Asks another server for the answer to a call, in a thread.

A stream is sent on, event by event, while it arrives. So is the request of a conversation.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from queue import SimpleQueue
from socket import SHUT_RDWR, socket
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.eventstream import encode_strings
from bedtape_cassettes.model import Body, Ending, Events, Headers, Response, exception_headers
from bedtape_replayer.answering.answer import Answer, Forward
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import (
    Await,
    ChangeEvents,
    Close,
    Finish,
    Reset,
    Send,
    Start,
    Step,
    build_ending,
    edit,
)
from bedtape_replayer.server.player import Player, cut_steps

if TYPE_CHECKING:
    from bedtape_replayer.server.connection import Connection

# botocore waits an hour for an answer that thinks.
_PATIENCE = 3600
# Headers that are not sent on: of one connection, those that `http.client` sets, and those of
# bedtape.
_HOPS = frozenset(
    {
        "connection",
        "keep-alive",
        "content-length",
        "transfer-encoding",
        "accept-encoding",
        "expect",
        "te",
    }
    | {"x-bedtape-session", "x-bedtape-token"}  # of this server
)
_STREAMS = (bodies.EVENT_STREAM, bodies.SERVER_SENT)


class LiveSteps(Iterator[Step]):
    """The steps of an answer that arrives. `Await` if the next step is not known yet."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._finished = False

    def __next__(self) -> Step:
        if self._finished:
            raise StopIteration
        step = self._steps.popleft() if self._steps else Await()
        self._finished = isinstance(step, Finish)
        return step

    def add(self, *steps: Step) -> None:
        self._steps.extend(steps)


class UpstreamRequest(ABC):
    """One request to another server, whose response is read in a thread.

    url: the base URL of the other server. duplex: whether `send_input` gets the request's body.
    `_run` and `_pass_on` are in threads of their own, all other methods are in the server's thread.
    """

    def __init__(self, call: Call, url: str, client: Connection, *, duplex: bool) -> None:
        self._call = call
        self._url = url
        self._client = client
        self._duplex = duplex
        # the parts of a conversation's request: `b""` for its end, `None` if the client has left
        self._input: SimpleQueue[bytes | None] = SimpleQueue()

    def start(self) -> None:
        """Begin to ask the other server."""
        threading.Thread(target=self._run, name="bedtape-upstream", daemon=True).start()

    def send_input(self, data: bytes) -> None:
        """Send bytes of a conversation's request, or its end if there are none."""
        self._input.put(data)

    def leave(self) -> None:
        """End the request, because the client has left or its answer has ended."""
        self._input.put(None)

    # -- in its own threads ------------------------------------------------------------------------

    def _run(self) -> None:
        """Asks, and hands everything to the server's thread."""
        url = urlsplit(self._url)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        with closing(kind(url.hostname or "", url.port, timeout=_PATIENCE)) as connection:
            try:
                response = self._send(connection, url.path.rstrip("/"))
            except (OSError, HTTPException, ValueError) as error:
                self._post(self._fail, error)
                return
            with closing(response):
                self._receive(response)

    def _receive(self, response: HTTPResponse) -> None:
        self._post(self._start, response.status, tuple(response.getheaders()))
        ends: Ending | None = None
        try:
            while data := response.read1(65536):
                self._post(self._add, data)
            if response.length:
                ends = "closed"
        except ConnectionResetError:
            ends = "reset"
        except (OSError, HTTPException) as error:
            ends = "closed"
            if isinstance(error, IncompleteRead):
                self._post(self._add, error.partial)
        self._post(self._end, ends)

    def _send(self, connection: HTTPConnection, base: str) -> HTTPResponse:
        call = self._call
        # The client's own Host, because the client has signed it.
        signed = call.head.get("host") is not None
        connection.putrequest(
            call.method, f"{base}{call.path}", skip_host=signed, skip_accept_encoding=True
        )
        for name, value in call.head.pairs():
            if name.lower() not in _HOPS:
                connection.putheader(name, value)
        if call.session != DEFAULT_SESSION:  # a recorder makes a cassette of each session
            connection.putheader("X-Bedtape-Session", call.session.encode())
        if self._duplex:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            writer = (self._pass_on, connection.sock)
            threading.Thread(target=writer[0], args=writer[1:], daemon=True).start()
        else:
            connection.putheader("Content-Length", str(len(call.body)))
            connection.endheaders(call.body)
        return connection.getresponse()

    def _pass_on(self, upstream: socket) -> None:
        """Send a conversation's request while it arrives, until the client leaves."""
        with suppress(OSError):  # the other server has ended the conversation
            while (data := self._input.get()) is not None:
                upstream.sendall(b"%x\r\n%b\r\n" % (len(data), data))
            upstream.shutdown(SHUT_RDWR)

    def _post(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._client.loop.call_soon_threadsafe(lambda: function(*arguments))
        except RuntimeError:  # the server has ended
            return

    # -- in the server's thread --------------------------------------------------------------------

    def _complain(self, error: Exception) -> None:
        """Write to the server's log that the other server did not answer."""
        self._client.server.complain(f"{self._url} did not answer: {type(error).__name__}: {error}")

    @abstractmethod
    def _fail(self, error: Exception) -> None:
        """The other server did not answer."""

    @abstractmethod
    def _start(self, status: int, headers: Headers) -> None:
        """The head of the response has arrived."""

    @abstractmethod
    def _add(self, data: bytes) -> None:
        """A part of the response's body has arrived."""

    @abstractmethod
    def _end(self, ends: Ending | None) -> None:
        """The response has ended. ends: how, if it was cut."""


class Relay(UpstreamRequest):
    """One call to the other server. player: plays the answer."""

    def __init__(
        self, answer: Answer, forward: Forward, player: Player, steps: LiveSteps, client: Connection
    ) -> None:
        duplex = answer.conversation is not None
        super().__init__(answer.call, forward.url, client, duplex=duplex)
        self._answer = answer
        self._forward = forward
        self._player = player
        self._steps = steps
        self._status, self._headers, self._kind = 502, Headers(), ""
        self._after_ms, self._began = 0, monotonic()
        self._rest = b""
        self._pieces: list[Piece] = []
        self._sent: list[Piece] = []  # what the client gets of a stream that arrives
        self._ends: Ending | None = None
        # the answer that is sent while it arrives, without its body
        self._live: Answer | None = None
        if duplex:
            player.describe, player.leave = self._describe, self.leave

    def receive(self, data: bytes | None) -> None:
        """Pass bytes of a conversation's request on. data: None for its end."""
        assert self._answer.conversation is not None
        self.send_input(data or b"")
        if data is None:
            self._answer.conversation.end()
        else:
            self._answer.conversation.receive(data, self._count_ms())

    def _fail(self, error: Exception) -> None:
        self._complain(error)
        self._steps.add(Reset())
        self._player.resume()

    def _start(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = tuple((name, value) for name, value in headers if name.lower() not in _HOPS)
        self._kind = _read_kind(headers)
        self._after_ms, self._began = round((monotonic() - self._began) * 1000), monotonic()
        if self._forward.live and self._kind in _STREAMS:
            self._live = answer = self._build(arriving=True)
            first = tuple(each for each in answer.edits if isinstance(each, ChangeEvents))
            changed = self._keep(edit(self._steps, first), self._pieces)
            steps = self._keep(edit(changed, answer.edits[len(first) :]), self._sent)
            self._player.replace_answer(answer, steps)
            self._player.describe = self._describe
            self._steps.add(Start())
            self._player.resume()

    def _add(self, data: bytes) -> None:
        self._rest += data
        events, self._rest = _split(self._rest, self._kind)
        self._take(events)

    def _take(self, events: list[bytes]) -> None:
        if self._live is not None:
            self._steps.add(*map(Send, events))
            self._player.resume()
        else:
            self._pieces += [Piece(self._count_ms(), event) for event in events]

    def _end(self, ends: Ending | None) -> None:
        if self._rest:
            self._take([self._rest])
        self._ends = ends
        if self._live is not None:
            self._steps.add(Finish() if ends is None else Reset(2) if ends == "reset" else Close())
        else:
            answer = self._build(arriving=False)
            edits = (*answer.edits, *build_ending(answer.reply, self._ends))
            answer = replace(answer, edits=edits)
            self._player.replace_answer(answer, cut_steps(answer.reply, answer.speed, answer.edits))
        self._player.resume()

    def _build(self, *, arriving: bool) -> Answer:
        """Returns the answer of what has arrived: a response, or the head of a stream."""
        response, reply = self._read()
        answer = replace(self._answer, response=response, reply=reply, forward=None)
        faults = self._forward.faults
        return answer if faults is None else faults.apply(answer, arriving=arriving)

    def _keep(self, steps: Iterator[Step], pieces: list[Piece]) -> Iterator[Step]:
        """Adds what is sent to the pieces."""
        for step in steps:
            if isinstance(step, Send):
                pieces.append(Piece(self._count_ms(), step.data))
            yield step

    def _count_ms(self) -> int:
        return round((monotonic() - self._began) * 1000)

    def _describe(self) -> Answer:
        """Returns the answer that was sent while it arrived."""
        answer = self._live or self._player.answer
        if answer.conversation is not None:
            call = replace(answer.call, body=answer.conversation.describe())
            answer = replace(answer, call=call)
        if self._live is None:
            return answer
        response, reply = self._read()
        return replace(answer, response=response, reply=replace(reply, pieces=tuple(self._sent)))

    def _read(self) -> tuple[Response, Reply]:
        """Returns what has arrived."""
        data = b"".join(piece.data for piece in self._pieces)
        times = [piece.at_ms for piece in self._pieces]
        body: Body | Events
        if self._kind == bodies.EVENT_STREAM:
            body = bodies.read_events(data, exact=True, at_ms=times) if data else Events.of([])
        elif self._kind == bodies.SERVER_SENT:
            body = bodies.read_pieces(data, at_ms=times) if data else Events.of([])
        else:
            body = bodies.read_body(data)
        streamed = self._kind in _STREAMS
        promised = len(data) + (self._ends is not None)
        framing = (
            ("Transfer-Encoding", "chunked") if streamed else ("Content-Length", str(promised))
        )
        headers = tuple(
            (n.encode("latin-1"), v.encode("latin-1")) for n, v in (*self._headers, framing)
        )
        pieces = tuple(self._pieces) if streamed else (Piece(0, data),)
        reply = Reply(self._status, headers, pieces, streamed, self._after_ms)
        return Response(self._status, self._headers, body, self._after_ms, self._ends), reply


class Continuation(UpstreamRequest):
    """A conversation that no recording fits, which the other server holds from its beginning.

    The head of the answer was sent, so an error of the other server becomes an exception event.
    sent: the bytes that the client has sent before.
    """

    def __init__(
        self,
        call: Call,
        conversation: Conversation,
        player: Player,
        client: Connection,
        sent: Sequence[bytes],
    ) -> None:
        super().__init__(call, conversation.upstream or "", client, duplex=True)
        self._conversation = conversation
        self._player = player
        self._streams = False
        self._error = ""
        self._rest = b""
        player.leave = self.leave
        for data in sent:
            self.send_input(data)

    def _fail(self, error: Exception) -> None:
        self._complain(error)
        self._finish(Reset())

    def _start(self, status: int, headers: Headers) -> None:
        self._streams = status == 200 and _read_kind(headers) == bodies.EVENT_STREAM
        self._error = f"status {status}"
        for name, value in headers:
            if name.lower() == "x-amzn-errortype":
                self._error = value.partition(":")[0]

    def _add(self, data: bytes) -> None:
        self._rest += data
        if self._streams:
            events, self._rest = _split(self._rest, bodies.EVENT_STREAM)
            self._conversation.add(events)
            self._player.go_on(changed=False)

    def _end(self, ends: Ending | None) -> None:
        if not self._streams:
            self._conversation.add([render_exception(self._error, self._rest)])
        elif self._rest:
            self._conversation.add([self._rest])
        self._finish(Finish() if ends is None else Reset(2) if ends == "reset" else Close())

    def _finish(self, last: Step) -> None:
        self._conversation.finish(last)
        self._player.go_on(changed=False)


def render_exception(name: str, body: bytes) -> bytes:
    """Return the exception event of an error response. name: of the error. body: its JSON."""
    value = bodies.read_value("json", body)
    message = value.get("message", "") if isinstance(value, dict) else ""
    payload = bodies.compact({"message": str(message) or name})
    return encode_strings(exception_headers(name[:1].lower() + name[1:]), payload)


def _read_kind(headers: Headers) -> str:
    """Return the media type of a response."""
    named = {name.lower(): value for name, value in headers}
    return named.get("content-type", "").partition(";")[0].strip().lower()


def _split(data: bytes, kind: str) -> tuple[list[bytes], bytes]:
    """Returns the complete events at the beginning of the data, and the rest."""
    events = []
    if kind == bodies.EVENT_STREAM:
        while len(data) >= 4 and 16 <= (total := int.from_bytes(data[:4])) <= len(data):
            events.append(data[:total])
            data = data[total:]
    elif kind == bodies.SERVER_SENT:
        *whole, data = data.split(b"\n\n")
        events = [event + b"\n\n" for event in whole]
    return events, data
