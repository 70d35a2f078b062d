"""Checks of where calls go: the endpoint in force, who answers there, and clients that read other variables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.addresses import point_environment
from bedtape_replayer.cli.doctor.addresses import CLIENTS, SERVICES, Endpoint, endpoints, render_url
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment, Listener
from bedtape_replayer.cli.doctor.profile import KINDS

__all__ = [
    "check_all_services",
    "check_endpoint",
    "check_ignored",
    "check_kinds",
    "check_other_clients",
    "check_other_endpoints",
]

_IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_START = "start it with bedtape replay, or unset it: bedtape run and the fixture bedrock set their own"


def check_endpoint(found: Environment) -> Iterator[Diagnosis]:
    """Where calls to bedrock-runtime go, and whether bedtape is there."""
    if found.endpoint is None:
        yield ok("endpoint", "none is set: bedtape run and the fixture bedrock set it for what they run")
    else:
        yield _diagnose("endpoint", found.endpoint, found)


def check_other_endpoints(found: Environment) -> Iterator[Diagnosis]:
    """The other variables that name servers: other services of Bedrock, other clients."""
    for endpoint in endpoints(found.environ, found.profile):
        overridden = endpoint.source == SERVICES and found.endpoint is not None and found.endpoint.source != SERVICES
        if endpoint != found.endpoint and not overridden:
            yield _diagnose("other endpoint", endpoint, found)


def _diagnose(check: str, endpoint: Endpoint, found: Environment) -> Diagnosis:
    if not endpoint.is_url:
        fix = "set it to the address that bedtape replay prints, or unset it"
        return wrong(check, expected="a URL such as http://127.0.0.1:4566", found=str(endpoint), fix=fix)
    if endpoint.address is None:
        elsewhere = f"{endpoint}, which is elsewhere and was not asked"
        return note(check, expected="a server on this machine", found=elsewhere, fix="unset it, unless it is meant")
    listener = found.listeners.get(endpoint.address, Listener("nobody"))
    if listener.kind == "nobody":
        return wrong(check, expected="a server there", found=f"{endpoint} and nobody who listens", fix=_START)
    if listener.kind != "bedtape":
        return note(check, expected="bedtape there", found=f"{endpoint} and {listener.says}", fix=_START)
    if endpoint.is_encrypted:
        fix = "write http://, which bedtape speaks"
        return wrong(check, expected="http://", found=f"{endpoint} and bedtape there", fix=fix)
    return ok(check, f"{endpoint}: {listener.says}")


def check_ignored(found: Environment) -> Iterator[Diagnosis]:
    """Whether endpoints are heeded at all."""
    said = found.environ.get(_IGNORE, "").lower()
    source = f"{_IGNORE}={said}" if said else f"ignore_configured_endpoint_urls in profile {found.profile.name}"
    if said != "true" and (said or not found.profile.ignores_endpoints):
        yield ok("endpoints on", "yes: no setting of AWS's turns them off")
    elif found.endpoint:
        lost = f"{source}: calls go to AWS, not to {found.endpoint}"
        yield wrong("endpoints on", expected="endpoints to be heeded", found=lost, fix=f"set {_IGNORE}=false")
    else:
        kept = f"{source}; bedtape run and the fixture bedrock set it to false"
        fix = f"set {_IGNORE}=false before you point a client at bedtape by hand"
        yield note("endpoints on", expected="endpoints to be heeded", found=kept, fix=fix)


def check_kinds(found: Environment) -> Iterator[Diagnosis]:
    """FIPS and dual-stack endpoints are AWS's own: JavaScript's SDK refuses any other beside them."""
    for variable, key in KINDS.items():
        said = found.environ.get(variable, "").lower()
        if found.endpoint and (said == "true" or (not said and key in found.profile.kinds)):
            source = f"{variable}=true" if said else f"{key} in profile {found.profile.name}"
            fix = f"set {variable}=false, as bedtape run does"
            refused = f"{source}, with which JavaScript's SDK refuses {found.endpoint}"
            yield note("endpoint kind", expected="no kind of AWS's own endpoints", found=refused, fix=fix)


def check_all_services(found: Environment) -> Iterator[Diagnosis]:
    """AWS_ENDPOINT_URL takes every service there, and bedtape has Bedrock only."""
    if found.environ.get(SERVICES):
        every = f"{SERVICES}: calls to S3, STS and all others go there too"
        fix = f"move its value to {SERVICES}_BEDROCK_RUNTIME"
        yield note("all services", expected="Bedrock's endpoints alone", found=every, fix=fix)


def check_other_clients(found: Environment) -> Iterator[Diagnosis]:
    """Anthropic's and OpenAI's clients read no variable of AWS's."""
    if found.endpoint is None or found.endpoint.address is None:
        return
    for variable, package in CLIENTS.items():
        if package in found.packages and not found.environ.get(variable):
            unset = f"it unset, so that calls of the package {package} go to AWS"
            fix = f"export {variable}={point_environment({}, render_url(found.endpoint.url).rstrip('/'))[variable]}"
            yield note("other clients", expected=f"{variable} beside {found.endpoint.source}", found=unset, fix=fix)
