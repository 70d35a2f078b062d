"""Asks the real service again what a cassette holds, and reports how its answers have drifted in shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from bedtape_cassettes.addresses import DEFAULT_SESSION, RUNTIME
from bedtape_cassettes.matching.normalise import build_interaction, keep_request_headers
from bedtape_cassettes.model import Interaction, Request
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.kinds import ACCOUNT
from bedtape_cassettes.storage import store
from bedtape_recorder import gate
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.drift import Drift, drifts
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import CompanyProxy, Proxies, proxies_of
from bedtape_recorder.routing import Route
from bedtape_recorder.settings import Settings

__all__ = ["Verdict", "verify"]


_ACCOUNT = re.compile(rf"(?<![0-9]){ACCOUNT}(?![0-9])")


# Not what the request is answered, but when: no drift, recorded or now.
_BUSY = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one interaction: its drifts, or why it could not be asked again."""

    file: str
    drifts: tuple[Drift, ...]
    skipped: str | None = None


# To connect, and between two pieces: a long answer that does not stream says nothing for minutes.
_TIMEOUT = (60, 3600)
_BIDIRECTIONAL = "InvokeModelWithBidirectionalStream"


def verify(settings: Settings, environ: Mapping[str, str]) -> Iterator[Verdict]:
    """Asks every interaction of the cassettes again, in order. Raises RecorderError or CassetteError.

    With a name, only that cassette's. Goes through the gate like every call to the real service.
    """
    gate.require(environ)
    cassettes = [c for c in store.read([settings.folder]) if settings.name in (None, c.name)]
    if not cassettes:
        raise RecorderError(f"expected cassettes to ask again, found none in {settings.folder}; fix --to or --name")
    credentials = Credentials(settings.profile, settings.region, environ)
    sessions = _Sessions(proxies_of(environ), environ.get("AWS_CA_BUNDLE"))
    return (_verdict(i, settings, credentials, sessions) for cassette in cassettes for i in cassette.interactions)


class _Sessions:
    """Connections that are kept: direct ones, and those through each of the company's proxies."""

    def __init__(self, proxies: Proxies, bundle: str | None) -> None:
        self._proxies = proxies
        self._bundle = bundle
        self._open: dict[CompanyProxy | None, URLLib3Session] = {}

    def to(self, scheme: str, host: str, port: int) -> URLLib3Session:
        """The session that a host is asked in."""
        proxy = self._proxies.proxy_for(scheme, host, port)
        if proxy not in self._open:
            through = {scheme: proxy.url} if proxy else {}
            self._open[proxy] = URLLib3Session(verify=self._bundle or True, proxies=through, timeout=_TIMEOUT)  # type: ignore[arg-type]  # a path, a pair will do
        return self._open[proxy]


def _verdict(interaction: Interaction, settings: Settings, credentials: Credentials, sessions: _Sessions) -> Verdict:
    if why := _unaskable(interaction):
        return Verdict(interaction.file, (), why)
    try:
        now = _ask(interaction, settings, credentials, sessions)
    except RecorderError as error:  # the others are asked all the same
        return Verdict(interaction.file, (), str(error))
    if now.response.status in _BUSY:
        return Verdict(interaction.file, (), f"Bedrock is busy: {now.response.status}")
    return Verdict(interaction.file, tuple(drifts(interaction, now)))


def _unaskable(interaction: Interaction) -> str | None:
    """Why the real service cannot be asked this again."""
    request = interaction.request
    if interaction.partial:
        return "it is partial"
    if interaction.response.status in _BUSY:
        return f"a {interaction.response.status} comes when it comes"
    if interaction.operation == _BIDIRECTIONAL:
        return "both sides of a bidirectional stream would have to be there"
    places = (request.path, request.body.data.decode(errors="replace"), *(value for _, value in request.headers))
    return "its account id was redacted" if any(_ACCOUNT.search(place) for place in places) else None


def _ask(interaction: Interaction, settings: Settings, credentials: Credentials, sessions: _Sessions) -> Interaction:
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
    kept = keep_request_headers(request.headers)  # an exact recording has the old signature, too
    signed = credentials.headers(route, request.method, request.path, kept, request.body.data)
    scheme, host, port = settings.upstream or ("https", route.host, 443)
    headers = HeadersDict()
    for name, value in {**dict(kept), **signed, "Host": route.host, "Accept-Encoding": "identity"}.items():
        headers[name] = value
    url = f"{scheme}://{host}:{port}{request.path}"
    sent = AWSPreparedRequest(request.method, url, headers, request.body.data, stream_output=False)  # type: ignore[arg-type]  # as botocore's own
    try:
        return sessions.to(scheme, host, port).send(sent)
    except (BotoCoreError, UnicodeError) as error:  # UnicodeError: botocore's proxies take ASCII passwords alone
        raise RecorderError(f"{request.path} could not be asked again: {error}") from None
