"""Finds the company proxy to use for a host. Pure.

The settings are HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read as boto3 reads them: lower-case names
first. Error messages and reprs do not contain proxy passwords.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from bedtape_recorder.errors import RecorderError


@dataclass(frozen=True, slots=True)
class CompanyProxy:
    """A proxy of the user's network. scheme: the scheme of the connection to the proxy.

    url: contains the password, because botocore needs it. authorization: the Proxy-Authorization
    value. The repr omits url and authorization.
    """

    scheme: str
    host: str
    port: int
    url: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies by the scheme of the requested URL. excluded: the value of NO_PROXY."""

    by_scheme: Mapping[str, CompanyProxy] = field(default_factory=dict)
    excluded: str = ""

    def find_proxy(self, scheme: str, host: str, port: int) -> CompanyProxy | None:
        """Returns the proxy for a host. Returns `None` for a direct connection."""
        return (
            None if _is_excluded(self.excluded, host.lower(), port) else self.by_scheme.get(scheme)
        )

    def find_authorization(self, address: tuple[str, int]) -> str | None:
        """Returns the Proxy-Authorization value for the proxy at (host, port)."""
        matches = (
            proxy for proxy in self.by_scheme.values() if (proxy.host, proxy.port) == address
        )
        return next((proxy.authorization for proxy in matches if proxy.authorization), None)


def _is_excluded(excluded: str, host: str, port: int) -> bool:
    """Whether NO_PROXY contains the host, with or without port, or a parent domain."""
    if excluded == "*":
        return True
    entries = [entry.strip().lstrip(".").lower() for entry in excluded.split(",")]
    names = (host, f"{host}:{port}")
    return any(
        entry and (name == entry or name.endswith(f".{entry}"))
        for entry in entries
        for name in names
    )


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """Reads the proxy variables. Raises RecorderError, without passwords, for bad values."""
    by_scheme, problems = dict[str, CompanyProxy](), list[str]()
    for scheme in ("http", "https"):
        name, value = _read_variable(environ, f"{scheme}_proxy")
        if not value:
            continue
        if proxy := _parse_proxy(value):
            by_scheme[scheme] = proxy
        else:
            kind = value.partition("://")[0] if "://" in value else ""
            was = f"one that begins with {kind}://" if kind.isalnum() else "something else"
            problems.append(
                f"{name}: expected http://HOST:PORT or https://HOST:PORT, found {was}; fix or"
                " unset it"
            )
    if problems:
        raise RecorderError("\n".join(problems))
    return Proxies(by_scheme, _read_variable(environ, "no_proxy")[1])


def _read_variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Returns a variable's name and value. Lower case has precedence, even if empty."""
    upper = name.upper()
    used = name if name in environ else upper
    return used, environ.get(used, "").strip()


def _parse_proxy(value: str) -> CompanyProxy | None:
    url = value if "://" in value else f"http://{value.removeprefix('//')}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # an invalid port
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    login = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {b64encode(pair.encode()).decode()}"
    return CompanyProxy(
        parts.scheme, host, port or (443 if parts.scheme == "https" else 80), url, login
    )
