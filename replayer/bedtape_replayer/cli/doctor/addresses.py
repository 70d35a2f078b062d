"""Which server an environment names, and whether it is on this machine. Pure; nothing is looked up."""

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
# What clients that are not AWS's read, and the Python package that reads it.
CLIENTS = {
    "ANTHROPIC_BEDROCK_BASE_URL": "anthropic",
    "AWS_BEDROCK_BASE_URL": "openai",
    "AWS_BEDROCK_RUNTIME_ENDPOINT": "litellm",
    "AWS_ENDPOINT_URL_BEDROCK_MANTLE": "chatlas",
}


class Address(NamedTuple):
    """A place on this machine."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL, and what says that calls go there: a variable, or a profile's key."""

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
    """Where boto3 sends calls to bedrock-runtime, less whether it was told to heed that."""
    for url, source in (
        *((environ.get(name, ""), name) for name in (_RUNTIME, SERVICES)),
        (profile.runtime_endpoint, f"profile {profile.name}: services.bedrock_runtime.endpoint_url"),
        (profile.endpoint, f"profile {profile.name}: endpoint_url"),
    ):
        if url:
            return Endpoint(url, source)
    return None


def endpoints(environ: Mapping[str, str], profile: Profile) -> tuple[Endpoint, ...]:
    """Every server that is named, that of bedrock-runtime first."""
    first = runtime_endpoint(environ, profile)
    names = [SERVICES, *(name for name, variable in CLIENT_VARIABLES.items() if variable.default)]
    named = [Endpoint(environ[name], name) for name in names if environ.get(name)]
    return tuple(dict.fromkeys((*([first] if first else []), *named)))


def _parts(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of a URL that a client can ask."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def address_of(url: str) -> Address | None:
    """The URL's address, if it is one of this machine. A name other than localhost is none: to know, one would have to ask."""
    parts = _parts(url)
    if parts is None or not _is_here(parts[1]):
        return None
    return Address(parts[1], parts[2])


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def render_url(url: str) -> str:
    """The URL without what may be a secret: a login, a query."""
    parts = _parts(url)
    if parts is None:
        return f"something else, of {len(url)} characters"
    split = urlsplit(url)
    return f"{parts[0]}://{split.netloc.rpartition('@')[2]}{split.path}"
