"""Where a request that came to the recorder is to go, and whose it is: read from the request itself. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from bedtape_recorder.errors import RecorderError
from bedtape_recorder.signing import scope_of

__all__ = ["SERVICES", "Route", "is_bedrock", "route_of"]

SERVICES = ("bedrock-runtime", "bedrock-agent-runtime", "bedrock-agent", "bedrock", "bedrock-mantle")

_HOST = re.compile(r"(bedrock(?:-[a-z]+)*?)(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)")
_SERVICE_PREFIX = re.compile(r"/+service/([a-z-]+)(?=/)")
_SESSION_PREFIX = re.compile(r"/+s/([^/?]+)(?=/)")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class Route:
    """session: as in replay. path: percent-encoded, without prefixes. service names the host, signing_name the scope."""

    session: str
    service: str
    signing_name: str
    region: str
    path: str
    access_key: str | None

    @property
    def host(self) -> str:
        suffix = "api.aws" if self.service == "bedrock-mantle" else "amazonaws.com"
        if self.region.startswith("cn-"):
            suffix = "amazonaws.com.cn"
        return f"{self.service}.{self.region}.{suffix}"


def is_bedrock(host: str) -> bool:
    """Whether a host is one of Bedrock's."""
    return _HOST.fullmatch(host) is not None


def route_of(
    authorization: str, session_header: str | None, path: str, *, host: str | None, default_region: str = "us-east-1"
) -> Route:
    """The route of a request. host: the one it was addressed to; None where it came to the reverse port.

    Raises RecorderError where it names a service or region that cannot be.
    """
    service, path = _prefix(_SERVICE_PREFIX, path)
    session, path = _prefix(_SESSION_PREFIX, path)
    scope = scope_of(authorization)
    if scope is not None and scope.access_key.startswith("bedtape-"):
        session = session or scope.access_key.removeprefix("bedtape-")
    region = scope.region if scope else default_region
    if host is not None and (found := _HOST.fullmatch(host)):
        service, region = found[1], found[2]
    service = service or "bedrock-runtime"
    if service not in SERVICES or not _REGION.fullmatch(region):
        raise RecorderError(f"expected a Bedrock service and region, found {service} in {region}")
    signing = "bedrock-mantle" if service == "bedrock-mantle" else "bedrock"
    name = session or session_header or "default"
    return Route(name, service, signing, region, path, scope.access_key if scope else None)


def _prefix(pattern: re.Pattern[str], path: str) -> tuple[str | None, str]:
    found = pattern.match(path)
    return (unquote(found[1]), path[found.end() :]) if found else (None, path)
