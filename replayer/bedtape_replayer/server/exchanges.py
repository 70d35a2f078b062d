"""The exchanges of one connection: requests that arrived, and answers that are being sent.

An answer that can be sent at once is given to the wire. Any other answer is played by a `Player`,
step by step.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

from bedtape_cassettes.matching.outline import LARGE
from bedtape_replayer.answering.answer import Answer, Forward, Outcome, Progress
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import (
    MAX_PART,
    Reply,
    build_error_reply,
    build_refusal_reply,
    make_request_id,
)
from bedtape_replayer.answering.steps import Finish, Step
from bedtape_replayer.engine.live import DelayedReply, LiveReply
from bedtape_replayer.server.conversations import Talk
from bedtape_replayer.server.namespaces import Namespace
from bedtape_replayer.server.player import (
    Player,
    cut_steps,
    format_error,
    locate_error,
    show_request,
    start_live,
)
from bedtape_replayer.server.upstream import LiveSteps, Relay

if TYPE_CHECKING:
    from bedtape_replayer.server.connection import Connection
    from bedtape_replayer.server.server import Server
    from bedtape_replayer.server.shared.state import SharedState

Observer = Callable[[Outcome], None]
# the namespace, the stream, the method, the path, the head and the body
_Request: TypeAlias = tuple[Namespace, int, str, str, Head, bytes]


_NUMBERS = itertools.count(1)


class Exchanges:
    """The exchanges of one connection that are in flight, by the number of their stream.

    Methods that need the connection are given it, because two objects that refer to each other are
    freed late, by the garbage collector.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.number = next(_NUMBERS)
        self._players: dict[int, Player] = {}
        self.blocked: dict[int, Player] = {}  # the players that wait until the client reads
        self._preparing: set[int] = set()  # the streams whose bodies a thread reads
        # parts of requests that came before their answers, if a state server is asked
        self._early: dict[int, list[bytes | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # the conversations, which receive their requests
        self._talks: dict[int, Talk | Relay] = {}

    @property
    def in_flight(self) -> int:
        """The number of answers that are being prepared or played."""
        return len(self._players) + len(self._preparing)

    @property
    def unconfirmed(self) -> bool:
        """Whether the head of an answer was sent that the client may have left before."""
        return any(player.unconfirmed for player in self._players.values())

    @property
    def stalled(self) -> list[Player]:
        """The players that send nothing more."""
        return [player for player in self._players.values() if player.stalled]

    def answer(
        self,
        connection: Connection,
        stream: int,
        method: bytes,
        target: bytes,
        head: Head,
        body: bytes | None,
    ) -> None:
        """Answer a request that has arrived. body: None if `receive` gets it later."""
        began = time.perf_counter()
        verb, path = method.decode("latin-1"), target.decode("latin-1")
        namespaces = self.server.namespaces
        namespace, path, head = namespaces.find(path, head)
        if (problem := self.server.find_problem(head)) is not None:
            self.server.count_refusal("sender", f"{verb} {path}", problem)
            connection.respond(stream, verb, build_refusal_reply(problem))
        elif namespace is None:
            own, problem = namespaces.answer_outsider(
                verb, target.decode("latin-1"), head, body or b""
            )
            if problem:
                self.server.count_refusal("token", f"{verb} {path}", problem)
            self._send(connection, stream, own, began)
        elif body is None or len(body) < LARGE:
            request = (namespace, stream, verb, path, head, body or b"")
            self._answer_now(connection, request, began, follows=body is None)
        else:
            self._preparing.add(stream)
            request = (namespace, stream, verb, path, head, body)
            Thread(target=self._prepare, args=(connection, request, began), daemon=True).start()

    def receive(self, stream: int, data: bytes | None) -> None:
        """Pass a part of a duplex request on. data: None for its end.

        Without a conversation, nothing depends on it.
        """
        if (talk := self._talks.get(stream)) is not None:
            talk.receive(data)
        elif (early := self._early.get(stream)) is not None:
            early.append(data)

    def _prepare(self, connection: Connection, request: _Request, began: float) -> None:
        """Read a large body in a thread, for other clients' sake. The loop then answers."""
        prepared = None
        with suppress(Exception):  # the answer reports it
            prepared = request[0].engine.prepare(*request[2:])
        with suppress(RuntimeError):  # the server has stopped
            connection.loop.call_soon_threadsafe(
                self._answer_prepared, connection, request, began, prepared
            )

    def _answer_prepared(
        self, connection: Connection, request: _Request, began: float, prepared: Call | None
    ) -> None:
        namespace, stream, *_ = request
        if stream in self._preparing:
            self._preparing.remove(stream)
            self._answer_now(connection, request, began, prepared)
            connection.flush()
        elif namespace.state is not None:  # the client has gone
            self._ask_state(connection, namespace.state, request, began, prepared)
        else:
            gone = namespace.engine.answer(*request[2:], prepared)
            self.observe(gone, began, complete=False, sent=0, started=False)

    def _answer_now(
        self,
        connection: Connection,
        request: _Request,
        began: float,
        prepared: Call | None = None,
        *,
        follows: bool = False,
    ) -> None:
        """Answer a request. follows: whether its body arrives while it is answered."""
        namespace, stream, verb, path, head, body = request
        if namespace.state is not None:
            self._preparing.add(stream)
            self._early[stream] = []
            self._ask_state(connection, namespace.state, request, began, prepared, follows)
            return
        try:
            answer = namespace.engine.answer(verb, path, head, body, prepared)
        except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
            connection.respond(stream, verb, self.fail(f"{verb} {path}", error))
            return
        self._send(connection, stream, answer, began, follows=follows)

    def _ask_state(
        self,
        connection: Connection,
        state: SharedState,
        request: _Request,
        began: float,
        prepared: Call | None,
        follows: bool = False,
    ) -> None:
        """Begin to answer a request from a session that servers share."""
        task = connection.loop.create_task(
            self._answer_shared(connection, state, request, began, prepared, follows=follows)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_shared(
        self,
        connection: Connection,
        state: SharedState,
        request: _Request,
        began: float,
        prepared: Call | None,
        *,
        follows: bool,
    ) -> None:
        """Answer a request from a session that servers share."""
        _, stream, verb, path, *_ = request
        answer: Answer | None = None
        try:
            answer = await state.answer(*request[2:], prepared)
        except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
            failed = self.fail(f"{verb} {path}", error)
        early = self._early.pop(stream, [])
        try:
            if stream in self._preparing:
                self._preparing.remove(stream)
                if answer is None:
                    connection.respond(stream, verb, failed)
                else:
                    self._send(connection, stream, answer, began, follows=follows)
                for part in early:
                    self.receive(stream, part)
                connection.flush()
            elif answer is not None:  # the client has gone
                self.observe(answer, began, complete=False, sent=0, started=False)
        except Exception as error:  # noqa: BLE001 - this client is disconnected, and the others are served
            self.fail(f"{verb} {path}", error, started=True)
            connection.abort()

    def _forward(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        forward: Forward,
        began: float,
        *,
        follows: bool,
    ) -> None:
        """Ask another server. follows: whether the request's body arrives meanwhile."""
        steps = LiveSteps()
        self._play(connection, stream, answer, began, steps)
        if (player := self._players.get(stream)) is None:  # the client has gone
            return
        relay = Relay(answer, forward, player, steps, connection)
        if answer.conversation is not None:
            self._talks[stream] = relay
            if not follows:
                relay.receive(None)
        relay.start()

    def _work(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        delayed: DelayedReply,
        began: float,
    ) -> None:
        """Make a reply that takes long in a thread. The loop then sends it."""
        made: Reply | Exception
        try:
            made = delayed.work()
        except Exception as error:  # noqa: BLE001 - this client gets an error, and the others are served
            made = error
        with suppress(RuntimeError):  # the server has stopped
            connection.loop.call_soon_threadsafe(
                self._send_made, connection, stream, answer, made, began
            )

    def _send_made(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        made: Reply | Exception,
        began: float,
    ) -> None:
        call = answer.call
        reply = (
            self.fail(f"{call.method} {call.path}", made) if isinstance(made, Exception) else made
        )
        answer = replace(answer, reply=reply)
        if stream in self._preparing:
            self._preparing.remove(stream)
            self._send(connection, stream, answer, began)
            connection.flush()
        else:  # the client has gone
            self.observe(answer, began, complete=False, sent=0, started=False)

    def _send(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        began: float,
        *,
        follows: bool = False,
    ) -> None:
        """Begin to send an answer. follows: whether more of its request arrives meanwhile."""
        reply = answer.reply
        if answer.forward is not None:
            self._forward(connection, stream, answer, answer.forward, began, follows=follows)
        elif answer.conversation is not None:
            talk = Talk(connection, stream, answer, answer.conversation, began)
            self._talks[stream], self._players[stream] = talk, talk.player
            if not follows:
                talk.receive(answer.call.body)
                talk.receive(None)
            talk.player.play()
        elif not isinstance(reply, (DelayedReply, LiveReply)):
            self._send_reply(connection, stream, answer, began)
        elif isinstance(reply, DelayedReply):
            self._preparing.add(stream)
            work = (connection, stream, answer, reply, began)
            Thread(target=self._work, args=work, daemon=True).start()
        else:
            self._players[stream] = start_live(connection, stream, answer, reply, began)

    def _send_reply(
        self, connection: Connection, stream: int, answer: Answer, began: float
    ) -> None:
        reply, speed = answer.reply, answer.speed or self.server.speed
        if answer.call.method == "HEAD":
            reply = replace(reply, pieces=(), streamed=False)
        if (
            speed is not None
            or not connection.writable
            or answer.edits
            or reply.size > MAX_PART
            or connection.half_closed
        ):
            self._play(connection, stream, answer, began, cut_steps(reply, speed, answer.edits))
            return
        wire = connection.wire
        assert wire is not None
        if reply.streamed:
            wire.respond_stream(stream, reply, self.server.date())
        else:
            wire.respond(stream, reply.status, reply.headers, reply.body, self.server.date())
        if connection.http2 is not None and wire.count_pending(stream):
            last = iter((Finish(),))  # the call ends when all bytes are sent
            self._play(connection, stream, answer, began, last, sent=reply.count)
        else:
            repeats = self.server.repeats
            if repeats is not None and answer.call.findings.seen:
                repeats.keep(answer)
            self.observe(answer, began, complete=True, sent=reply.count)

    def _play(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        began: float,
        steps: Iterator[Step],
        *,
        sent: int = 0,
    ) -> None:
        """Play the steps. sent: the number of body pieces that were sent already."""
        player = self._players[stream] = Player(connection, stream, answer, began, steps, sent)
        player.play()

    def fail(self, what: str, error: Exception, *, started: bool = False) -> Reply:
        """Write an error in bedtape itself to the server's log.

        Return the answer with status 500 in Bedrock's form.

        started: whether the head of an answer was sent. Then the exchange is broken off.
        """
        result = "broken off" if started else "answered with 500"
        self.server.complain(
            f"{show_request(what)} was {result} because of an error in bedtape:"
            f" {format_error(error)} ({locate_error(error)})"
        )
        message = (
            f"bedtape: an error in bedtape itself, {format_error(error)}; its stderr shows the"
            " place."
        )
        return build_error_reply(
            500, "InternalServerException", message, make_request_id(what.encode())
        )

    def observe(
        self,
        answer: Answer,
        began: float,
        *,
        complete: bool,
        sent: int,
        started: bool = True,
        progress: Progress | None = None,
    ) -> None:
        """Add the finished call to the history, and call the server's observer.

        began: by `time.perf_counter`. complete, sent, started, progress: see `Outcome`.
        """
        seconds = time.perf_counter() - began
        engine = self.server.namespaces.find_engine(answer.call)
        number = self.number if engine.share_outcome is None else 0
        outcome = Outcome(
            answer, time.time() - seconds, seconds, complete, sent, started, number, progress
        )
        self.server.finish(engine, outcome)

    def block(self, player: Player) -> None:
        """Keep a player that cannot send until the client reads; see `resume`."""
        self.blocked[player.stream] = player

    def resume(self) -> bool:
        """Resume every blocked answer that may send again. Return whether there was one."""
        if not self.blocked:
            return False
        ready = [player for player in self.blocked.values() if player.ready]
        for player in ready:
            # an earlier player may have ended the connection
            if self.blocked.pop(player.stream, None) is not None:
                player.play()
        return bool(ready)

    def remove(self, player: Player) -> None:
        """Drop a player that has ended, and its conversation."""
        self._players.pop(player.stream, None)
        self._talks.pop(player.stream, None)

    def cancel(self, stream: int) -> None:
        """End the exchange of a stream that its client has closed."""
        self.blocked.pop(stream, None)
        self._preparing.discard(stream)
        self._early.pop(stream, None)
        self._talks.pop(stream, None)
        if player := self._players.pop(stream, None):
            player.abandon()

    def abandon(self, *, complete: bool) -> None:
        """End all exchanges of a closed connection. complete: whether their calls are complete."""
        players = list(self._players.values())
        self._players.clear()
        self._preparing.clear()
        self._early.clear()
        self._talks.clear()
        self.blocked.clear()
        for player in players:
            player.abandon(complete=complete)
