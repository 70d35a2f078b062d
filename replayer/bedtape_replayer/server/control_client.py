"""A client of the control API, for tests whose session is on a server in another process."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlsplit

from bedtape_cassettes.addresses import DEFAULT_SESSION, render_prefix
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_replayer.api.route import VERSION

# The seconds that a request may take. A server that shares sessions waits for others.
_TIMEOUT: Final = 60.0


class ControlError(CassetteError):
    """The server refused a request, or did not answer. status: 0 without an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ControlClient:
    """Sends requests to the control API of a server.

    url: of the server, http or https; its path may begin with `/n/TOKEN`. token: the token of a
    namespace, or the control token of the server; `None` without one. Each request has a connection
    of its own, so that threads can send requests at the same time.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._parts = urlsplit(self.url)

    def __repr__(self) -> str:
        return f"<ControlClient {self.address}>"

    @property
    def address(self) -> str:
        """The server for messages, without a token in the path."""
        return f"{self._parts.scheme}://{self._parts.netloc.rpartition('@')[2]}"

    @property
    def host(self) -> str:
        return self._parts.hostname or ""

    def locate(self, session: str) -> str:
        """Return the endpoint of a session."""
        return self.url if session == DEFAULT_SESSION else f"{self.url}{render_prefix(session)}"

    def check(self) -> None:
        """Raises ControlError unless a server of this version answers."""
        health = self.ask("GET", "/_bedtape/health")
        other = health.get("version") if isinstance(health, dict) else None
        if other != VERSION:
            answer = f"bedtape {other}" if other else "another answer"
            raise ControlError(
                200,
                f"expected bedtape {VERSION} at {self.address}, found {answer}; install the version"
                " of the server here",
            )

    def ask_session(self, session: str, method: str, path: str = "", value: Any = None) -> Any:
        """Return the answer of a route below `/_bedtape/sessions/NAME`. Raises ControlError."""
        return self.ask(method, f"/_bedtape/sessions/{quote(session, safe='')}{path}", value)

    def ask(self, method: str, path: str, value: Any = None) -> Any:
        """Send JSON, or nothing, and return the JSON of the answer. Raises ControlError."""
        body = self.read(method, path, value)
        try:
            return parse(body)
        except ValueError:
            raise ControlError(200, self._describe(200, body)) from None

    def read(self, method: str, path: str, value: Any = None) -> bytes:
        """Send JSON, or nothing, and return the body of the answer. Raises ControlError."""
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        headers = {"content-type": "application/json"}
        if self.token:
            headers["x-bedtape-token"] = self.token
        connection = kind(self.host, self._parts.port, timeout=_TIMEOUT)
        try:
            data = None if value is None else compact(value)
            connection.request(method, f"{self._parts.path}{path}", data, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise ControlError(
                0, f"expected a bedtape server at {self.address}, found none ({error})"
            ) from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise ControlError(answer.status, self._describe(answer.status, body))
        return body

    def _describe(self, status: int, body: bytes) -> str:
        """Return the message of a refusal."""
        try:
            value = parse(body)
        except ValueError:
            value = None
        message = None
        if isinstance(value, dict):
            message = value.get("error") or value.get("message") or value.get("Message")
        if not isinstance(message, str):
            message = f"expected the control API of bedtape, found {body[:200]!r}"
        fix = "; set BEDTAPE_CONTROL_TOKEN to the token of the namespace or the server"
        return f"{self.address}: {message}{fix if status in (401, 403) else ''}"
