"""The namespaces of a server: teams that share it, and see nothing of each other.

Each namespace has an engine of its own, so that nothing is in two of them but cassettes and options
of the server. The token in a request chooses the namespace. SDKs can set the endpoint and the
credentials alone, so a token is a session token, an API key, or a part of the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import build_error_reply, make_request_id
from bedtape_replayer.api.monitor_routes import PROBE
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import read_session

if TYPE_CHECKING:
    from bedtape_replayer.server.shared.state import SharedState

# Of AWS, for a token that it does not know.
_REFUSED = "UnrecognizedClientException"
_PREFIX = re.compile(r"/+n/([^/?]+)(?=[/?]|\Z)")
_BEARER = re.compile(r"Bearer +", re.IGNORECASE)
# Of clients of the control API, AWS SDKs, Bedrock API keys and OpenAI's client, Anthropic's client.
_HEADERS = ("x-bedtape-token", "x-amz-security-token", "authorization", "x-api-key")
_FIX = (
    "send it as session token (AWS_SESSION_TOKEN), as API key, in the header x-bedtape-token, or in"
    " the endpoint: /n/TOKEN"
)


@dataclass(frozen=True, slots=True)
class Namespace:
    """What one team uses. token: of its requests. state: the sessions that servers share."""

    engine: Engine
    state: SharedState | None = None
    token: str = field(default="", repr=False)


class Namespaces:
    """Finds the namespace of a request.

    own: the namespace of all requests; with `teams`, of those without a token that a namespace has.
    """

    def __init__(self, own: Namespace, teams: Iterable[Namespace] = ()) -> None:
        self._own = own
        # by digest, so that the time of a search tells nothing about a token
        self._teams = {_digest(each.token): each for each in teams}
        self.all = tuple(self._teams.values()) or (own,)
        for each in self.all:  # one readiness, because they have one state server
            each.engine.problems = own.engine.problems
        self._engines = {each.engine.namespace: each.engine for each in (own, *self.all)}

    def find(self, target: str, head: Head) -> tuple[Namespace | None, str, Head]:
        """Return the namespace, and the target and the head without the token, which then is in no
        history and goes to no other server. `None` without a valid token.
        """
        if not self._teams:
            return self._own, target, head
        token, rest = _read_token(target, head)
        namespace = self._teams.get(_digest(token)) if token else None
        if namespace is not None:
            head = head.without(_HEADERS[0], token)
        elif PROBE.match(rest):
            namespace = self.all[0]  # every namespace has the same state server
        return namespace, rest, head

    async def start(self) -> None:
        """Connect to the state server. Raises CassetteError, and then nothing is connected."""
        started: list[SharedState] = []
        try:
            for each in self.all:
                if each.state is not None:
                    await each.state.start()
                    started.append(each.state)
        except CassetteError:
            for state in started:
                await state.stop()
            raise

    async def stop(self) -> None:
        """Send the outcomes that wait, and disconnect."""
        for each in self.all:
            if each.state is not None:
                await each.state.stop()

    def find_engine(self, call: Call) -> Engine:
        """Return the engine that has answered the call."""
        return self._engines[call.namespace]

    def answer_outsider(
        self, method: str, target: str, head: Head, body: bytes
    ) -> tuple[Answer, str]:
        """Answer a request without the token of a namespace: from the server's own control API, or
        with an error in the form of the request's API. Return also the reason of the error.
        """
        token, target = _read_token(target, head)
        session, prefix, path = read_session(target, head)
        call = Call(session or DEFAULT_SESSION, method, path, head, body, prefix=prefix)
        if (control := self._own.engine.control) is not None:
            reply = control(call.session, method, path, head, body)
            if reply is not None:
                return Answer(call, reply, "control"), ""
        problem = f"expected the token of a namespace, found {'another' if token else 'none'}"
        message, request_id = f"bedtape: {problem}; {_FIX}", make_request_id(body)
        status = 403 if call.dialect == "aws" else 401
        reply = build_error_reply(status, _REFUSED, message, request_id, call.dialect)
        return Answer(call, reply, "control"), problem


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _read_token(target: str, head: Head) -> tuple[str, str]:
    """Return the token, which is empty without one, and the target without it."""
    if (match := _PREFIX.match(target)) is not None:
        rest = target[match.end() :]
        return unquote(match[1]), rest if rest.startswith("/") else f"/{rest}"
    values = (_read_value(name, head) for name in _HEADERS)
    return next(filter(None, values), ""), target


def _read_value(name: str, head: Head) -> str:
    """Return the token that a header may contain; empty without one."""
    value = head.get(name) or ""
    if name == "authorization":
        bearer = _BEARER.match(value)
        value = value[bearer.end() :] if bearer else ""
    return value.strip()
