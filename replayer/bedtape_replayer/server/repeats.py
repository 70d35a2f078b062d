"""Answers requests that equal earlier ones, without looking for their answers again.

Most calls of a suite are such requests. The answer, the history, the log and the metrics are the
same as for any other request.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.repetition import find_repetition
from bedtape_replayer.engine.session_state import read_session
from bedtape_replayer.wire.http1 import Http1Connection
from bedtape_replayer.wire.http1_head import encode
from bedtape_replayer.wire.http1_whole import HeadForm

if TYPE_CHECKING:
    from bedtape_replayer.server.connection import Connection
    from bedtape_replayer.server.server import Server

# Reading a larger body, or sending a larger answer, costs more than looking for the answer.
_LARGEST = 32 * 1024
# The memory of Python's objects for a kept answer.
_OVERHEAD = 2_400


class Repeats:
    """The answers of a server that equal requests get again. Only for HTTP/1.1.

    engine: answers all requests, whatever token they have, from sessions of its own.
    """

    def __init__(self, server: Server, engine: Engine) -> None:
        self._server, self._engine = server, engine

    def answer(
        self, connection: Connection, wire: Http1Connection, head: Head, body: bytes
    ) -> bool:
        """Answer a request if an equal one was answered before and its answer is still known.

        Return whether it was answered. The client gets the answer before the call is in the
        history, which no other request can notice.
        """
        if len(body) > _LARGEST:
            return False
        began = time.perf_counter()
        engine, key = self._engine, (head.form, body)
        again = engine.repetitions.get(key)
        if again is None or not (connection.writable and wire.keeps_alive):
            return False
        number = again.count(engine.sessions)
        if not number:
            engine.repetitions.drop(key, again.size)
            return False
        before, after = again.encoded
        connection.write(b"".join((before, self._server.date(), after)))
        wire.end_again()
        sample, seconds = again.answer, time.perf_counter() - began
        self._server.finish(
            engine,
            Outcome(
                *(sample, time.time() - seconds, seconds, True, sample.reply.count, True),
                *(connection.exchanges.number, None, head, number),
            ),
            again.session,
        )
        return True

    def keep(self, answer: Answer) -> None:
        """Keep an answer, which is sent at once, if equal requests get it again."""
        call, reply, form = answer.call, answer.reply, answer.call.head.form
        if not isinstance(form, HeadForm) or max(len(call.body), reply.size) > _LARGEST:
            return
        engine = self._engine
        name = read_session(form.target.decode("latin-1"), call.head).session or DEFAULT_SESSION
        again = find_repetition(answer, engine.sessions, name, engine.library, strict=engine.strict)
        if again is None:
            return
        encoded = encode(reply.status, reply.headers, b"1", True)
        if not (encoded.dated and encoded.keep_alive):
            return
        after = encoded.after + (reply.http1_chunks if encoded.chunked else reply.body)
        again.encoded = encoded.before, after
        again.size = len(call.body) + len(after) + _OVERHEAD
        engine.repetitions.keep((form, call.body), again, again.size)
