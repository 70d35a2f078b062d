"""Addresses of Bedrock: endpoint variables, path prefixes, host names and credential scopes.

The recorder, the replayer and the pytest plugin read every address with this module, so that a
request that was recorded into a session is replayed from that session. Nothing here sets a variable
or opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

DEFAULT_SESSION = "default"
RUNTIME, MANTLE = "bedrock-runtime", "bedrock-mantle"
SERVICES = (
    *(RUNTIME, "bedrock-agent-runtime", "bedrock-agent", "bedrock", MANTLE),
    *("bedrock-agentcore", "bedrock-agentcore-control"),
    *("bedrock-data-automation", "bedrock-data-automation-runtime"),
)

# -- path prefixes ---------------------------------------------------------------------------------

# A service whose only path is `/` has no slash after its prefix.
_PREFIX = re.compile(r"/+(?:s/([^/?]+)(?=/)|service/([^/?]+)(?=[/?]|\Z))")


class Prefixes(NamedTuple):
    """A request path and the names that its prefixes contain.

    session and service: percent-decoded once; None without such a prefix. path: the
    rest, still percent-encoded.
    """

    session: str | None
    service: str | None
    path: str


# Tests send requests to the same few paths again and again.
@lru_cache(maxsize=4096)
def split_prefixes(path: str) -> Prefixes:
    """Split `/s/NAME` and `/service/NAME` off a path. Each may occur once, in either order."""
    session = service = None
    while match := _PREFIX.match(path):
        if match[1] is not None and session is None:
            session = unquote(match[1])
        elif match[2] is not None and service is None:
            service = unquote(match[2])
        else:
            break
        path = path[match.end() :]
    return Prefixes(session, service, path if path.startswith("/") else f"/{path}")


def render_prefix(session: str | None = None, service: str | None = None) -> str:
    """Return the prefix that `split_prefixes` splits off: `/s/NAME/service/NAME`."""
    named = (("s", session), ("service", service))
    return "".join(f"/{kind}/{quote(name, safe='')}" for kind, name in named if name is not None)


# -- host names ------------------------------------------------------------------------------------

# The domains of endpoints by the beginning of the region's name, as in botocore's partitions.json.
_DOMAINS = {"": "amazonaws.com", "cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}
_DUAL_STACK = ("api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu")
# The host name of a VPC endpoint begins with the endpoint's id, and has `vpce` before the domain. A
# fully qualified name may end with a dot. Lower case, because mitmproxy gets this pattern too.
HOST_PATTERN = (
    r"(?:vpce-[a-z0-9-]+\.)?(bedrock(?:-[a-z]+)*?)(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?"
    rf"(?:{'|'.join(map(re.escape, (*_DOMAINS.values(), *_DUAL_STACK)))})\.?"
)
_HOST = re.compile(HOST_PATTERN)
_REGION_NAME = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")


class Host(NamedTuple):
    """What the host name of a real endpoint contains. The service is without `-fips`."""

    service: str
    region: str


def read_host(host: str) -> Host | None:
    """Return the service and region of a real endpoint's host name; None for other hosts."""
    match = _HOST.fullmatch(host.lower())
    return Host(match[1], match[2]) if match else None


def is_aws_host(host: str) -> bool:
    """Return whether a host name belongs to AWS: an endpoint of any service."""
    return (
        host.lower()
        .rstrip(".")
        .endswith(tuple(f".{domain}" for domain in (*_DOMAINS.values(), *_DUAL_STACK)))
    )


def read_service(url: str) -> str | None:
    """Return the service of a real endpoint's URL (`bedrock-runtime`); None for other URLs."""
    host = read_host(urlsplit(url).hostname or "")
    return host.service if host else None


def render_host(service: str, region: str, *, fips: bool = False) -> str:
    """Return the host of a service's endpoint in a region. fips: of the endpoint for FIPS 140."""
    start = next((start for start in _DOMAINS if start and region.startswith(start)), "")
    domain = _DUAL_STACK[0] if service == MANTLE and not start else _DOMAINS[start]
    return f"{service}{'-fips' if fips else ''}.{region}.{domain}"


def requests_fips(environ: Mapping[str, str]) -> bool:
    """Return whether a switch of AWS SDKs or a client's base URL chooses FIPS 140."""
    hosts = (urlsplit(environ.get(name, "")).hostname or "" for name in CLIENT_VARIABLES)
    named = any(read_host(host) and "-fips." in host for host in hosts)
    return named or environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"


def is_region(name: str) -> bool:
    """Return whether a name has the form of an AWS region's name."""
    return _REGION_NAME.fullmatch(name) is not None


# -- credential scopes -----------------------------------------------------------------------------

# The region's pattern accepts names that no region has, because the caller must refuse a wrong
# region instead of using the default one. A SigV4A scope contains no region.
_SCOPE = re.compile(r"Credential=([^/,\s]+)/(?:[0-9]{8}/(?:([^/,\s]*)/)?([^/,\s]*)/aws4_request)?")
# A pattern of its own, because it takes a third of the time, and the replayer uses it for every
# request of a session.
_SESSION_KEY = re.compile(r"Credential=bedtape-([^/,\s]+)/")


class Scope(NamedTuple):
    """The access key id and scope of a signature. region, service: None if unreadable."""

    access_key: str
    region: str | None = None
    service: str | None = None


def read_scope(authorization: str) -> Scope | None:
    """Return the scope of an Authorization header; None if the header contains no AWS signature."""
    match = _SCOPE.search(authorization)
    return Scope(match[1], match[2], match[3]) if match else None


def read_session_key(authorization: str) -> str | None:
    """Return the session in an Authorization header's access key id: NAME of `bedtape-NAME`."""
    match = _SESSION_KEY.search(authorization)
    return match[1] if match else None


# -- endpoint variables ----------------------------------------------------------------------------

# A Bedrock API key. It has precedence over access keys wherever it is set, and boto3 and the SDK
# for Go refuse to send it over http.
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
# Set to false explicitly, because a profile's value counts if the variable is not set. The first
# would send calls to AWS in spite of the endpoint variables. With one of the others, JavaScript's
# SDK accepts no endpoint but AWS's.
_OFF = (
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_LOCAL = "127.0.0.1,localhost"
_REGION = "us-east-1"
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Who the caller is, beside access keys. The last two are Bedrock API keys of Anthropic's
# client and of LiteLLM.
_IDENTITIES = (
    *("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("ANTHROPIC_AWS_API_KEY", "BEDROCK_MANTLE_API_KEY"),
)
# A client that prefers API keys, by this variable or a profile, would find no key.
_PREFERENCE = "AWS_AUTH_SCHEME_PREFERENCE"
_KEYS = {"AWS_ACCESS_KEY_ID": "bedtape", "AWS_SECRET_ACCESS_KEY": "bedtape", _PREFERENCE: "sigv4"}


class Endpoint(NamedTuple):
    """An endpoint of Bedrock in any region: the service, and the path of a client's base URL."""

    service: str
    path: str = ""


class ClientVariable(NamedTuple):
    """A variable with the base URL of a client.

    clients: who reads it. default: the endpoint that they use without it; None if they also call
    other hosts. Such a variable changes only if it names an endpoint of Bedrock. keys: the
    variables of their keys, which then change too.
    """

    clients: str
    default: Endpoint | None
    keys: tuple[str, ...] = ()


CLIENT_VARIABLES: Mapping[str, ClientVariable] = {
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": ClientVariable("AWS SDKs", Endpoint(RUNTIME)),
    **{
        f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}": ClientVariable(
            "AWS SDKs", Endpoint(name)
        )
        for name in (
            *("bedrock", "bedrock-agent", "bedrock-agent-runtime"),
            *("bedrock-agentcore", "bedrock-agentcore-control"),
            *("bedrock-data-automation", "bedrock-data-automation-runtime"),
        )
    },
    "AWS_ENDPOINT_URL_BEDROCK_MANTLE": ClientVariable("chatlas, ellmer", Endpoint(MANTLE)),
    "AWS_BEDROCK_RUNTIME_ENDPOINT": ClientVariable("LiteLLM", Endpoint(RUNTIME)),
    "BEDROCK_MANTLE_API_BASE": ClientVariable("LiteLLM", Endpoint(MANTLE, "/v1")),
    "ANTHROPIC_BEDROCK_BASE_URL": ClientVariable("`AnthropicBedrock`", Endpoint(RUNTIME)),
    "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": ClientVariable(
        "`AnthropicBedrockMantle`", Endpoint(MANTLE, "/anthropic")
    ),
    "AWS_BEDROCK_BASE_URL": ClientVariable(
        "OpenAI's Bedrock client", Endpoint(MANTLE, "/openai/v1")
    ),
    "OPENAI_BASE_URL": ClientVariable("OpenAI's client", None, ("OPENAI_API_KEY",)),
    "ANTHROPIC_BASE_URL": ClientVariable(
        "Anthropic's client", None, ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    ),
}


def read_endpoint(url: str) -> Endpoint | None:
    """Return the endpoint in a URL of a real endpoint; None for other URLs."""
    service = read_service(url)
    return Endpoint(service, urlsplit(url).path.rstrip("/")) if service else None


def _point_variables(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the variables with the endpoints that the environment names, or
    their defaults, at `url`.

    Other services than bedrock-runtime get a prefix, because paths do not name services.
    """
    pointed = {}
    for name, variable in CLIENT_VARIABLES.items():
        url_before = environ.get(name)
        endpoint = (url_before and read_endpoint(url_before)) or variable.default
        if endpoint is not None:
            prefix = "" if endpoint.service == RUNTIME else render_prefix(service=endpoint.service)
            pointed[name] = f"{url}{prefix}{endpoint.path}"
    return pointed


def point_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the environment in which Bedrock calls go to `url`, with credentials and region."""
    pointed = {**environ, **_point_variables(environ, url), **dict.fromkeys(_OFF, "false")}
    for name in ("NO_PROXY", "no_proxy"):  # a company's proxy must not see calls to this machine
        pointed[name] = ",".join(filter(None, (pointed.get(name), _LOCAL)))
    for name, other in (_REGIONS, _REGIONS[::-1]):  # boto3 reads one, the other SDKs the other
        if region := environ.get(other):
            pointed.setdefault(name, region)
    if pointed.pop(BEARER, None):  # the recorder at `url` holds it instead
        pointed = {**_KEYS, **pointed, _PREFERENCE: _KEYS[_PREFERENCE]}
    return pointed


def block_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the environment in which SDKs call `url`, unless it names other endpoints."""
    pointed = _point_variables(environ, url)
    chosen = {
        name for name in pointed if (value := environ.get(name)) and read_endpoint(value) is None
    }
    return {**environ, **{name: value for name, value in pointed.items() if name not in chosen}}


def supply_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with made-up keys and a region, so that SDKs send their calls."""
    return {**environ, **_KEYS, **_find_region(environ)}


def _find_region(environ: Mapping[str, str]) -> dict[str, str]:
    region = next((value for name in _REGIONS if (value := environ.get(name))), _REGION)
    return dict.fromkeys(_REGIONS, region)


def isolate_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """Return `point_environment`'s result with made-up keys, a region and no profile.

    A Bedrock API key is replaced by a made-up one if the URL is https, and removed otherwise.
    """
    isolated = point_environment(environ, url) | _KEYS
    for name in _IDENTITIES:
        isolated.pop(name, None)
    for name, variable in CLIENT_VARIABLES.items():
        if variable.keys and isolated.get(name) != environ.get(name):
            for key in variable.keys:
                isolated.pop(key, None)
            isolated[variable.keys[0]] = "bedtape"
    if environ.get(BEARER) and url.startswith("https:"):
        isolated[BEARER] = "bedtape"
        isolated.pop(_PREFERENCE)
        isolated |= {name: value for name, value in environ.items() if name == _PREFERENCE}
    return isolated | _find_region(environ)
