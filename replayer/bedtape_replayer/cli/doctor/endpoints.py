"""Checks of where calls go: the endpoint in force, who answers there, clients that read other variables, proxies. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # botocore goes by it

from bedtape_cassettes.addresses import point_environment
from bedtape_replayer.cli.doctor.addresses import CLIENTS, SERVICES, Address, Endpoint, endpoints, render_url
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment, Listener
from bedtape_replayer.cli.doctor.profile import KINDS

_IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_START = "start it with bedtape replay, or unset it: bedtape run and the fixture bedrock set their own"
_HERE = "127.0.0.1"
# What takes calls over http:// in boto3, Go and most of Python. JavaScript's SDK reads none.
_PROXIES = ("http_proxy", "HTTP_PROXY")
# What httpx reads besides, and with it Anthropic's and OpenAI's clients.
_ALL = ("all_proxy", "ALL_PROXY")


def check_endpoint(env: Environment) -> Iterator[Diagnosis]:
    """Where calls to bedrock-runtime go, and whether bedtape is there."""
    if env.endpoint is None:
        yield ok("endpoint", "none is set: bedtape run and the fixture bedrock set it for what they run")
    else:
        yield _diagnose("endpoint", env.endpoint, env)


def check_other_endpoints(env: Environment) -> Iterator[Diagnosis]:
    """The other variables that name servers: other services of Bedrock, other clients."""
    for endpoint in endpoints(env.environ, env.profile):
        overridden = endpoint.source == SERVICES and env.endpoint is not None and env.endpoint.source != SERVICES
        if endpoint != env.endpoint and not overridden:
            yield _diagnose("other endpoint", endpoint, env)


def _diagnose(check: str, endpoint: Endpoint, env: Environment) -> Diagnosis:
    if not endpoint.is_url:
        fix = "set it to the address that bedtape replay prints, or unset it"
        return wrong(check, expected="a URL such as http://127.0.0.1:4566", found=str(endpoint), fix=fix)
    if endpoint.address is None:
        elsewhere = f"{endpoint}, which is elsewhere and was not asked"
        return note(check, expected="a server on this machine", found=elsewhere, fix="unset it, unless it is meant")
    listener = env.listeners.get(endpoint.address, Listener("nobody"))
    if listener.kind == "nobody":
        return wrong(check, expected="a server there", found=f"{endpoint} and nobody who listens", fix=_START)
    if listener.kind != "bedtape":
        return note(check, expected="bedtape there", found=f"{endpoint} and {listener.says}", fix=_START)
    if endpoint.is_encrypted:
        fix = "write http://, which bedtape speaks"
        return wrong(check, expected="http://", found=f"{endpoint} and bedtape there", fix=fix)
    return ok(check, f"{endpoint}: {listener.says}")


def check_ignored(env: Environment) -> Iterator[Diagnosis]:
    """Whether endpoints are heeded at all."""
    said = env.environ.get(_IGNORE, "").lower()
    source = f"{_IGNORE}={said}" if said else f"ignore_configured_endpoint_urls in profile {env.profile.name}"
    if said != "true" and (said or not env.profile.ignores_endpoints):
        yield ok("endpoints on", "yes: no setting of AWS's turns them off")
    elif env.endpoint:
        lost = f"{source}: calls go to AWS, not to {env.endpoint}"
        yield wrong("endpoints on", expected="endpoints to be heeded", found=lost, fix=f"set {_IGNORE}=false")
    else:
        kept = f"{source}; bedtape run and the fixture bedrock set it to false"
        fix = f"set {_IGNORE}=false before you point a client at bedtape by hand"
        yield note("endpoints on", expected="endpoints to be heeded", found=kept, fix=fix)


def check_kinds(env: Environment) -> Iterator[Diagnosis]:
    """FIPS and dual-stack endpoints are AWS's own: JavaScript's SDK refuses any other beside them."""
    for variable, key in KINDS.items():
        said = env.environ.get(variable, "").lower()
        if env.endpoint and (said == "true" or (not said and key in env.profile.kinds)):
            source = f"{variable}=true" if said else f"{key} in profile {env.profile.name}"
            fix = f"set {variable}=false, as bedtape run does"
            refused = f"{source}, with which JavaScript's SDK refuses {env.endpoint}"
            yield note("endpoint kind", expected="no kind of AWS's own endpoints", found=refused, fix=fix)


def check_all_services(env: Environment) -> Iterator[Diagnosis]:
    """AWS_ENDPOINT_URL takes every service there, and bedtape has Bedrock only."""
    if env.environ.get(SERVICES):
        every = f"{SERVICES}: calls to S3, STS and all others go there too"
        fix = f"move its value to {SERVICES}_BEDROCK_RUNTIME"
        yield note("all services", expected="Bedrock's endpoints alone", found=every, fix=fix)


def check_other_clients(env: Environment) -> Iterator[Diagnosis]:
    """Anthropic's and OpenAI's clients read no variable of AWS's."""
    if env.endpoint is None or env.endpoint.address is None:
        return
    for variable, package in CLIENTS.items():
        if package in env.packages and not env.environ.get(variable):
            unset = f"it unset, so that calls of the package {package} go to AWS"
            fix = f"export {variable}={point_environment({}, render_url(env.endpoint.url).rstrip('/'))[variable]}"
            yield note("other clients", expected=f"{variable} beside {env.endpoint.source}", found=unset, fix=fix)


def check_proxy(env: Environment) -> Iterator[Diagnosis]:
    """A company's proxy knows nothing of this machine's loopback."""
    variable = next((name for name in (*_PROXIES, *_ALL) if env.environ.get(name)), None)
    if variable is None:
        yield ok("proxy", "none for http://")
        return
    proxy = f"{variable}={render_url(env.environ[variable])}"
    asked = env.endpoint.address if env.endpoint else None
    host = asked.host if asked else _HERE
    name = "no_proxy" if env.environ.get("no_proxy") else "NO_PROXY"
    excluded = env.environ.get(name, "")
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


def check_port(env: Environment) -> Iterator[Diagnosis]:
    """Whether bedtape replay could listen on its port, or does."""
    port = env.settings.port
    listener = env.listeners.get(Address(_HERE, port), Listener("nobody"))
    if port == 0:
        yield ok("port", "any that is free, as settings say")
    elif listener.kind == "nobody":
        yield ok("port", f"{port} is free")
    elif listener.kind == "bedtape":
        yield ok("port", f"{port}: {listener.says}")
    else:
        expected = f"port {port} free, or bedtape there"
        yield note("port", expected=expected, found=listener.says, fix="end that, or bedtape replay --port 0")
