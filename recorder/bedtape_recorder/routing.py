"""Reads the session, service and region of a request that came to the recorder. Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass

from bedtape_cassettes.addresses import (
    DEFAULT_SESSION,
    HOST_PATTERN,
    MANTLE,
    RUNTIME,
    SERVICES,
    is_aws_host,
    is_region,
    read_host,
    read_scope,
    read_session_key,
    render_host,
    split_prefixes,
)
from bedtape_recorder.errors import RecorderError

DEFAULT_REGION = "us-east-1"
# The format of mitmproxy's allow_hosts option.
BEDROCK_HOSTS = rf"^{HOST_PATTERN}:443$"


@dataclass(frozen=True, slots=True)
class Route:
    """A request's session, service and region. path: percent-encoded, without prefixes. fips:
    whether the request goes to an endpoint for FIPS 140.

    Raises RecorderError for an unknown service or an impossible region. The check is needed because
    clients choose both, and `host` must belong to AWS.
    """

    session: str
    service: str
    region: str
    path: str
    fips: bool = False

    def __post_init__(self) -> None:
        if self.service not in SERVICES or not is_region(self.region):
            raise RecorderError(
                f"expected a Bedrock service and region, found {self.service!r} in {self.region!r}"
            )
        if self.fips and self.service == MANTLE:
            fix = (
                "unset AWS_USE_FIPS_ENDPOINT (use_fips_endpoint of the profile) to send the request"
                " to another endpoint"
            )
            raise RecorderError(
                f"expected a service with FIPS endpoints, found {MANTLE}, which has none; {fix}"
            )

    @property
    def host(self) -> str:
        return render_host(self.service, self.region, fips=self.fips)

    @property
    def scope_service(self) -> str:
        """The service in the credential scope."""
        if self.service.startswith("bedrock-agentcore"):
            return "bedrock-agentcore"
        return MANTLE if self.service == MANTLE else "bedrock"


def make_host_patterns(upstream: tuple[str, str, int] | None) -> list[str]:
    """Returns patterns of `host:port` for connections that forward mode decrypts.

    All other connections are blind tunnels.
    """
    own = [] if upstream is None else [rf"^{re.escape(upstream[1])}:{upstream[2]}$"]
    return [BEDROCK_HOSTS, *own]


def strip_secret(path: str, secret: str) -> str:
    """Return the path below the recorder's prefix `/SECRET`. Raises RecorderError for others."""
    given, _, rest = path.lstrip("/").partition("/")
    if not hmac.compare_digest(given.encode("latin-1", "replace"), secret.encode()):
        fix = "use the endpoint variables that `bedtape record` sets"
        raise RecorderError(
            f"expected an endpoint with this recording's own prefix, found another path; {fix}"
        )
    return f"/{rest}"


def check_tunnel(host: str, allowed: Collection[str]) -> None:
    """Raises RecorderError for a host that forward mode does not connect to.

    A recorded program needs Bedrock, and other hosts of AWS for its credentials and its data.
    """
    if not (is_aws_host(host) or host.lower() in allowed):
        raise RecorderError(
            f"expected a host of AWS, found {host!r}; add --allow-host {host} if the program"
            " needs it"
        )


def read_route(
    authorization: str,
    session_header: str | None,
    path: str,
    *,
    host: str | None,
    default_region: str = DEFAULT_REGION,
    upstream: str | None = None,
    fips: bool = False,
) -> Route:
    """Return the route of a request. host: the request's host, or `None` for the reverse port.

    fips: whether requests of the reverse port go to endpoints for FIPS 140.
    upstream: a host that replaces Bedrock's own, from `--upstream`. A path sent to a Bedrock host
    has no prefixes, because the signature covers the whole path.

    Raises RecorderError for an unknown service or an impossible region.
    """
    scope = read_scope(authorization)
    session, service, region = None, None, scope.region if scope else None
    if host is None:
        session, service, path = split_prefixes(path)
    elif bedrock := read_host(host):
        service, region = bedrock
    elif host != upstream:
        raise RecorderError(f"expected one of Bedrock's hosts, found {host!r}")
    name = session or read_session_key(authorization) or session_header or DEFAULT_SESSION
    region = default_region if region is None else region
    return Route(name, service or RUNTIME, region, path, fips=fips and host is None)
