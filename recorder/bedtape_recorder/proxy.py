"""mitmproxy's proxy in this process, and changes of mitmproxy. Supports mitmproxy 11.0.2 to 12.x.

The changes replace methods of mitmproxy once in a process:
- A client's GOAWAY leaves its streams open, which Node's SDK needs.
- An answer is read to its end if its client has gone, so that it can be replayed.
- An error between the recorder and the service reaches the client as an error of the
  connection, not as an HTML page.
- Trailers of HTTP/1.1 are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

import h11
import mitmproxy.proxy.server
from h11._readers import ChunkedReader
from mitmproxy import flow as mitmproxy_flow
from mitmproxy.net.http import status_codes
from mitmproxy.options import Options
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import _events, _http1, _http_h2
from mitmproxy.tools.dump import DumpMaster

from bedtape_recorder.errors import RecorderError

# mitmproxy closes a connection after ten silent minutes, but botocore waits up to an hour.
_TIMEOUT_S = 4000


@dataclass
class Proxy:
    """mitmproxy in this process, on loopback ports. Run it in a separate thread and event loop.

    only: patterns of `host:port`; other connections are blind tunnels. login:
    NAME:PASSWORD that clients must send.
    """

    addon: object
    confdir: str
    modes: list[str]
    ready: Callable[[], None]
    trusted: str | None
    only: list[str]
    login: str | None = None
    _master: DumpMaster | None = field(default=None, init=False)

    async def run(self) -> None:
        """Runs until `shutdown`. Raises SystemExit if mitmproxy cannot start."""
        self._master = master = DumpMaster(
            Options(confdir=self.confdir, mode=self.modes), with_termlog=False, with_dumper=False
        )
        master.addons.add(self.addon, SimpleNamespace(running=self.ready))
        settings: dict[str, Any] = {"connection_strategy": "lazy", "onboarding": False}
        if self.only:  # other connections are blind tunnels with the server's certificate
            settings["allow_hosts"] = self.only
        if self.login:
            settings["proxyauth"] = self.login
        if self.trusted:
            settings["ssl_verify_upstream_trusted_ca"] = self.trusted
        if "tcp_timeout" in master.options:
            settings["tcp_timeout"] = _TIMEOUT_S
        else:
            mitmproxy.proxy.server.TCP_TIMEOUT = _TIMEOUT_S
        master.options.update(**settings)
        await master.run()

    def port(self) -> int:
        """Returns the port that the proxy listens on."""
        assert self._master is not None
        servers = self._master.addons.get("proxyserver").servers
        return int(next(iter(servers)).listen_addrs[0][1])

    def shutdown(self) -> None:
        """Ends `run`. May be called from any thread."""
        if self._master is not None:
            self._master.shutdown()


# -- changes of mitmproxy --------------------------------------------------------------------------

# The code of an error that mitmproxy does not answer with a page. mitmproxy 12 has an enumeration.
_SILENT: Any = _events.ErrorCode.KILL if hasattr(_events, "ErrorCode") else status_codes.NO_RESPONSE
_READER = "_bedtape_reader"


class LiveFlow(Protocol):
    """The recorder's own data of a flow, in its metadata under the key `bedtape`.

    exchange: None until the request is recorded. client_gone: the client left, and the answer is
    read on. service_ended: the service or its connection ended the answer.
    """

    exchange: int | None
    client_gone: bool
    service_ended: bool


@dataclass
class OpenExchanges:
    """The open exchanges of each client's connection, whose answers are read on if the client goes.

    seconds: how long an answer is read after its client has gone; 0: not at all. gone: the
    exchanges without a client.
    """

    seconds: float = 0
    gone: set[int] = field(default_factory=set)
    _open: dict[str, dict[int, Callable[[], object]]] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)

    def begin(self, client: str, exchange: int, cut: Callable[[], object]) -> None:
        """Adds an exchange. cut: ends its recording if the service does not end in time."""
        self._open.setdefault(client, {})[exchange] = cut

    def end(self, client: str, exchange: int) -> None:
        """Removes an exchange that has ended."""
        self.gone.discard(exchange)
        exchanges = self._open.get(client, {})
        exchanges.pop(exchange, None)
        if not exchanges:
            self._open.pop(client, None)
            if (waiting := self._waiting.get(client)) is not None:
                waiting.set()

    def stop(self) -> None:
        """Ends all waiting."""
        self.seconds = 0
        for waiting in self._waiting.values():
            waiting.set()

    async def wait(self, client: str) -> None:
        """Returns when a client's exchanges have ended, and cuts them after `seconds`."""
        if not self.seconds or client not in self._open:
            return
        self.gone.update(self._open[client])
        ended = self._waiting[client] = asyncio.Event()
        try:
            await asyncio.wait_for(ended.wait(), self.seconds)
        except TimeoutError:
            for cut in self._open.pop(client, {}).values():
                cut()
        finally:
            self._waiting.pop(client, None)


reading_on = OpenExchanges()


def install_changes() -> None:
    """Installs the changes. Raises RecorderError if mitmproxy lacks a method to change."""
    _install_graceful_goaway()
    _install_reading_on()
    _install_trailers()


def was_reset(connection: object) -> bool:
    """Whether the peer has reset this connection of mitmproxy, instead of closing it."""
    reader = getattr(connection, _READER, None)
    return isinstance(reader.exception() if reader is not None else None, ConnectionResetError)


def _install_graceful_goaway() -> None:
    """Keeps streams open after a client's GOAWAY without an error (RFC 9113 section 6.8).

    The h2 library closes the connection instead. The AWS SDK for JavaScript sends GOAWAY after the
    response's head, so it would lose the rest of every stream. Raises RecorderError if mitmproxy
    lacks the private method that is patched.
    """
    connection: Any = _http_h2.BufferedH2Connection
    original = getattr(connection, "_receive_goaway_frame", None)
    if original is None:
        raise RecorderError(
            "this mitmproxy cannot carry Node's HTTP/2 streams: use NodeHttpHandler, or mitmproxy"
            " 12.2"
        )
    if getattr(original, "bedtape", False):
        return

    def graceful(self: Any, frame: Any) -> Any:
        if frame.error_code == 0 and not self.config.client_side:
            return [], []
        return original(self, frame)

    graceful.bedtape = True  # type: ignore[attr-defined]
    connection._receive_goaway_frame = graceful


def _install_reading_on() -> None:
    stream: Any = layers.HttpStream
    handler: Any = mitmproxy.proxy.server.ConnectionHandler
    if getattr(stream.handle_protocol_error, "bedtape", False):
        return
    handle_protocol_error, handle_connection = (
        stream.handle_protocol_error,
        handler.handle_connection,
    )
    check_killed = stream.check_killed

    def is_read_on(self: Any) -> bool:
        """Whether the request is sent, so that its answer is read also if the client leaves."""
        ended = (self.state_done, self.state_errored, self.state_uninitialized)
        return bool(
            reading_on.seconds
            and self.server_state not in ended
            and self.client_state == self.state_done
        )

    def check(self: Any, emit_error_hook: bool) -> Generator[Any, Any, bool]:
        # A client that leaves during a hook would end the flow. `handle` gets this event too.
        live: LiveFlow | None = _find_live(self.flow)
        sent = live is not None and live.exchange is not None and is_read_on(self)
        if sent and self.flow.error is None:
            return False
        killed: bool = yield from check_killed(self, emit_error_hook)
        return killed

    def handle(self: Any, event: Any) -> Generator[Any, Any, None]:
        live: LiveFlow | None = _find_live(getattr(self, "flow", None))
        if live is None or live.exchange is None:
            yield from handle_protocol_error(self, event)
        elif isinstance(event, _events.RequestProtocolError):
            if is_read_on(self):
                live.client_gone = True
                reading_on.gone.add(live.exchange)
                # the answer is not sent to the client any more
                self.client_state = self.state_errored
            else:
                yield from handle_protocol_error(self, event)
        else:
            live.service_ended = True
            silent = type(event)(event.stream_id, event.message, _SILENT)
            if live.client_gone:  # mitmproxy calls no hook, because the client has ended the flow
                self.flow.error = mitmproxy_flow.Error(event.message)
                yield layers.HttpErrorHook(self.flow)
            yield from handle_protocol_error(self, silent)

    async def handle_until_read(self: Any, connection: Any) -> None:
        reader = self.transports[connection].reader
        if isinstance(reader, asyncio.StreamReader):
            setattr(connection, _READER, reader)
        try:
            await handle_connection(self, connection)
        finally:
            if connection is self.client:  # mitmproxy closes the connections to servers next
                # each failed write would cancel this task again
                left = self.transports.pop(connection, None)
                if left is not None and left.writer is not None:
                    left.writer.close()
                with suppress(asyncio.CancelledError):  # of a write that failed before
                    await reading_on.wait(connection.id)
                await reading_on.wait(connection.id)

    handle.bedtape = True  # type: ignore[attr-defined]
    stream.handle_protocol_error = handle
    stream.check_killed = check
    handler.handle_connection = handle_until_read


def _find_live(flow: Any) -> Any:
    return None if flow is None else flow.metadata.get("bedtape")


def _install_trailers() -> None:
    original = _http1.make_body_reader
    if getattr(original, "bedtape", False):
        return

    def make(expected_size: int | None) -> Any:
        return _ReaderWithoutTrailers() if expected_size is None else original(expected_size)

    make.bedtape = True  # type: ignore[attr-defined]
    _http1.make_body_reader = make


class _ReaderWithoutTrailers(ChunkedReader):
    """Leaves out trailers, for which mitmproxy raises NotImplementedError."""

    def __call__(self, buffer: Any) -> Any:
        event = super().__call__(buffer)
        return h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event
