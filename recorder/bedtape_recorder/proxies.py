"""The company's proxy that the real service is reached through: which one, and for which hosts. Pure.

Read from the environment as boto3 does: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, the lower-case names first. A password in
one is used and never shown.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from bedtape_recorder.errors import RecorderError

__all__ = ["CompanyProxy", "Proxies", "proxies_of"]


@dataclass(frozen=True, slots=True)
class CompanyProxy:
    """One proxy. scheme: how it is spoken to itself. url: with the password, for botocore. Its repr shows neither."""

    scheme: str
    host: str
    port: int
    url: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies by the scheme of what is asked; `excluded` is NO_PROXY."""

    by_scheme: Mapping[str, CompanyProxy] = field(default_factory=dict)
    excluded: str = ""

    def proxy_for(self, scheme: str, host: str, port: int) -> CompanyProxy | None:
        """The proxy between here and a host; None where it is asked directly."""
        return None if _excludes(self.excluded, host.lower(), port) else self.by_scheme.get(scheme)

    def authorization_at(self, address: tuple[str, int]) -> str | None:
        """What the proxy at this address wants as Proxy-Authorization."""
        at = (proxy for proxy in self.by_scheme.values() if (proxy.host, proxy.port) == address)
        return next((proxy.authorization for proxy in at if proxy.authorization), None)


def _excludes(excluded: str, host: str, port: int) -> bool:
    """Whether NO_PROXY names a host, with or without its port, or a domain above it."""
    if excluded == "*":
        return True
    entries = [entry.strip().lstrip(".").lower() for entry in excluded.split(",")]
    names = (host, f"{host}:{port}")
    return any(entry and (name == entry or name.endswith(f".{entry}")) for entry in entries for name in names)


def proxies_of(environ: Mapping[str, str]) -> Proxies:
    """What the environment says. Raises RecorderError for all that cannot be used, and shows no password in it."""
    found, wrong = dict[str, CompanyProxy](), list[str]()
    for scheme in ("http", "https"):
        name, value = _value(environ, f"{scheme}_proxy")
        if not value:
            continue
        if proxy := _proxy(value):
            found[scheme] = proxy
        else:
            kind = value.partition("://")[0] if "://" in value else ""
            was = f"one that begins with {kind}://" if kind.isalnum() else "something else"
            wrong.append(f"{name}: expected http://HOST:PORT or https://HOST:PORT, found {was}; fix or unset it")
    if wrong:
        raise RecorderError("\n".join(wrong))
    return Proxies(found, _value(environ, "no_proxy")[1])


def _value(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """A variable's name and value. An empty one in lower case takes the other back."""
    upper = name.upper()
    used = name if name in environ else upper
    return used, environ.get(used, "").strip()


def _proxy(value: str) -> CompanyProxy | None:
    url = value if "://" in value else f"http://{value.removeprefix('//')}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is none
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    login = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {b64encode(pair.encode()).decode()}"
    return CompanyProxy(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), url, login)
