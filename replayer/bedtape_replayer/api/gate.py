"""The access gate of the control API: checks who may call it, finds the route, and returns the reply."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import HeaderPairs, Reply, build_own_reply
from bedtape_replayer.api.fakecloud import ROUTES as FAKECLOUD
from bedtape_replayer.api.inspector.feed import ROUTES as INSPECTOR
from bedtape_replayer.api.inspector.page import page
from bedtape_replayer.api.route import ApiRequest, Failed, Route
from bedtape_replayer.api.session_routes import ROUTES as OWN
from bedtape_replayer.engine.engine import Engine

_OURS = re.compile(r"/_(?:bedtape|fakecloud|reset)(?:/|$|\?)")
_LOOPBACK = re.compile(
    r"(?:localhost|[a-z0-9.-]+\.localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?", re.IGNORECASE
)
_BEARER = re.compile(r"^Bearer(?: +|$)", re.IGNORECASE)


# What a browser says of a request that no page of another origin made: its own page, or the person at the keyboard.
_OWN_SITE = ("same-origin", "none")


class Gate:
    """Answers `/_bedtape/…`, the inspector's page among it, `/_fakecloud/…` and `/_reset` for an engine.

    Without a token, the Host of a request must be loopback, and the request must not come from a page of another site,
    so that no foreign page can use the browser (CSRF, DNS rebinding). With a token, a request from any host must contain
    the token. The page's files need no token, because a browser cannot send one when it opens the page.
    """

    def __init__(
        self, engine: Engine, token: str | None = None, routes: Iterable[Route] = (*OWN, *INSPECTOR, *FAKECLOUD)
    ) -> None:
        self._engine = engine
        self._token = token
        self._routes = tuple(routes)

    def __call__(self, session: str, method: str, path: str, head: Head, body: bytes) -> Reply | None:
        if not _OURS.match(path):
            return None
        try:
            if self._token is None:
                _admit_neighbours(head)
            file = page(method, path)
            if file is not None:
                return file
            if self._token is not None:
                _admit_bearer(head, self._token)
            return _reply(200, self._answer(session, method, path, body))
        except Failed as error:
            return _reply(error.status, error.body, error.headers)

    def _answer(self, session: str, method: str, path: str, body: bytes) -> JsonValue:
        plain, _, query = path.partition("?")
        found = [(route, parts) for route in self._routes if (parts := route.parts(plain)) is not None]
        if not found:
            raise Failed(404, {"error": f"no such path: {plain}; /_bedtape/openapi.json has all"})
        for route, parts in found:
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route.answer(ApiRequest(self._engine, session, parts, _query(query), body))
        methods = {route.method for route, _ in found}
        allowed = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        raise Failed(405, {"error": f"expected {allowed} for {plain}, found {method}"}, ((b"Allow", allowed.encode()),))


def _admit_bearer(head: Head, token: str) -> None:
    """Raises Failed if the request does not contain the token."""
    brought = head.get("x-bedtape-token") or _BEARER.sub("", head.get("authorization") or "")
    # Headers come as Latin-1, whatever bytes they are.
    if not hmac.compare_digest(brought.encode("latin-1", "replace"), token.encode()):
        found = "another" if brought else "none"
        message = f"expected the control token in x-bedtape-token or as a bearer, found {found}"
        raise Failed(401, {"error": message}, ((b"WWW-Authenticate", b"Bearer"),))


def _admit_neighbours(head: Head) -> None:
    """Raises Failed for requests that come for another host, or from a page of another origin."""
    host = head.get("host") or ""
    if not _LOOPBACK.fullmatch(host):
        fix = "start with --control-token to be called by that name"
        raise Failed(403, {"error": f"expected a Host on loopback, found {host!r}; {fix}"})
    origin = head.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise Failed(403, {"error": f"expected a page of this server, found one of {origin!r}"})
    site = head.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITE:
        raise Failed(403, {"error": f"expected a page of this server, found Sec-Fetch-Site {site!r}"})


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Failed(400, {"error": f"expected each parameter once, found {text!r}"})
    return query


def _reply(status: int, value: JsonValue, more: HeaderPairs = ()) -> Reply:
    return build_own_reply(status, compact(value), (b"Cache-Control", b"no-store"), *more)
