"""Checks where calls go: endpoints, servers there, other clients' variables, proxies, the port."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # botocore calls it too

from bedtape_cassettes.addresses import point_environment
from bedtape_replayer.cli.doctor.addresses import (
    CLIENTS,
    SERVICES,
    Address,
    Endpoint,
    endpoints,
    render_url,
)
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment, Listener
from bedtape_replayer.cli.doctor.profile import KINDS

_IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_START = (
    "start bedtape replay, or unset the endpoint, because bedtape run and the fixture bedrock set"
    " their own"
)
_LOOPBACK = "127.0.0.1"
# The proxies of http:// calls in boto3, Go and most Python clients. JavaScript's SDK reads
# no variable for a proxy.
_PROXIES = ("http_proxy", "HTTP_PROXY")
# Further variables that httpx reads, and so Anthropic's and OpenAI's clients.
_ALL = ("all_proxy", "ALL_PROXY")


def check_endpoint(env: Environment) -> Iterator[Diagnosis]:
    """Check the endpoint of bedrock-runtime, and whether bedtape answers there."""
    if env.endpoint is None:
        yield ok(
            "endpoint",
            "not set: bedtape run and the fixture bedrock set it for the programs that they run",
        )
    else:
        yield _diagnose("endpoint", env.endpoint, env)


def check_other_endpoints(env: Environment) -> Iterator[Diagnosis]:
    """Check the other endpoints: of Bedrock's other services, and of other clients."""
    for endpoint in endpoints(env.environ, env.profile):
        overridden = (
            endpoint.source == SERVICES
            and env.endpoint is not None
            and env.endpoint.source != SERVICES
        )
        if endpoint != env.endpoint and not overridden:
            yield _diagnose("other endpoint", endpoint, env)


def _diagnose(check: str, endpoint: Endpoint, env: Environment) -> Diagnosis:
    if not endpoint.is_url:
        fix = "set it to the address that bedtape replay prints, or unset it"
        return wrong(
            check, expected="a URL such as http://127.0.0.1:4566", found=str(endpoint), fix=fix
        )
    if endpoint.address is None:
        actual = f"{endpoint} on another machine, which doctor does not contact"
        return note(
            check,
            expected="a server on this machine",
            found=actual,
            fix="unset it, unless you mean that server",
        )
    listener = env.listeners.get(endpoint.address, Listener("nobody"))
    if listener.kind == "nobody":
        return wrong(
            check,
            expected="a server at the endpoint",
            found=f"{endpoint}, where no server listens",
            fix=_START,
        )
    if listener.kind != "bedtape":
        return note(
            check,
            expected="bedtape at the endpoint",
            found=f"{endpoint}, which is {listener.summary}",
            fix=_START,
        )
    if endpoint.is_encrypted and not listener.tls:
        fix = "write http://, or start bedtape replay --tls"
        return wrong(
            check, expected="http://", found=f"{endpoint}, which is bedtape without TLS", fix=fix
        )
    return ok(check, f"{endpoint}: {listener.summary}")


def check_ignored(env: Environment) -> Iterator[Diagnosis]:
    """Check whether the SDKs use endpoints at all."""
    value = env.environ.get(_IGNORE, "").lower()
    source = (
        f"{_IGNORE}={value}"
        if value
        else f"ignore_configured_endpoint_urls in profile {env.profile.name}"
    )
    if value != "true" and (value or not env.profile.ignores_endpoints):
        yield ok("endpoints on", "yes: no AWS setting turns endpoints off")
    elif env.endpoint:
        actual = f"{source}: calls go to AWS, not to {env.endpoint}"
        yield wrong(
            "endpoints on",
            expected="endpoints that are not ignored",
            found=actual,
            fix=f"set {_IGNORE}=false",
        )
    else:
        actual = f"{source}; bedtape run and the fixture bedrock set it to false"
        fix = f"set {_IGNORE}=false before you point a client at bedtape by hand"
        yield note("endpoints on", expected="endpoints that are not ignored", found=actual, fix=fix)


def check_kinds(env: Environment) -> Iterator[Diagnosis]:
    """Check for FIPS and dual-stack endpoints, with which JavaScript refuses other endpoints."""
    for variable, key in KINDS.items():
        value = env.environ.get(variable, "").lower()
        if env.endpoint and (value == "true" or (not value and key in env.profile.kinds)):
            source = f"{variable}=true" if value else f"{key} in profile {env.profile.name}"
            fix = f"set {variable}=false, as bedtape run does"
            actual = f"{source}, with which JavaScript's SDK refuses {env.endpoint}"
            yield note(
                "endpoint kind",
                expected="neither FIPS nor dual-stack endpoints",
                found=actual,
                fix=fix,
            )


def check_all_services(env: Environment) -> Iterator[Diagnosis]:
    """Check AWS_ENDPOINT_URL, which redirects all services. bedtape serves Bedrock alone."""
    if env.environ.get(SERVICES):
        actual = f"{SERVICES}: calls to S3, STS and all other services go there too"
        fix = f"move its value to {SERVICES}_BEDROCK_RUNTIME"
        yield note("all services", expected="endpoints of Bedrock alone", found=actual, fix=fix)


def check_other_clients(env: Environment) -> Iterator[Diagnosis]:
    """Check the variables of Anthropic's and OpenAI's clients, which read no AWS variables."""
    if env.endpoint is None or env.endpoint.address is None:
        return
    for variable, package in CLIENTS.items():
        if package in env.packages and not env.environ.get(variable):
            actual = f"no {variable}, so calls of the package {package} go to AWS"
            values = point_environment({}, render_url(env.endpoint.url).rstrip("/"))
            fix = f"export {variable}={values[variable]}"
            yield note(
                "other clients",
                expected=f"{variable} beside {env.endpoint.source}",
                found=actual,
                fix=fix,
            )


def check_proxy(env: Environment) -> Iterator[Diagnosis]:
    """Check that calls to this machine bypass a proxy, which cannot reach its loopback."""
    variable = next((name for name in (*_PROXIES, *_ALL) if env.environ.get(name)), None)
    if variable is None:
        yield ok("proxy", "no proxy for http://")
        return
    proxy = f"{variable}={render_url(env.environ[variable])}"
    address = env.endpoint.address if env.endpoint else None
    host = address.host if address else _LOOPBACK
    name = "no_proxy" if env.environ.get("no_proxy") else "NO_PROXY"
    excluded = env.environ.get(name, "")
    if proxy_bypass_environment(host, {"no": excluded}):
        yield ok("proxy", f"{proxy}, not for {host}")
        return
    expected = f"{host} in {name}, so that calls to this machine stay on it"
    export = f"export {name}={','.join(filter(None, (excluded, host)))}"
    if address and variable in _PROXIES:
        yield wrong("proxy", expected=expected, found=f"{proxy} for all hosts", fix=export)
    else:
        fix = f"{export}; bedtape run and the fixture bedrock add it themselves"
        yield note("proxy", expected=expected, found=f"{proxy} for all hosts", fix=fix)


def check_port(env: Environment) -> Iterator[Diagnosis]:
    """Check whether the port of bedtape replay is free, or bedtape already listens on it."""
    port = env.settings.port
    listener = env.listeners.get(Address(_LOOPBACK, port), Listener("nobody"))
    if port == 0:
        yield ok("port", "any free port, because settings contain 0")
    elif listener.kind == "nobody":
        yield ok("port", f"{port} is free")
    elif listener.kind == "bedtape":
        yield ok("port", f"{port}: {listener.summary}")
    else:
        expected = f"port {port} to be free, or bedtape on it"
        yield note(
            "port",
            expected=expected,
            found=listener.summary,
            fix="end that server, or run bedtape replay --port 0",
        )
