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
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply, build_error_reply, make_request_id
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
        self._engines = {each.engine.namespace: each.engine for each in self.all}

    def find(self, target: str, head: Head) -> tuple[Namespace | None, str]:
        """Return the namespace, and the target without the token. `None` without a valid token."""
        if not self._teams:
            return self._own, target
        token, rest = _read_token(target, head)
        namespace = self._teams.get(_digest(token)) if token else None
        if namespace is None and PROBE.match(rest):
            namespace = self.all[0]  # every namespace has the same state server
        return namespace, rest

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

    def refuse(self, method: str, target: str, head: Head, body: bytes) -> Reply:
        """Return the answer to a request without a valid token, in the form of its API."""
        token, target = _read_token(target, head)
        session, prefix, path = read_session(target, head)
        name = session or DEFAULT_SESSION
        if (control := self._own.engine.control) is not None:
            reply = control(name, method, path, head, body)
            if reply is not None:
                return reply
        call = Call(name, method, path, head, body, prefix=prefix)
        actual = "another" if token else "none"
        message = f"bedtape: expected the token of a namespace, found {actual}; {_FIX}"
        status = 403 if call.dialect == "aws" else 401
        return build_error_reply(status, _REFUSED, message, make_request_id(body), call.dialect)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _read_token(target: str, head: Head) -> tuple[str, str]:
    """Return the token, which is empty without one, and the target without it."""
    if (match := _PREFIX.match(target)) is not None:
        rest = target[match.end() :]
        return unquote(match[1]), rest if rest.startswith("/") else f"/{rest}"
    for name in _HEADERS:
        value = head.get(name)
        if value and name == "authorization":
            bearer = _BEARER.match(value)
            value = value[bearer.end() :] if bearer else None
        if value:
            return value.strip(), target
    return "", target
