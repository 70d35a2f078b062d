"""The mitmproxy addon that records. Supports mitmproxy 11.0.2 to 12.x.

The addon routes reverse-proxied requests by their signature, signs them again, and passes the
traffic to `capture`. Streams pass event by event. Two shims support Node's default HTTP/2:
cleartext HTTP/2 and a graceful GOAWAY.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from mitmproxy import ctx, http
from mitmproxy.net import encoding
from mitmproxy.proxy import layer, mode_specs, server_hooks
from mitmproxy.proxy.layers import TCPLayer
from mitmproxy.proxy.layers.http import _upstream_proxy

from bedtape_cassettes.addresses import read_host
from bedtape_cassettes.admission import Admission
from bedtape_cassettes.format import journal
from bedtape_cassettes.format.eventstream import FrameError
from bedtape_cassettes.model import Headers
from bedtape_cassettes.operations import find_operation
from bedtape_recorder.capture import Capture, InputReceiver
from bedtape_recorder.content_encoding import BodyReceiver, make_receiver
from bedtape_recorder.credentials import check_transport
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import Proxies
from bedtape_recorder.proxy import install_changes, reading_on, was_reset
from bedtape_recorder.recording_files import PlayedAnswer
from bedtape_recorder.routing import DEFAULT_REGION, Route, check_tunnel, read_route, strip_secret
from bedtape_recorder.settings import Settings
from bedtape_recorder.signing import SIGNATURE_HEADERS, EventSigner

_log = logging.getLogger("bedtape.record")

_BIDIRECTIONAL = "invoke-with-bidirectional-stream"
# Headers of a client's credentials. Mantle libraries send a placeholder x-api-key when they sign.
_AUTHORISING = (*SIGNATURE_HEADERS, "x-api-key")
# An event with an impossible length. It makes the service end a stream that the client broke.
_BROKEN_EVENT = bytes(16)


class Signer(Protocol):
    """Signs requests to the real service, like `Credentials`. secrets: what it has signed with."""

    region: str
    fips: bool

    @property
    def secrets(self) -> frozenset[str]: ...
    def sign_headers(
        self, route: Route, method: str, path: str, headers: Headers, body: bytes
    ) -> dict[str, str]: ...
    def make_event_signer(
        self, route: Route, authorization: str, signature: str
    ) -> EventSigner: ...


Playback = Callable[[str, str, str, Headers, bytes], PlayedAnswer | None]
"""(session, method, path, headers, body) to an answer from a cassette, or `None`. May block."""


@dataclass(eq=False)
class Addon:
    """The mitmproxy addon. Its public methods are mitmproxy hooks.

    signer: `None` in forward mode, because clients sign their own requests. secret: the prefix of
    the paths that reverse mode signs. tunnels: other hosts than AWS's that forward mode connects
    to; `None` for every host.
    """

    settings: Settings
    capture: Capture
    signer: Signer | None
    playback: Playback
    proxies: Proxies
    secret: str
    admission: Admission
    tunnels: Collection[str] | None = None

    # -- connections -------------------------------------------------------------------------------

    def running(self) -> None:
        install_changes()
        reading_on.seconds = self.settings.read_on
        ctx.options.keep_host_header = True  # otherwise, mitmproxy hides the client's Host

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Accepts cleartext HTTP/2 with prior knowledge, because Node's SDK uses it.

        Also sends blind tunnels through the company proxy.
        """
        client = nextlayer.context.client
        reverse = isinstance(client.proxy_mode, mode_specs.ReverseMode)
        if reverse and not client.alpn and nextlayer.data_client().startswith(b"PRI * HTTP/2.0"):
            client.alpn = b"h2"
            client.alpn_offers = [b"h2", b"http/1.1"]
            nextlayer.context.server.alpn_offers = [b"h2", b"http/1.1"]
        if isinstance(nextlayer.layer, TCPLayer) and isinstance(
            client.proxy_mode, mode_specs.RegularMode
        ):
            nextlayer.layer = self._make_tunnel(nextlayer.context, nextlayer.layer)

    def _make_tunnel(self, context: Any, blind: TCPLayer) -> layer.Layer:
        if (
            context.server.address is None
            or (via := self._find_via("https", context.server.address)) is None
        ):
            return blind
        context.server.via = via
        stack = _upstream_proxy.HttpUpstreamProxy.make(context, True)
        stack /= blind
        return stack[0]

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuses a tunnel to a host that the program does not need for Bedrock."""
        if flow.response is None:  # otherwise, the client did not send the proxy's password
            self._check_tunnel(flow)

    def _check_tunnel(self, flow: http.HTTPFlow) -> None:
        host = flow.request.host
        if self.tunnels is None or (
            self.settings.upstream is not None and host == self.settings.upstream[1]
        ):
            return
        try:
            check_tunnel(host, self.tunnels)
        except RecorderError as error:
            self._refuse(flow, error, 403)

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Adds the proxy's password to a CONNECT. Replaces Bedrock's host by the upstream."""
        request, proxy = flow.request, flow.server_conn.address
        if proxy is not None and (authorization := self.proxies.find_authorization(proxy[:2])):
            request.headers["Proxy-Authorization"] = authorization
        request.host, request.port = self._find_address((request.host, request.port))

    def _refuse(self, flow: http.HTTPFlow, error: Exception, status: int = 400) -> None:
        self.capture.counts.refusals.append(str(error))
        flow.response = make_refusal(error, status)

    def _find_address(self, address: tuple[str, int]) -> tuple[str, int]:
        """Returns the address to connect to: the upstream for a Bedrock host."""
        if self.settings.upstream is not None and read_host(address[0]):
            return self.settings.upstream[1:]
        return address

    def _find_via(self, scheme: str, address: tuple[Any, ...]) -> Any:
        """Returns the company proxy for an address, in mitmproxy's format."""
        proxy = self.proxies.find_proxy(scheme, *self._find_address((address[0], address[1])))
        return proxy and (proxy.scheme, (proxy.host, proxy.port))

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Sets the server name of TLS, because the client used a loopback address."""
        if data.server.address is None:
            return
        data.server.sni = data.server.address[0].removesuffix(".")  # RFC 6066: without the dot
        if (address := self._find_address(data.server.address[:2])) != data.server.address[:2]:
            data.server.address = address

    # -- requests ----------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:  # the client did not send the proxy's password
            return
        reverse = isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)
        try:
            if reverse or self._is_recorded(flow.request.pretty_host):
                self._route(flow, reverse)
            else:
                self._check_tunnel(flow)
            if not isinstance(
                flow.client_conn.proxy_mode, mode_specs.UpstreamMode
            ):  # mode upstream names its own proxy
                flow.server_conn.via = self._find_via(
                    flow.request.scheme, (flow.request.host, flow.request.port)
                )
        except Exception as error:  # noqa: BLE001 - a hook that raises would let the request go out as it is
            self._refuse(flow, error)

    def _is_recorded(self, host: str) -> bool:
        return read_host(host) is not None or (
            self.settings.upstream is not None and host == self.settings.upstream[1]
        )

    def _route(self, flow: http.HTTPFlow, reverse: bool) -> None:
        """Reads the route of a request. In reverse mode, also sends the request to that host.

        Raises RecorderError for a request that the recorder does not send.
        """
        request = flow.request
        path = request.data.path.decode("latin-1")
        if reverse:
            headers = request.headers
            origin, site = headers.get("origin"), headers.get("sec-fetch-site")
            if problem := self.admission.find_problem(request.host_header, origin, site):
                raise RecorderError(problem)
            path = strip_secret(path, self.secret)
        route = read_route(
            request.headers.get("authorization", ""),
            request.headers.pop("x-bedtape-session", None),
            path,
            host=None if reverse else request.pretty_host,
            default_region=self.signer.region if self.signer else DEFAULT_REGION,
            upstream=self.settings.upstream and self.settings.upstream[1],
            fips=self.signer is not None and self.signer.fips,
        )
        if (
            not self.settings.allow_unknown
            and find_operation(route.service, request.method, route.path) is None
        ):
            what = f"{request.method} {route.path.partition('?')[0]} of {route.service}"
            raise RecorderError(
                f"expected an operation that bedtape knows, found {what}; --allow-unknown sends"
                " it too"
            )
        flow.metadata["bedtape"] = live = _FlowState(route, reverse)
        request.data.path = route.path.encode("latin-1")
        if reverse:
            request.headers["accept-encoding"] = "identity"  # compressed bodies cannot be scrubbed
            request.scheme, request.host, request.port = self.settings.upstream or (
                "https",
                route.host,
                443,
            )
            request.host_header = route.host
        if route.path.split("?")[0].endswith(_BIDIRECTIONAL):
            self._begin_bidirectional(flow, live)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Prepares a request in a thread, because credentials and cassettes may block."""
        live = flow.metadata.get("bedtape")
        if live is None or flow.request.stream:
            return
        try:
            await asyncio.to_thread(self._prepare, flow, live)
            if flow.response is None:
                self._begin(flow, live, flow.request.raw_content or b"")
        except Exception as error:  # noqa: BLE001 - a hook that raises would let the request go out as it is
            self._refuse(flow, error)

    def _prepare(self, flow: http.HTTPFlow, live: _FlowState) -> None:
        request, route = flow.request, live.route
        body = request.raw_content or b""
        headers = _to_pairs(request.headers)
        played = self.playback(route.session, request.method, route.path, headers, body)
        if played is not None:
            fields = [(name.encode(), value.encode()) for name, value in played.headers]
            flow.response = http.Response.make(played.status, played.body, http.Headers(fields))
        elif live.reverse:
            self._sign(flow, live, headers, body)

    def _sign(self, flow: http.HTTPFlow, live: _FlowState, headers: Headers, body: bytes) -> None:
        request, route = flow.request, live.route
        signed = self._require_signer().sign_headers(
            route, request.method, route.path, headers, body
        )
        for name in _AUTHORISING:
            request.headers.pop(name, None)
        for name, value in signed.items():
            request.headers[name] = value

    def _require_signer(self) -> Signer:
        if self.signer is None:
            raise RecorderError(
                "this recorder was started for forward mode: it has no credentials to sign with"
            )
        return self.signer

    def _begin(self, flow: http.HTTPFlow, live: _FlowState, body: bytes) -> None:
        """Records a request before it is sent. Raises RecorderError if it must not be sent."""
        request, route, headers = flow.request, live.route, _to_pairs(flow.request.headers)
        check_transport(
            headers, request.scheme, self._find_address((request.host, request.port))[0]
        )
        if self.signer is not None:
            self.capture.keep_out(self.signer.secrets)
        live.exchange = exchange = self.capture.add_request(
            route.session,
            request.method,
            route.path,
            headers,
            body,
            region=route.region,
            service=route.service,
        )
        late = (
            "the client closed the connection, and the answer did not end in"
            f" {self.settings.read_on:g} s (--read-on)"
        )
        reading_on.begin(flow.client_conn.id, exchange, lambda: self.capture.end(exchange, late))

    def _begin_bidirectional(self, flow: http.HTTPFlow, live: _FlowState) -> None:
        """Signs the events of a bidirectional request, and records them without audio."""
        signer = None
        if live.reverse:
            authorization = flow.request.headers.get("authorization", "")
            self._sign(flow, live, _to_pairs(flow.request.headers), b"")
            signature = flow.request.headers.get("authorization", "").rpartition("Signature=")[2]
            signer = self._require_signer().make_event_signer(live.route, authorization, signature)
        self._begin(flow, live, b"")
        assert live.exchange is not None
        inputs = InputReceiver(self.capture, live.exchange)
        flow.request.stream = inputs.feed if signer is None else _Events(signer, inputs)

    # -- responses ---------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        live = flow.metadata.get("bedtape")
        if live is None or live.exchange is None or flow.response is None:
            return
        exchange = live.exchange
        live.answer = answer = make_receiver(
            self.capture,
            exchange,
            flow.response.status_code,
            _to_pairs(flow.response.headers),
            _unpack,
        )

        def tap(data: bytes) -> bytes | list[bytes]:
            """Must not raise, because mitmproxy would drop this chunk and continue."""
            try:
                if data:
                    answer.feed(data)
            except Exception as error:  # noqa: BLE001 - must not raise; the recording is cut
                _log.exception("an answer was not recorded to its end")
                self.capture.end(exchange, f"not recorded to its end: {error}")
            return [] if live.client_gone else data

        flow.response.stream = tap

    def response(self, flow: http.HTTPFlow) -> None:
        self._end(flow, None)

    def error(self, flow: http.HTTPFlow) -> None:
        live = flow.metadata.get("bedtape")
        reason = flow.error.msg if flow.error else "broke off"
        if live is not None and live.service_ended and live.answer is not None:
            reset = "stream reset" in reason or was_reset(flow.server_conn)
            reason = journal.RESET if reset else journal.CLOSED
        self._end(flow, reason)

    def _end(self, flow: http.HTTPFlow, error: str | None) -> None:
        live = flow.metadata.get("bedtape")
        if live is None or live.exchange is None:
            return
        if live.answer is not None:
            live.answer.end(error)
        else:
            self.capture.end(live.exchange, error)
        # last, because a recorder that stops waits for answers that are read on
        reading_on.end(flow.client_conn.id, live.exchange)

    def done(self) -> None:
        """Ends open exchanges as cut. mitmproxy calls this hook before the hooks of open flows."""
        self.capture.end_all("the recorder stopped")
        reading_on.stop()


@dataclass(slots=True)
class _FlowState:
    route: Route
    reverse: bool
    exchange: int | None = None
    answer: BodyReceiver | None = None
    client_gone: bool = False
    service_ended: bool = False


class _Events:
    """Signs the events of a bidirectional stream. Refuses the stream after an invalid event."""

    def __init__(self, signer: EventSigner, inputs: InputReceiver) -> None:
        self._signer = signer
        self._inputs = inputs
        self._refused = False

    def __call__(self, data: bytes) -> bytes:
        """Must not raise, because mitmproxy would continue and the client would wait."""
        if self._refused or not data:
            return b""
        try:
            return self._signer.feed(self._inputs.feed(data), datetime.now(UTC))
        except FrameError as error:
            self._refused = True
            _log.error(
                "a bidirectional stream was refused, because the client sent an invalid event: %s",
                error,
            )
            return _BROKEN_EVENT


def _unpack(body: bytes, coding: str) -> bytes:
    data = encoding.decode(body, coding)
    if not isinstance(data, bytes):  # mitmproxy also accepts names of Python codecs
        raise ValueError("it is no content coding that is known")
    return data


def _to_pairs(headers: http.Headers) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.fields
    )


def make_refusal(error: Exception, status: int = 400) -> http.Response:
    body = json.dumps({"message": f"bedtape record: {error}"}).encode()
    fields = ((b"Content-Type", b"application/json"), (b"x-amzn-ErrorType", b"RecorderException"))
    return http.Response.make(status, body, http.Headers(fields))
