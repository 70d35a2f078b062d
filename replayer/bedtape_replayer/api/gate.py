"""The access gate of the control API: checks the caller, finds the route, returns the reply."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import parse_qsl

from bedtape_cassettes.admission import is_loopback
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.answering.gaps import HeaderPairs
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply, build_own_reply
from bedtape_replayer.api.fakecloud import ROUTES as FAKECLOUD
from bedtape_replayer.api.inspector.call_detail import ROUTES as INSPECTOR
from bedtape_replayer.api.inspector.capture import ROUTES as CAPTURE
from bedtape_replayer.api.inspector.page import page, read_files
from bedtape_replayer.api.monitor_routes import PROBE
from bedtape_replayer.api.route import ApiRequest, DelayedResult, Route, RouteError
from bedtape_replayer.api.session_routes import ROUTES as OWN
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.live import LiveReply, build_delayed_reply

_OURS = re.compile(r"/_(?:bedtape|fakecloud|reset)(?:/|$|\?)")
_HEALTH = re.compile(r"/_bedtape/health(?:\?.*)?", re.DOTALL)
_BEARER = re.compile(r"^Bearer(?: +|$)", re.IGNORECASE)


class Gate:
    """Answers `/_bedtape/…`, the inspector's page among it, `/_fakecloud/…` and
    `/_reset` for an engine.

    token: every request must contain it, except for the page's files, because a browser cannot send
    a token when it opens the page. address: the address that the server listens on. Without a
    token, an address that other machines can reach gets no control API, except for the health
    check and the probes. The server has already refused requests of web pages. only_probes: all
    paths but the probes are no business of the gate.
    """

    def __init__(
        self,
        engine: Engine,
        token: str | None = None,
        *,
        address: str = "127.0.0.1",
        only_probes: bool = False,
        routes: Iterable[Route] = (*OWN, *INSPECTOR, *CAPTURE, *FAKECLOUD),
    ) -> None:
        self._engine = engine
        self._token = token
        self.is_off = token is None and not is_loopback(address)
        self._routes = tuple(routes)
        self._paths = PROBE if only_probes else _OURS
        read_files()

    def owns(self, path: str) -> bool:
        """Whether a path is one of the control API."""
        return self._paths.match(path) is not None

    def __call__(
        self, session: str, method: str, path: str, head: Head, body: bytes
    ) -> Reply | None:
        if not self.owns(path):
            return None
        is_probe = PROBE.match(path) is not None
        try:
            if self.is_off and not (is_probe or _HEALTH.fullmatch(path)):
                raise RouteError(
                    403,
                    {
                        "error": (
                            "expected a control token, because other machines can reach this"
                            " server; start it with --control-token"
                        )
                    },
                )
            file = page(method, path)
            if file is not None:
                return file
            if self._token is not None and not is_probe:
                _admit_bearer(head, self._token)
            answer = self._answer(session, method, path, body)
        except RouteError as error:
            return _render_failure(error)
        match answer:
            case LiveReply():
                return (
                    answer
                    if method == "GET"
                    else Reply(answer.status, answer.headers, (), streamed=False)
                )
            case Reply():
                return answer
            case DelayedResult(work):
                return build_delayed_reply(partial(_work, work))
        return _reply(200, answer)

    def _answer(
        self, session: str, method: str, path: str, body: bytes
    ) -> JsonValue | Reply | DelayedResult:
        plain, _, query = path.partition("?")
        routes = [
            (route, parts) for route in self._routes if (parts := route.parts(plain)) is not None
        ]
        if not routes:
            raise RouteError(
                404, {"error": f"no such path: {plain}; /_bedtape/openapi.json has all"}
            )
        for route, parts in routes:
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route.answer(ApiRequest(self._engine, session, parts, _query(query), body))
        methods = {route.method for route, _ in routes}
        allowed = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        raise RouteError(
            405,
            {"error": f"expected {allowed} for {plain}, found {method}"},
            ((b"Allow", allowed.encode()),),
        )


def _admit_bearer(head: Head, token: str) -> None:
    """Raises RouteError if the request does not contain the token."""
    brought = head.get("x-bedtape-token") or _BEARER.sub("", head.get("authorization") or "")
    # Headers come as Latin-1, whatever bytes they are.
    if not hmac.compare_digest(brought.encode("latin-1", "replace"), token.encode()):
        actual = "another" if brought else "none"
        message = f"expected the control token in x-bedtape-token or as a bearer, found {actual}"
        raise RouteError(401, {"error": message}, ((b"WWW-Authenticate", b"Bearer"),))


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise RouteError(400, {"error": f"expected each parameter once, found {text!r}"})
    return query


def _work(work: Callable[[], JsonValue]) -> Reply:
    try:
        return _reply(200, work())
    except RouteError as error:
        return _render_failure(error)


def _render_failure(error: RouteError) -> Reply:
    return _reply(error.status, error.body, error.headers)


def _reply(status: int, value: JsonValue, more: HeaderPairs = ()) -> Reply:
    return build_own_reply(status, compact(value), (b"Cache-Control", b"no-store"), *more)
