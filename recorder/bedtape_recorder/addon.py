"""The proxy's side of recording, and the only file that knows mitmproxy (11.0.2 to 12.x).

The addon sends reverse-proxied requests where their signature says, signs them again, and tells `capture` what passes.
Streams pass event by event. Two shims make Node's default HTTP/2 work: cleartext HTTP/2, and a graceful GOAWAY.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Optional, Protocol

import mitmproxy.proxy.server
from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.net import encoding
from mitmproxy.options import Options
from mitmproxy.proxy import layer, mode_specs, server_hooks
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.proxy.layers.http import _http_h2, _upstream_proxy
from mitmproxy.tools.dump import DumpMaster

from bedtape_cassettes.addresses import read_host
from bedtape_cassettes.format.eventstream import FrameError
from bedtape_cassettes.model import Headers
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_recorder import gate
from bedtape_recorder.capture import Capture
from bedtape_recorder.content_encoding import Receiving, receiving
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.journal_file import Journalled
from bedtape_recorder.proxies import Proxies, proxies_of
from bedtape_recorder.routing import DEFAULT_REGION, Route, read_route
from bedtape_recorder.settings import address_of, state_folder
from bedtape_recorder.signing import SIGNATURE_HEADERS, EventSigner

__all__ = ["Addon", "Playback", "Played", "Proxy", "Script", "Signer", "graceful_goaway"]

_log = logging.getLogger("bedtape.record")

# mitmproxy gives a connection up after ten silent minutes; botocore's own limit for a long answer is an hour.
_SILENCE = 4000
_BIDIRECTIONAL = "invoke-with-bidirectional-stream"
# What a client's credentials are in. The libraries for Mantle send a placeholder as x-api-key beside a signature.
_AUTHORISING = (*SIGNATURE_HEADERS, "x-api-key")
# An event that no service takes: its length cannot be. So the service ends a stream that the client broke.
_NO_EVENT = bytes(16)


@dataclass(frozen=True, slots=True)
class Played:
    """An answer from a cassette, in place of the real one."""

    status: int
    headers: Headers
    body: bytes


class Signer(Protocol):
    """Signs for the real service; see `credentials.Credentials`."""

    def headers(self, route: Route, method: str, path: str, headers: Headers, body: bytes) -> dict[str, str]: ...
    def events(self, route: Route, signature: str) -> EventSigner: ...


Playback = Callable[[str, str, str, Headers, bytes], Played | None]
"""(session, method, path, headers, body) to an answer that need not be asked for, or None. May block."""


class Addon:
    """What mitmproxy calls. Its public methods are mitmproxy's hooks and nothing else."""

    def __init__(
        self,
        capture: Capture,
        *,
        signer: Signer | None,
        upstream: tuple[str, str, int] | None,
        playback: Playback,
        region: str,
        proxies: Proxies,
        redaction: Redaction = ALWAYS,
    ) -> None:
        """signer: None in forward mode, where clients sign for themselves."""
        self._redaction = redaction
        self._capture = capture
        self._proxies = proxies
        self._region = region
        self._signer = signer
        self._upstream = upstream
        self._playback = playback

    # -- connections -------------------------------------------------------------------------------------------

    def running(self) -> None:
        graceful_goaway()

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """HTTP/2 over cleartext with prior knowledge, which mitmproxy refuses and Node's SDK speaks.

        And what is a blind tunnel here goes through the company's proxy as it would have without us.
        """
        client = nextlayer.context.client
        reverse = isinstance(client.proxy_mode, mode_specs.ReverseMode)
        if reverse and not client.alpn and nextlayer.data_client().startswith(b"PRI * HTTP/2.0"):
            client.alpn = b"h2"
            client.alpn_offers = [b"h2", b"http/1.1"]
            nextlayer.context.server.alpn_offers = [b"h2", b"http/1.1"]
        if isinstance(nextlayer.layer, TCPLayer) and isinstance(client.proxy_mode, mode_specs.RegularMode):
            nextlayer.layer = self._tunnelled(nextlayer.context, nextlayer.layer)

    def _tunnelled(self, context: Any, blind: TCPLayer) -> layer.Layer:
        if context.server.address is None or (via := self._via("https", context.server.address)) is None:
            return blind
        context.server.via = via
        stack = _upstream_proxy.HttpUpstreamProxy.make(context, True)
        stack /= blind
        return stack[0]

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """The company's proxy is about to be asked for a host: with its password, and for the upstream that we use."""
        request, asked = flow.request, flow.server_conn.address
        if asked is not None and (authorization := self._proxies.authorization_at(asked[:2])):
            request.headers["Proxy-Authorization"] = authorization
        request.host, request.port = self._address((request.host, request.port))

    def _address(self, asked: tuple[str, int]) -> tuple[str, int]:
        """Where a host of Bedrock's really is."""
        if self._upstream is not None and read_host(asked[0]):
            return self._upstream[1:]
        return asked

    def _via(self, scheme: str, asked: tuple[Any, ...]) -> Any:
        """The company's proxy before a host, as mitmproxy wants it."""
        proxy = self._proxies.proxy_for(scheme, *self._address((asked[0], asked[1])))
        return proxy and (proxy.scheme, (proxy.host, proxy.port))

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """The upstream's own name in the TLS handshake, not that of the loopback address the client used."""
        if data.server.address is None:
            return
        data.server.sni = data.server.address[0].removesuffix(".")  # RFC 6066: without the dot
        if (found := self._address(data.server.address[:2])) != data.server.address[:2]:
            data.server.address = found

    # -- requests ----------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        reverse = isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)
        try:
            if reverse or self._is_recorded(flow.request.pretty_host):
                self._route(flow, reverse)
            if not isinstance(flow.client_conn.proxy_mode, mode_specs.UpstreamMode):  # who says that has said it all
                flow.server_conn.via = self._via(flow.request.scheme, (flow.request.host, flow.request.port))
        except Exception as error:  # noqa: BLE001 - a hook that raises would let the request go out as it is
            flow.response = _refusal(error)

    def _is_recorded(self, host: str) -> bool:
        return read_host(host) is not None or (self._upstream is not None and host == self._upstream[1])

    def _route(self, flow: http.HTTPFlow, reverse: bool) -> None:
        """Sends the request to where its signature says, in mitmproxy's reverse mode; notes whose it is in both."""
        request = flow.request
        route = read_route(
            request.headers.get("authorization", ""),
            request.headers.pop("x-bedtape-session", None),
            request.data.path.decode("latin-1"),
            host=None if reverse else request.pretty_host,
            default_region=self._region,
            upstream=self._upstream and self._upstream[1],
        )
        flow.metadata["bedtape"] = live = _Live(route, reverse)
        request.data.path = route.path.encode("latin-1")
        if reverse:
            request.headers["accept-encoding"] = "identity"  # what is compressed can neither be scrubbed nor reviewed
            request.scheme, request.host, request.port = self._upstream or ("https", route.host, 443)
            request.host_header = route.host
        if route.path.split("?")[0].endswith(_BIDIRECTIONAL):
            self._begin_bidirectional(flow, live)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Credentials may have to be fetched, and a cassette be asked: neither may hold other requests up."""
        live = flow.metadata.get("bedtape")
        if live is None or flow.request.stream:
            return
        try:
            await asyncio.to_thread(self._prepare, flow, live)
        except Exception as error:  # noqa: BLE001 - a hook that raises would let the request go out unsigned
            flow.response = _refusal(error)
        if flow.response is None:
            self._begin(flow, live, flow.request.raw_content or b"")

    def _prepare(self, flow: http.HTTPFlow, live: _Live) -> None:
        request, route = flow.request, live.route
        body = request.raw_content or b""
        headers = _pairs(request.headers)
        played = self._playback(route.session, request.method, route.path, headers, body)
        if played is not None:
            fields = [(name.encode(), value.encode()) for name, value in played.headers]
            flow.response = http.Response.make(played.status, played.body, http.Headers(fields))
        elif live.reverse:
            self._sign(flow, live, headers, body)

    def _sign(self, flow: http.HTTPFlow, live: _Live, headers: Headers, body: bytes) -> None:
        request, route = flow.request, live.route
        signed = self._known_signer().headers(route, request.method, route.path, headers, body)
        for name in _AUTHORISING:
            request.headers.pop(name, None)
        for name, value in signed.items():
            request.headers[name] = value

    def _known_signer(self) -> Signer:
        if self._signer is None:
            raise RecorderError("this recorder was started for forward mode: it has no credentials to sign with")
        return self._signer

    def _begin(self, flow: http.HTTPFlow, live: _Live, body: bytes) -> None:
        route = live.route
        live.exchange = self._capture.sent(
            route.session, flow.request.method, route.path, _pairs(flow.request.headers), body
        )

    def _begin_bidirectional(self, flow: http.HTTPFlow, live: _Live) -> None:
        """Both directions at once: signed as it passes, each event on the one before. Kept without its request."""
        if not live.reverse:
            flow.request.stream = True
        else:
            self._sign(flow, live, _pairs(flow.request.headers), b"")
            signature = flow.request.headers.get("authorization", "").rpartition("Signature=")[2]
            flow.request.stream = _Events(self._known_signer().events(live.route, signature))
        self._begin(flow, live, b"")

    # -- responses ---------------------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        live = flow.metadata.get("bedtape")
        if live is None or live.exchange is None or flow.response is None:
            return
        exchange = live.exchange
        live.answer = answer = receiving(
            self._capture, exchange, flow.response.status_code, _pairs(flow.response.headers), _unpack, self._redaction
        )

        def tap(data: bytes) -> bytes:
            """Must not raise: mitmproxy would drop this chunk and go on with the next."""
            try:
                if data:
                    answer.feed(data)
            except Exception as error:  # noqa: BLE001 - the client gets its answer, and the recording is said to be cut
                _log.exception("an answer was not recorded to its end")
                self._cut(exchange, error)
            return data

        flow.response.stream = tap

    def _cut(self, exchange: int, error: Exception) -> None:
        with suppress(OSError):  # the disk is full, most likely; without an end it counts as cut too
            self._capture.end(exchange, f"not recorded to its end: {error}")

    def response(self, flow: http.HTTPFlow) -> None:
        self._end(flow, None)

    def error(self, flow: http.HTTPFlow) -> None:
        self._end(flow, flow.error.msg if flow.error else "broke off")

    def _end(self, flow: http.HTTPFlow, error: str | None) -> None:
        live = flow.metadata.get("bedtape")
        if live is None or live.exchange is None:
            return
        if live.answer is not None:
            live.answer.end(error)
        else:
            self._capture.end(live.exchange, error)

    def done(self) -> None:
        """Called before the hooks of what is under way: that is cut here and now."""
        self._capture.end_all("the recorder stopped")


@dataclass(slots=True)
class _Live:
    """What the addon knows of a flow."""

    route: Route
    reverse: bool
    exchange: int | None = None
    answer: Receiving | None = None


class _Events:
    """The events of a bidirectional stream on their way, signed; refused from the first that is none."""

    def __init__(self, signer: EventSigner) -> None:
        self._signer = signer
        self._refused = False

    def __call__(self, data: bytes) -> bytes:
        """Must not raise: mitmproxy would go on, and the client wait."""
        if self._refused or not data:
            return b""
        try:
            return self._signer.feed(data, datetime.now(UTC))
        except FrameError as error:
            self._refused = True
            _log.error("a bidirectional stream was refused, for what the client sent is no event: %s", error)
            return _NO_EVENT


def _unpack(body: bytes, coding: str) -> bytes:
    data = encoding.decode(body, coding)
    if not isinstance(data, bytes):  # Python's own codecs are taken for content codings
        raise ValueError("it is no content coding that is known")
    return data


def _pairs(headers: http.Headers) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.fields)


def _refusal(error: Exception) -> http.Response:
    body = json.dumps({"message": f"bedtape record: {error}"}).encode()
    fields = ((b"Content-Type", b"application/json"), (b"x-amzn-ErrorType", b"RecorderException"))
    return http.Response.make(400, body, http.Headers(fields))


def graceful_goaway() -> None:
    """Lets streams end that a client's GOAWAY without an error leaves open (RFC 9113 section 6.8).

    The h2 library closes the connection instead, and the AWS SDK for JavaScript, which sends GOAWAY as soon as it has
    the response's head, would silently lose the rest of every stream. Private code: where it is gone, say so.
    """
    connection: Any = _http_h2.BufferedH2Connection
    original = getattr(connection, "_receive_goaway_frame", None)
    if original is None:
        raise RecorderError("this mitmproxy cannot carry Node's HTTP/2 streams: use NodeHttpHandler, or mitmproxy 12.2")
    if getattr(original, "bedtape", False):
        return

    def graceful(self: Any, frame: Any) -> Any:
        if frame.error_code == 0 and not self.config.client_side:
            return [], []
        return original(self, frame)

    graceful.bedtape = True  # type: ignore[attr-defined]
    connection._receive_goaway_frame = graceful


class Script(Addon):
    """The addon for people who run mitmproxy themselves: `mitmdump -s "$(bedtape record --print-addon)"`.

    Its settings are mitmproxy options: `--set bedtape_to=cassettes --set bedtape_name=NAME`.
    """

    def __init__(self) -> None:
        self._journalled: Journalled | None = None
        self._upstream = None
        self._proxies = Proxies()

    def load(self, loader: Loader) -> None:
        loader.add_option("bedtape_to", str, "cassettes", "Folder of cassettes to record into.")
        loader.add_option("bedtape_name", Optional[str], None, "Record into one cassette of this name.")  # noqa: UP045
        loader.add_option("bedtape_upstream", Optional[str], None, "Send to this URL in place of Bedrock's endpoints.")  # noqa: UP045

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - all are looked at
        for name in ("stream_large_bodies", "body_size_limit"):
            if getattr(ctx.options, name):
                raise OptionsError(f"bedtape records whole bodies: take --set {name} out")
        if ctx.options.connection_strategy != "lazy":
            raise OptionsError("bedtape needs --set connection_strategy=lazy, or failed connections go unseen")

    def running(self) -> None:
        super().running()
        gate.require(os.environ)
        self._to = Path(ctx.options.bedtape_to)
        proxies = proxies_of(os.environ)
        signs = any(mode.startswith("reverse") for mode in ctx.options.mode)
        signer = Credentials(None, None, os.environ) if signs else None
        self._journalled = Journalled(state_folder(os.environ), name=ctx.options.bedtape_name, exact=False)
        upstream = address_of(ctx.options.bedtape_upstream)
        super().__init__(
            self._journalled.capture,
            signer=signer,
            upstream=upstream,
            playback=lambda *_: None,
            region=signer.region if signer else DEFAULT_REGION,
            proxies=proxies,
        )

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self._journalled is None:  # the gate is shut, or there are no credentials: mitmproxy has said so
            flow.response = _refusal(RecorderError("this recorder did not start; its log says why"))
        else:
            super().requestheaders(flow)

    def done(self) -> None:
        if self._journalled is not None:
            super().done()
            self._journalled.finish(self._to, keep=True)


class Proxy:
    """mitmproxy in this process, on loopback ports; run it in a thread of its own with a loop of its own."""

    def __init__(
        self,
        addon: Addon,
        *,
        confdir: str,
        modes: list[str],
        ready: Callable[[], None],
        trusted: str | None,
        only: list[str],
    ) -> None:
        self._addon = addon
        self._confdir = confdir
        self._modes = modes
        self._ready = ready
        self._trusted = trusted
        self._only = only
        self._master: DumpMaster | None = None

    async def run(self) -> None:
        """Runs until `shutdown`. mitmproxy calls sys.exit where it cannot start."""
        self._master = master = DumpMaster(
            Options(confdir=self._confdir, mode=self._modes), with_termlog=False, with_dumper=False
        )
        master.addons.add(self._addon, _Ready(self._ready))
        settings: dict[str, Any] = {"connection_strategy": "lazy", "onboarding": False}
        if self._only:  # everything else is a blind tunnel, with its own certificate
            settings["allow_hosts"] = self._only
        if self._trusted:
            settings["ssl_verify_upstream_trusted_ca"] = self._trusted
        if "tcp_timeout" in master.options:
            settings["tcp_timeout"] = _SILENCE
        else:
            mitmproxy.proxy.server.TCP_TIMEOUT = _SILENCE
        master.options.update(**settings)
        await master.run()

    def port(self) -> int:
        """The port that is listened on."""
        assert self._master is not None
        servers = self._master.addons.get("proxyserver").servers
        return int(next(iter(servers)).listen_addrs[0][1])

    def shutdown(self) -> None:
        """Ends `run`. May be called from any thread."""
        if self._master is not None:
            self._master.shutdown()


class _Ready:
    def __init__(self, ready: Callable[[], None]) -> None:
        self._told = ready

    def running(self) -> None:
        self._told()
