"""mitmproxy's proxy in this process, and the patch of its HTTP/2 that Node's SDK needs. Supports mitmproxy 11.0.2 to 12.x."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import mitmproxy.proxy.server
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http import _http_h2
from mitmproxy.tools.dump import DumpMaster

from bedtape_recorder.errors import RecorderError

# mitmproxy closes a connection after ten silent minutes, but botocore waits up to an hour.
_TIMEOUT_S = 4000


def install_graceful_goaway() -> None:
    """Keeps streams open after a client's GOAWAY without an error (RFC 9113 section 6.8).

    The h2 library closes the connection instead. The AWS SDK for JavaScript sends GOAWAY after the response's head, so
    it would lose the rest of every stream. Raises RecorderError if mitmproxy lacks the private method that is patched.
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


@dataclass
class Proxy:
    """mitmproxy in this process, on loopback ports. Run it in a separate thread and event loop.

    only: patterns of `host:port`; other connections are blind tunnels. login: NAME:PASSWORD that clients must send.
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
