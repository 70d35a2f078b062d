"""bedtape's engine as an ASGI application: what uvicorn is measured with."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.loading import load

_ENGINE = Engine(load([Path(os.environ["BENCH_FOLDER"])]))


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answers a call from the cassettes, and keeps it in the history."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["raw_path"].decode("latin-1")
    answer = _ENGINE.answer(scope["method"], path, Head.of(tuple(scope["headers"])), body)
    reply = answer.reply
    await send(
        {"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)}
    )
    await send({"type": "http.response.body", "body": reply.body})
    _ENGINE.finish(Outcome(answer, 0, 0, complete=True, sent=1))
