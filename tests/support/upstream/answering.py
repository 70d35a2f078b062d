"""One answer as it is sent: paced, stalled or broken off as it is told, each piece's time kept."""

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from bedtape_cassettes.model import Headers
from support.upstream.answers import Answer
from support.upstream.log import End, Request, SentAnswer
from support.upstream.service import Service, echo, exception_event
from support.upstream.sigv4 import EventChain, SignatureError
from support.upstream.wire import Wire

_FRAMING = ("content-length", "transfer-encoding")


class Line(Protocol):
    """The connection that an answer goes over."""

    @property
    def service(self) -> Service: ...
    @property
    def resumed(self) -> asyncio.Semaphore:
        """What lets a stalled answer go on."""

    @property
    def wire(self) -> Wire: ...
    def ending(self, stream: int) -> None:
        """An answer is about to end."""

    def over(self) -> None:
        """An answer has ended."""

    def reset(self, stream: int) -> None:
        """Breaks a stream off, or the connection if it has no others."""

    def abort(self) -> None:
        """Closes the connection at once."""


class Answering:
    """One answer as it is sent, and the log of it."""

    def __init__(self, line: Line, stream: int, request: Request, status: int) -> None:
        self._line = line
        self._stream = stream
        self._service = line.service
        self._sent = SentAnswer(request, status)
        self._service.log.sent.append(self._sent)

    async def play(self, answer: Answer) -> None:
        """Sends the answer, up to where it is told to go wrong."""
        await self._guard(self._play(answer))

    async def echo(self, chain: EventChain, pieces: asyncio.Queue[bytes]) -> None:
        """Sends back each event that comes, until the client ends or signs one badly."""
        await self._guard(self._echo(chain, pieces))

    async def _guard(self, sending: Coroutine[object, object, None]) -> None:
        try:
            await sending
        except asyncio.CancelledError:
            self._end("dropped")
            raise

    async def _play(self, answer: Answer) -> None:
        if answer.reset_before:
            self._reset()
            return
        if answer.stall_before:
            await self._line.resumed.acquire()
        await asyncio.sleep(answer.after)
        self._head(answer)
        for delay, frame in answer.pace():
            if await self._went_wrong(answer, frame):
                return
            await asyncio.sleep(delay)
            self._frame(frame)
        if not await self._went_wrong(answer, b""):
            self._whole(answer.trailers)

    async def _went_wrong(self, answer: Answer, following: bytes) -> bool:
        """Does what the answer is told to do after as many frames as are sent;
        whether that was its end.
        """
        count = len(self._sent.frames)
        if count in answer.stall_after:
            await self._line.resumed.acquire()
        if count == answer.reset_after:
            self._reset()
        elif count == answer.cut_after:
            self._cut(following[: answer.cut_bytes])
        return count in (answer.reset_after, answer.cut_after)

    async def _echo(self, chain: EventChain, pieces: asyncio.Queue[bytes]) -> None:
        self._head(echo(self._sent.request))
        try:
            while piece := await pieces.get():
                for event in chain.feed(piece, self._service.utc_now()):
                    self._frame(event)
            if not chain.ended:
                raise SignatureError(
                    403,
                    "InvalidSignatureException",
                    "the client's events ended without an empty one",
                )
        except SignatureError as refused:
            self._service.refusal(self._sent.request, refused)
            self._frame(exception_event(refused))
        self._whole()

    def _head(self, answer: Answer) -> None:
        length = None if answer.streamed else sum(map(len, answer.frames))
        self._sent.head_at = self._service.monotonic()
        self._line.wire.head(self._stream, answer.status, _drop_framing(answer.headers), length)
        self._service.log.notify()

    def _frame(self, frame: bytes) -> None:
        # first: what a client has had is always logged
        self._sent.frames.append(self._service.monotonic())
        self._line.wire.data(self._stream, frame)
        self._service.log.notify()

    def _whole(self, trailers: Headers = ()) -> None:
        self._line.ending(self._stream)
        self._end("whole")
        self._line.wire.end(self._stream, trailers)
        self._line.over()

    def _cut(self, partial: bytes) -> None:
        if partial:
            self._line.wire.data(self._stream, partial)
        self._end("cut")
        self._line.abort()

    def _reset(self) -> None:
        self._end("reset")
        self._line.reset(self._stream)

    def _end(self, how: End) -> None:
        self._sent.end = how
        self._sent.ended_at = self._service.monotonic()
        self._service.log.notify()


def _drop_framing(headers: Headers) -> Headers:
    """Without those that say how the recorded body was framed: this one may be framed otherwise."""
    return tuple((name, value) for name, value in headers if name.lower() not in _FRAMING)
