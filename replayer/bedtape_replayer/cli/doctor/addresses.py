"""Finds the servers that an environment names, and which are on this machine, without look-ups."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import CLIENT_VARIABLES
from bedtape_replayer.cli.doctor.profile import Profile

_RUNTIME = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
SERVICES = "AWS_ENDPOINT_URL"
# Variables of clients that are not AWS's, and the Python package that reads each.
CLIENTS = {
    "ANTHROPIC_BEDROCK_BASE_URL": "anthropic",
    "AWS_BEDROCK_BASE_URL": "openai",
    "AWS_BEDROCK_RUNTIME_ENDPOINT": "litellm",
    "AWS_ENDPOINT_URL_BEDROCK_MANTLE": "chatlas",
}


class Address(NamedTuple):
    """A host and port of this machine."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL to which calls go, and its source: a variable, or a key of a profile."""

    url: str
    source: str

    @property
    def address(self) -> Address | None:
        return address_of(self.url)

    @property
    def is_url(self) -> bool:
        return _parts(self.url) is not None

    @property
    def is_encrypted(self) -> bool:
        return self.url.lower().startswith("https:")

    def __str__(self) -> str:
        return f"{self.source}={render_url(self.url)}"


def runtime_endpoint(environ: Mapping[str, str], profile: Profile) -> Endpoint | None:
    """Return the endpoint of bedrock-runtime that boto3 reads, or `None` for AWS's own.

    It does not check whether endpoints are turned off.
    """
    for url, source in (
        *((environ.get(name, ""), name) for name in (_RUNTIME, SERVICES)),
        (
            profile.runtime_endpoint,
            f"profile {profile.name}: services.bedrock_runtime.endpoint_url",
        ),
        (profile.endpoint, f"profile {profile.name}: endpoint_url"),
    ):
        if url:
            return Endpoint(url, source)
    return None


def endpoints(environ: Mapping[str, str], profile: Profile) -> tuple[Endpoint, ...]:
    """Return every configured endpoint, first the endpoint of bedrock-runtime."""
    first = runtime_endpoint(environ, profile)
    names = [SERVICES, *(name for name, variable in CLIENT_VARIABLES.items() if variable.default)]
    named = [Endpoint(environ[name], name) for name in names if environ.get(name)]
    return tuple(dict.fromkeys((*([first] if first else []), *named)))


def _parts(url: str) -> tuple[str, str, int] | None:
    """Return (scheme, host, port) of an HTTP URL; `None` for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def address_of(url: str) -> Address | None:
    """Return the URL's address if it is on this machine, else `None`.

    A host name other than localhost counts as elsewhere, because bedtape would have to look it up.
    """
    parts = _parts(url)
    if parts is None or not _is_local(parts[1]):
        return None
    return Address(parts[1], parts[2])


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def render_url(url: str) -> str:
    """Return the URL without login and query, which may contain secrets."""
    parts = _parts(url)
    if parts is None:
        return f"no URL ({len(url)} characters)"
    split = urlsplit(url)
    return f"{parts[0]}://{split.netloc.rpartition('@')[2]}{split.path}"
