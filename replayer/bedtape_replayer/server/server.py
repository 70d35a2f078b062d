"""The server: listens, holds the open connections and the current date, and closes
the connections in order.

Sockets, timers and the clock are in this room.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

try:
    import uvloop
except ImportError:  # uvloop does not support Windows and PyPy
    uvloop = None  # type: ignore[assignment]

from bedtape_cassettes.admission import LOOPBACK, Admission
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head, Sender
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.server.connection import Connection
from bedtape_replayer.server.exchanges import Observer
from bedtape_replayer.server.intercept import CONNECT, ConnectRequest
from bedtape_replayer.server.namespaces import Namespace, Namespaces
from bedtape_replayer.server.player import Turns, format_error, locate_error, show_request
from bedtape_replayer.server.repeats import Repeats
from bedtape_replayer.server.tls import HANDSHAKE, TlsLayer
from bedtape_replayer.server.tls_contexts import Certificates
from bedtape_replayer.wire.http1_whole import HeadForms
from bedtape_replayer.wire.http2.headers import RequestHead

if TYPE_CHECKING:
    from bedtape_replayer.server.shared.state import SharedState

__all__ = ["MAX_BODY", "Observer", "Outcome", "Server", "new_event_loop"]

# Why a request is refused: its Host or Origin header, or its token.
Refusal: TypeAlias = Literal["sender", "token"]
# Bedrock's limit for a body is 25,000,000 bytes (InvokeModel). Base64 in JSON makes other
# bodies a little larger.
MAX_BODY = 25 * 1024 * 1024
# Connections that the kernel accepts before the server does.
_BACKLOG = 1024
# The seconds that a connection gets for its request if it was accepted when the listener closed.
_SETTLING = 0.2
# Clients choose host names below .localhost, so the senders that are remembered have a limit.
_MOST_SENDERS = 256
# Lines about TLS that a server prints. A reason comes from OpenSSL, so there are few.
_MOST_REPORTED = 20
_ENABLE_TLS = (
    "use http://, or start with --tls (bedtape replay, bedtape run), tls = true in the table"
    " pytest, or Replayer(tls=True)"
)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop if it is installed, or asyncio's, which has half the speed."""
    return asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()


async def end_tasks() -> None:
    """End all other tasks of the loop before it is closed, as `asyncio.run` does.

    uvloop waits for ever when it closes a loop that connects. A library can lose a cancellation
    while it connects, so each task is cancelled until it ends.
    """
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=0.05)


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"bedtape: {line}\n")
    sys.stderr.flush()


class Server:
    """Listens on a port and answers every connection from one engine.

    admission: the requests to accept. speed: a multiple of the recorded pace; `None` for as fast as
    possible. observer: is called after every call. complain: is called with one line for every
    refused request, and for every error in bedtape or in the observer. max_body: the bytes of the
    largest body that is read. patience: the seconds that a client may take to send a complete
    request. certificates: for clients that begin with TLS;
    `None` for clear text alone. intercept: is a proxy for connections to Bedrock's hosts. state:
    the sessions that servers share; `None` for sessions of its own. teams: the namespaces, whose
    engines then answer, and `engine` refuses the requests without a token.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        admission: Admission = LOOPBACK,
        speed: float | None = None,
        observer: Observer | None = None,
        complain: Callable[[str], None] = _to_stderr,
        max_body: int = MAX_BODY,
        patience: float = 60.0,
        certificates: Certificates | None = None,
        intercept: bool = False,
        state: SharedState | None = None,
        teams: Sequence[Namespace] = (),
    ) -> None:
        self.engine = engine
        self.namespaces = Namespaces(Namespace(engine, state), teams)
        self.speed = speed
        self.observer = observer
        self.complain = complain
        self.max_body = max_body
        self.connections: set[Connection] = set()
        self.request_heads: dict[bytes, RequestHead] = {}
        self.head_forms = HeadForms()
        self.repeats = None if teams or state is not None else Repeats(self, engine)
        self.turns = Turns()
        self.refusals: dict[str, int] = dict.fromkeys(get_args(Refusal), 0)
        self.draining = False
        self.stopping = False
        self._admission = admission
        self._certificates = certificates
        self._intercept = intercept
        self._reported: set[str] = set()
        self._accepted: set[Sender] = set()
        self._patience = patience
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._deserted = asyncio.Event()
        self._date = b""
        self._second = 0

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError if the port is not free. Port 0 selects a free port.

        Raises CassetteError if the shared sessions cannot be used.
        """
        self.engine.problems.clear()
        await self.namespaces.start()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self, loop), host, port, backlog=_BACKLOG
        )
        self._sweep(loop)

    async def stop(self, grace: float | None = None, *, drain: float = 0.0) -> None:
        """Accept no more connections, finish answers for at most `grace` seconds, and close.

        drain: the seconds before, in which the server is not ready and still answers, so that a
        load balancer can notice. Every answer then closes its connection.
        """
        if self._listener is None:
            return
        self.engine.problems["end"] = "the server ends"
        self.draining = True
        for connection in list(self.connections):
            connection.end_with_next_answer()
        if drain:
            await asyncio.sleep(drain)
        self.stopping = True
        self._listener.close()
        if drain:  # requests on connections that were accepted last
            await asyncio.sleep(_SETTLING)
        for connection in list(self.connections):
            connection.wind_down()
        try:
            async with asyncio.timeout(grace):
                await self._until_deserted()
        except TimeoutError:
            for connection in list(self.connections):
                connection.abort()
            await self._until_deserted()
        if self._sweeper:
            self._sweeper.cancel()
        await self.namespaces.stop()
        self._listener = None

    async def _until_deserted(self) -> None:
        while self.connections:
            self._deserted.clear()
            await self._deserted.wait()

    def join(self, connection: Connection) -> None:
        """Add a new connection."""
        self.connections.add(connection)
        if self.stopping:
            # The kernel accepted it before the listener closed. Its request may be on its way.
            connection.winding_down = True
            connection.loop.call_later(_SETTLING, connection.wind_down)

    def leave(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self.connections.discard(connection)
        if not self.connections:
            self._deserted.set()

    def insert_layer(
        self, connection: Connection, transport: asyncio.Transport, data: bytes
    ) -> bool:
        """Give the first bytes of a connection to a layer below it.

        Return whether they begin with TLS or CONNECT.
        """
        certificates = self._certificates
        layer: TlsLayer | ConnectRequest | None = None
        if isinstance(transport, TlsLayer):
            return False
        if data[0] == HANDSHAKE:
            if certificates is None:
                self._complain_once(f"a client used TLS, and this server has none; {_ENABLE_TLS}")
            else:
                layer = TlsLayer(certificates.context, transport, connection, self._complain_once)
        elif data[0] == CONNECT and self._intercept and certificates is not None:
            layer = ConnectRequest(transport, connection, certificates.permits, self._complain_once)
        if layer is None:
            return False
        layer.data_received(data)
        return True

    def _complain_once(self, line: str) -> None:
        """Report a problem of a connection once, because an SDK tries again."""
        if line not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(line)
            self.complain(line)

    def count_refusal(self, reason: Refusal, what: str, problem: str) -> None:
        """Count and report a refused request, which is in no history.

        what: method and path; secrets in them are replaced. problem: why it was refused.
        """
        self.refusals[reason] += 1
        self.complain(f"{show_request(what)} was refused: {problem}")

    def finish(self, engine: Engine, outcome: Outcome, session: SessionState | None = None) -> None:
        """Add a call that is over to the history, and call the observer.

        session: if the caller knows it. An error in the observer does not affect the answer.
        """
        engine.finish(outcome, session)
        if self.observer is None:
            return
        try:
            self.observer(outcome)
        except Exception as error:  # noqa: BLE001 - the observer is a user's code
            self.complain(f"the observer failed: {format_error(error)} ({locate_error(error)})")

    def find_problem(self, head: Head) -> str | None:
        """Return why a request is refused, or `None`. Most senders were accepted before."""
        sender = head.known_sender or head.sender
        if sender in self._accepted:
            return None
        problem = self._admission.find_problem(
            *(None if value is None else value.decode("latin-1") for value in sender)
        )
        if problem is None and len(self._accepted) < _MOST_SENDERS:
            self._accepted.add(sender)
        return problem

    def date(self) -> bytes:
        """The current date in the format of the Date header."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = formatdate(now, usegmt=True).encode()
        return self._date

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check all connections and sessions by one timer, because more would cost each request."""
        self._sweeper = loop.call_later(self._patience / 8, self._sweep, loop)
        now = loop.time()
        for namespace in self.namespaces.all:
            namespace.engine.sessions.expire(now)
        for connection in list(self.connections):
            connection.check_patience(now, self._patience)
