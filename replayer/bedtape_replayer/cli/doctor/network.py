"""Checks of the way to the server: proxies, and the port that bedtape listens on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # botocore goes by it

from bedtape_replayer.cli.doctor.addresses import Address, render_url
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment, Listener

__all__ = ["check_port", "check_proxy"]

_HERE = "127.0.0.1"
# What takes calls over http:// in boto3, Go and most of Python. JavaScript's SDK reads none.
_PROXIES = ("http_proxy", "HTTP_PROXY")
# What httpx reads besides, and with it Anthropic's and OpenAI's clients.
_ALL = ("all_proxy", "ALL_PROXY")


def check_proxy(found: Environment) -> Iterator[Diagnosis]:
    """A company's proxy knows nothing of this machine's loopback."""
    variable = next((name for name in (*_PROXIES, *_ALL) if found.environ.get(name)), None)
    if variable is None:
        yield ok("proxy", "none for http://")
        return
    proxy = f"{variable}={render_url(found.environ[variable])}"
    asked = found.endpoint.address if found.endpoint else None
    host = asked.host if asked else _HERE
    name = "no_proxy" if found.environ.get("no_proxy") else "NO_PROXY"
    excluded = found.environ.get(name, "")
    if proxy_bypass_environment(host, {"no": excluded}):
        yield ok("proxy", f"{proxy}, not for {host}")
        return
    expected = f"{host} in {name}, so that calls to this machine stay on it"
    export = f"export {name}={','.join(filter(None, (excluded, host)))}"
    if asked and variable in _PROXIES:
        yield wrong("proxy", expected=expected, found=f"{proxy} for all", fix=export)
    else:
        fix = f"nothing for bedtape run and the fixture bedrock, which add it; else {export}"
        yield note("proxy", expected=expected, found=f"{proxy} for all", fix=fix)


def check_port(found: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape replay could listen on its port, or does."""
    port = found.settings.port
    listener = found.listeners.get(Address(_HERE, port), Listener("nobody"))
    if port == 0:
        yield ok("port", "any that is free, as settings say")
    elif listener.kind == "nobody":
        yield ok("port", f"{port} is free")
    elif listener.kind == "bedtape":
        yield ok("port", f"{port}: {listener.says}")
    else:
        expected = f"port {port} free, or bedtape there"
        yield note("port", expected=expected, found=listener.says, fix="end that, or bedtape replay --port 0")
