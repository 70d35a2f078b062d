"""Plays conversations: passes a duplex request's bytes on, and sends what follows them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Events
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.match import Miss
from bedtape_replayer.answering.reply import Piece
from bedtape_replayer.answering.steps import Send, Step, edit
from bedtape_replayer.server.player import Player
from bedtape_replayer.server.upstream import Continuation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedtape_replayer.server.connection import Connection


# A client chooses how much it sends before the first turn.
_MOST_BYTES = 25 * 1024 * 1024


class Talk:
    """A conversation and its player. conversation: of the answer.

    What the client sends before the first turn is kept, if another server is to hold the
    conversation when no recording fits.
    """

    def __init__(
        self,
        connection: Connection,
        stream: int,
        answer: Answer,
        conversation: Conversation,
        began: float,
    ) -> None:
        self._began = began
        self._connection = connection
        self._answer = answer
        self._early: list[bytes] = []
        self._early_size = 0
        self._continuation: Continuation | None = None
        self._conversation = conversation
        self._sent: list[Piece] = []
        conversation.speed = answer.speed or connection.server.speed
        steps = self._keep(edit(conversation.play(), answer.edits))
        self.player = Player(connection, stream, answer, began, steps, 0)
        self.player.listens = True
        self.player.describe = self._describe

    def receive(self, data: bytes | None) -> None:
        """Pass bytes of the request on. data: None for its end."""
        conversation = self._conversation
        if conversation.upstream is not None and data != b"":
            self._pass_on(data or b"")
        changed = (
            conversation.end() if data is None else conversation.receive(data, self._count_ms())
        )
        if conversation.passed_on and self._continuation is None:
            self._continue()
        if changed or conversation.has_steps:
            self.player.go_on(changed=changed)

    def _pass_on(self, data: bytes) -> None:
        """Send bytes to the server that holds the conversation, or keep them until it does."""
        if self._continuation is not None:
            self._continuation.send_input(data)
            return
        self._early.append(data)
        self._early_size += len(data)
        if self._conversation.script.began or self._early_size > _MOST_BYTES:
            self._conversation.upstream = None
            self._early.clear()

    def _continue(self) -> None:
        """Ask the other server to hold the conversation from its beginning."""
        self._continuation = Continuation(
            self._answer.call, self._conversation, self.player, self._connection, self._early
        )
        self._early = []
        self._continuation.start()

    def _keep(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            if isinstance(step, Send):
                self._sent.append(Piece(self._count_ms(), step.data))
            yield step

    def _count_ms(self) -> int:
        return round((time.perf_counter() - self._began) * 1000)

    def _describe(self) -> Answer:
        """Return the answer as it was sent. The request of its call is what the client has sent."""
        answer, conversation, sent = self._answer, self._conversation, tuple(self._sent)
        answer = replace(answer, call=replace(answer.call, body=conversation.describe()))
        data, times = b"".join(piece.data for piece in sent), [piece.at_ms for piece in sent]
        body = bodies.read_events(data, exact=True, at_ms=times) if data else Events.of([])
        response = replace(answer.response, body=body) if answer.response else None
        answer = replace(answer, response=response, reply=replace(answer.reply, pieces=sent))
        if conversation.passed_on:
            answer = replace(answer, source="upstream", by=conversation.upstream)
        elif answer.source == "cassette":
            answer = replace(answer, by=conversation.script.file)
        if not conversation.problem:
            return answer
        call = answer.call
        miss = Miss(
            f"{call.operation} of {call.model}", call.session, 0, (), turn=conversation.problem
        )
        return replace(answer, source="miss", miss=miss)
