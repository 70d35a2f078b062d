"""Sends recorded requests to the real service again and reports drift in the answers' shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from bedtape_cassettes.addresses import DEFAULT_SESSION, RUNTIME
from bedtape_cassettes.matching.normalise import build_interaction, keep_request_headers
from bedtape_cassettes.model import Interaction, Request
from bedtape_cassettes.operations import find_operation, identify
from bedtape_cassettes.redaction.kinds import ACCOUNT
from bedtape_cassettes.storage import store
from bedtape_recorder import gate
from bedtape_recorder.credentials import Credentials, check_transport
from bedtape_recorder.drift import Drift, find_drifts
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import CompanyProxy, Proxies, read_proxies
from bedtape_recorder.routing import Route
from bedtape_recorder.settings import Settings

_ACCOUNT = re.compile(rf"(?<![0-9]){ACCOUNT}(?![0-9])")


# These statuses depend on the service's load, so they are not drift.
_BUSY = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result for one interaction: its drifts. skipped: why its request was not sent again."""

    file: str
    drifts: tuple[Drift, ...]
    skipped: str | None = None


# Seconds to connect and between two reads. A long answer may send nothing for minutes.
_TIMEOUT = (60, 3600)
# Operations that start a job, or run what an agent or a flow is connected to.
_ACTING = ("StartAsyncInvoke", "InvokeAgent", "InvokeInlineAgent", "InvokeFlow", "CancelResponse")
_BIDIRECTIONAL = "InvokeModelWithBidirectionalStream"


def verify(
    settings: Settings, environ: Mapping[str, str], report: Callable[[str], object] = print
) -> Iterator[Verdict]:
    """Sends every recorded request again, in order, and yields one verdict per interaction.

    report: is called with one line, before anything is sent: where to, and with which credentials.
    If `settings.name` is set, reads that cassette. Raises GateShut, RecorderError or CassetteError.
    """
    gate.require(environ)
    cassettes = [c for c in store.read([settings.folder]) if settings.name in (None, c.name)]
    if not cassettes:
        raise RecorderError(f"expected cassettes to verify, found none in {settings.folder}; fix --to or --name")
    credentials = Credentials(settings.profile, settings.region, environ, settings.upstream)
    report(f"sending to {credentials.describe(settings.upstream)}")
    sessions = _Sessions(read_proxies(environ), environ.get("AWS_CA_BUNDLE"))
    return (_check(i, settings, credentials, sessions) for cassette in cassettes for i in cassette.interactions)


class _Sessions:
    """Open HTTP sessions: one for direct connections and one for each proxy."""

    def __init__(self, proxies: Proxies, bundle: str | None) -> None:
        self._proxies = proxies
        self._bundle = bundle
        self._open: dict[CompanyProxy | None, URLLib3Session] = {}

    def find(self, scheme: str, host: str, port: int) -> URLLib3Session:
        """Returns the HTTP session for a host."""
        proxy = self._proxies.find_proxy(scheme, host, port)
        if proxy not in self._open:
            through = {scheme: proxy.url} if proxy else {}
            self._open[proxy] = URLLib3Session(verify=self._bundle or True, proxies=through, timeout=_TIMEOUT)  # type: ignore[arg-type]  # accepts a path, accepts a pair
        return self._open[proxy]


def _check(interaction: Interaction, settings: Settings, credentials: Credentials, sessions: _Sessions) -> Verdict:
    if why := _find_skip_reason(interaction):
        return Verdict(interaction.file, (), why)
    try:
        now = _repeat(interaction, settings, credentials, sessions)
    except RecorderError as error:  # continue with the other interactions
        return Verdict(interaction.file, (), str(error))
    if now.response.status in _BUSY:
        return Verdict(interaction.file, (), f"Bedrock is busy: {now.response.status}")
    return Verdict(interaction.file, tuple(find_drifts(interaction, now)))


def _find_skip_reason(interaction: Interaction) -> str | None:
    """Returns why a request is not sent. A cassette can come with a branch, so it does not decide what is called."""
    request = interaction.request
    operation = identify(request.method, request.path).operation
    if operation is None or find_operation(operation.service, request.method, request.path) is None:
        return "it is no operation that bedtape knows"
    if operation.name in _ACTING or request.method not in ("GET", "POST"):
        return f"{operation.name} can change something"
    if interaction.partial:
        return "it is partial"
    if interaction.response.status in _BUSY:
        return f"a {interaction.response.status} comes when it comes"
    if operation.name == _BIDIRECTIONAL:
        return "both sides of a bidirectional stream would have to be there"
    places = (request.path, request.body.data.decode(errors="replace"), *(value for _, value in request.headers))
    return "its account id was redacted" if any(_ACCOUNT.search(place) for place in places) else None


def _repeat(interaction: Interaction, settings: Settings, credentials: Credentials, sessions: _Sessions) -> Interaction:
    request = interaction.request
    answer = _send(request, settings, credentials, sessions)
    return build_interaction(
        method=request.method,
        path=request.path,
        request_headers=request.headers,
        request_body=request.body.data,
        status=answer.status_code,
        response_headers=tuple(answer.headers.items()),
        response_body=answer.content,
        exact=interaction.exact,
    )


def _send(request: Request, settings: Settings, credentials: Credentials, sessions: _Sessions) -> AWSResponse:
    operation = identify(request.method, request.path).operation
    service = operation.service if operation else RUNTIME
    route = Route(DEFAULT_SESSION, service, credentials.region, request.path)
    kept = keep_request_headers(request.headers)  # without an old signature
    signed = credentials.sign_headers(route, request.method, request.path, kept, request.body.data)
    scheme, host, port = settings.upstream or ("https", route.host, 443)
    check_transport(tuple(signed.items()), scheme, host)
    headers = HeadersDict()
    for name, value in {**dict(kept), **signed, "Host": route.host, "Accept-Encoding": "identity"}.items():
        headers[name] = value
    url = f"{scheme}://{host}:{port}{request.path}"
    sent = AWSPreparedRequest(request.method, url, headers, request.body.data, stream_output=False)  # type: ignore[arg-type]  # botocore passes the same types
    try:
        return sessions.find(scheme, host, port).send(sent)
    except (BotoCoreError, UnicodeError) as error:  # UnicodeError: botocore requires ASCII proxy passwords
        raise RecorderError(f"{request.path} could not be sent again: {error}") from None
