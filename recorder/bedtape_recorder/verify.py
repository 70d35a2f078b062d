"""Asks the real service again what a cassette holds, and reports how its answers have drifted in shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

from bedtape_cassettes import store
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.normalise import interaction_of
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redact import ACCOUNT
from bedtape_recorder import gate
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.drift import Drift, drifts
from bedtape_recorder.routing import Route
from bedtape_recorder.settings import Settings

__all__ = ["Verdict", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one interaction: its drifts, or why it could not be asked again."""

    file: str
    drifts: tuple[Drift, ...]
    skipped: str | None = None


def verify(settings: Settings, environ: Mapping[str, str]) -> Iterator[Verdict]:
    """Asks every interaction of the cassettes again, in order. Raises RecorderError or CassetteError.

    With a name, only that cassette's. Goes through the gate like every call to the real service.
    """
    gate.require(environ)
    credentials = Credentials(settings.profile, settings.region, environ)
    session = URLLib3Session(verify=environ.get("AWS_CA_BUNDLE") or True)  # type: ignore[arg-type]  # a bundle's path will do
    for cassette in store.read([settings.folder]):
        if settings.name in (None, cassette.name):
            for interaction in cassette.interactions:
                yield _verdict(interaction, settings, credentials, session)


def _verdict(
    interaction: Interaction, settings: Settings, credentials: Credentials, session: URLLib3Session
) -> Verdict:
    if interaction.partial:
        return Verdict(interaction.file, (), "it is partial")
    if ACCOUNT in interaction.request.path:
        return Verdict(interaction.file, (), "its account id was redacted")
    now = _ask(interaction, settings, credentials, session)
    return Verdict(interaction.file, tuple(drifts(interaction, now)))


def _ask(
    interaction: Interaction, settings: Settings, credentials: Credentials, session: URLLib3Session
) -> Interaction:
    request = interaction.request
    operation = identify(request.method, request.path).operation
    service = operation.service if operation else "bedrock-runtime"
    signing = "bedrock-mantle" if service == "bedrock-mantle" else "bedrock"
    route = Route("default", service, signing, credentials.region, request.path, None)
    signed = credentials.headers(route, request.method, request.path, request.headers, request.body.data)
    scheme, host, port = settings.upstream or ("https", route.host, 443)
    headers = HTTPHeaders()
    for name, value in {**dict(request.headers), **signed, "Host": route.host, "Accept-Encoding": "identity"}.items():
        headers[name] = value
    sent = AWSPreparedRequest(
        request.method, f"{scheme}://{host}:{port}{request.path}", headers, request.body.data, stream_output=False
    )
    answer = session.send(sent)
    return interaction_of(
        method=request.method,
        path=request.path,
        request_headers=request.headers,
        request_body=request.body.data,
        status=answer.status_code,
        response_headers=tuple(answer.headers.items()),
        response_body=answer.content,
        exact=interaction.exact,
    )
