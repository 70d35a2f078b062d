"""Where a request that came to the recorder is to go, and whose it is: read from the request itself. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from bedtape_recorder.errors import RecorderError
from bedtape_recorder.signing import scope_of

__all__ = ["BEDROCK_HOSTS", "DEFAULT_REGION", "SERVICES", "Route", "is_bedrock", "recorded_hosts", "route_of"]

DEFAULT_REGION = "us-east-1"

SERVICES = ("bedrock-runtime", "bedrock-agent-runtime", "bedrock-agent", "bedrock", "bedrock-mantle")

# A VPC endpoint's hosts begin with its id, and have `vpce` before the domain.
_HOST = re.compile(
    r"(?:vpce-[a-z0-9-]+\.)?(bedrock(?:-[a-z]+)*?)(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
# As mitmproxy's allow_hosts wants it.
BEDROCK_HOSTS = rf"^{_HOST.pattern}:443$"
_SERVICE_PREFIX = re.compile(r"/+service/([^/?]+)(?=/)")
_SESSION_PREFIX = re.compile(r"/+s/([^/?]+)(?=/)")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Route:
    """session: as in replay. path: percent-encoded, without prefixes. service names the host, signing_name the scope.

    Raises RecorderError where service or region cannot be: they come from clients, and `host` must be one of AWS's.
    """

    session: str
    service: str
    signing_name: str
    region: str
    path: str
    access_key: str | None

    def __post_init__(self) -> None:
        if self.service not in SERVICES or not _REGION.fullmatch(self.region):
            raise RecorderError(f"expected a Bedrock service and region, found {self.service!r} in {self.region!r}")

    @property
    def host(self) -> str:
        suffix = "api.aws" if self.service == "bedrock-mantle" else "amazonaws.com"
        if self.region.startswith("cn-"):
            suffix = "amazonaws.com.cn"
        return f"{self.service}.{self.region}.{suffix}"


def is_bedrock(host: str) -> bool:
    """Whether a host is one of Bedrock's."""
    return _HOST.fullmatch(host.lower()) is not None


def recorded_hosts(upstream: tuple[str, str, int] | None) -> list[str]:
    """Patterns of `host:port` whose connections are opened in forward mode; all others are blind tunnels."""
    own = [] if upstream is None else [rf"^{re.escape(upstream[1])}:{upstream[2]}$"]
    return [BEDROCK_HOSTS, *own]


def route_of(
    authorization: str,
    session_header: str | None,
    path: str,
    *,
    host: str | None,
    default_region: str = DEFAULT_REGION,
    upstream: str | None = None,
) -> Route:
    """The route of a request. host: the one it was addressed to; None where it came to the reverse port.

    upstream: a host that stands for Bedrock's own, as `--upstream` says.

    Raises RecorderError where it names a service or region that cannot be. A path that is addressed to Bedrock itself
    has no prefixes, and is signed as it stands.
    """
    scope = scope_of(authorization)
    session, service, region = None, None, scope.region if scope else default_region
    if host is None:
        session, service, path = _prefixes(path)
    elif found := _HOST.fullmatch(host.lower()):
        service, region = found[1], found[2]
    elif host != upstream:
        raise RecorderError(f"expected one of Bedrock's hosts, found {host!r}")
    if scope is not None and scope.access_key.startswith("bedtape-"):
        session = session or scope.access_key.removeprefix("bedtape-")
    service = service or "bedrock-runtime"
    signing = "bedrock-mantle" if service == "bedrock-mantle" else "bedrock"
    name = session or session_header or "default"
    return Route(name, service, signing, region, path, scope.access_key if scope else None)


def _prefixes(path: str) -> tuple[str | None, str | None, str]:
    """Session and service, in whichever order they stand before the path, and the path."""
    session, path = _prefix(_SESSION_PREFIX, path)
    service, path = _prefix(_SERVICE_PREFIX, path)
    if session is None:
        session, path = _prefix(_SESSION_PREFIX, path)
    return session, service, path


def _prefix(pattern: re.Pattern[str], path: str) -> tuple[str | None, str]:
    found = pattern.match(path)
    return (unquote(found[1]), path[found.end() :]) if found else (None, path)
