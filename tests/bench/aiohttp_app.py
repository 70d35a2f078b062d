"""bedtape's engine as an aiohttp application: what aiohttp is measured with.

Takes a folder and a port.
"""

import sys
from pathlib import Path

from aiohttp import web  # type: ignore[import-not-found]

from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.loading import load
from bedtape_replayer.server.server import new_event_loop


def main() -> None:
    folder, port = sys.argv[1:]
    engine = Engine(load([Path(folder)]))

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        head = Head.of(tuple((name.lower(), value) for name, value in request.raw_headers))
        answer = engine.answer(request.method, request.raw_path, head, body)
        reply = answer.reply
        engine.finish(Outcome(answer, 0, 0, complete=True, sent=1))
        headers = {name.decode(): value.decode() for name, value in reply.headers if value}
        return web.Response(status=reply.status, headers=headers, body=reply.body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(
        app, host="127.0.0.1", port=int(port), print=None, access_log=None, loop=new_event_loop()
    )


if __name__ == "__main__":
    main()
