"""The door of the control API: who may ask, which route is asked, and what comes back as a reply."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from bedtape_cassettes.bodies import compact
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.call import Head
from bedtape_replayer.control.api import ROUTES as OWN
from bedtape_replayer.control.fakecloud import ROUTES as FAKECLOUD
from bedtape_replayer.control.routes import Asked, Failed, Route
from bedtape_replayer.engine import Engine
from bedtape_replayer.reply import DATE, Piece, Reply

__all__ = ["Desk"]

_OURS = re.compile(r"/_(?:bedtape|fakecloud|reset)(?:/|$|\?)")
_LOOPBACK = re.compile(r"(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?", re.IGNORECASE)


class Desk:
    """Answers `/_bedtape/…`, `/_fakecloud/…` and `/_reset` for an engine.

    Only to requests whose Host is loopback, so that no page of another site can be made to ask through a browser; or,
    where there is a token, only to those that bring it, from anywhere.
    """

    def __init__(self, engine: Engine, token: str | None = None, routes: Iterable[Route] = (*OWN, *FAKECLOUD)) -> None:
        self._engine = engine
        self._token = token
        self._routes = tuple(routes)

    def __call__(self, session: str, method: str, path: str, head: Head, body: bytes) -> Reply | None:
        if not _OURS.match(path):
            return None
        try:
            self._admit(head)
            return _reply(200, self._answer(session, method, path, body))
        except Failed as error:
            return _reply(error.status, error.body)

    def _admit(self, head: Head) -> None:
        """Raises Failed for whoever may not ask."""
        if self._token is not None:
            brought = head.get("x-bedtape-token") or (head.get("authorization") or "").removeprefix("Bearer ")
            if not hmac.compare_digest(brought.encode(), self._token.encode()):
                raise Failed(401, {"error": "expected the control token in x-bedtape-token or as a bearer, found none"})
            return
        host = head.get("host") or head.get(":authority") or ""
        if not _LOOPBACK.fullmatch(host):
            raise Failed(
                403,
                {
                    "error": f"expected a Host on loopback, found {host!r}; start with --control-token to be asked as that"
                },
            )
        origin = head.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Failed(403, {"error": f"expected a page of this server, found one of {origin!r}"})

    def _answer(self, session: str, method: str, path: str, body: bytes) -> JsonValue:
        plain, _, query = path.partition("?")
        found = [(route, parts) for route in self._routes if (parts := route.parts(plain)) is not None]
        if not found:
            raise Failed(404, {"error": f"no such path: {plain}; /_bedtape/openapi.json has all"})
        for route, parts in found:
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route.answer(Asked(self._engine, session, parts, _query(query), body))
        allowed = ", ".join(sorted({route.method for route, _ in found}))
        raise Failed(405, {"error": f"expected {allowed} for {plain}, found {method}"})


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Failed(400, {"error": f"expected each parameter once, found {text!r}"})
    return query


def _reply(status: int, value: JsonValue) -> Reply:
    body = compact(value)
    headers = (
        (b"Date", DATE),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Connection", b"keep-alive"),
        (b"Cache-Control", b"no-store"),
    )
    return Reply(status, headers, (Piece(0, body),), streamed=False)
