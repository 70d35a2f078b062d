"""Converts a recorded exchange to an interaction that can be committed.

Values that differ between recordings of the same exchange are removed, because replay adds
realistic, deterministic values. Secrets are always removed.
"""

from __future__ import annotations

from collections.abc import Iterable

from bedtape_cassettes.format import bodies
from bedtape_cassettes.matching.key import TARGET_HEADER
from bedtape_cassettes.model import Body, Events, Headers, Interaction, Request, Response
from bedtape_cassettes.operations import find_model, identify
from bedtape_cassettes.redaction.kinds import is_secret_header
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub
from bedtape_cassettes.redaction.walk import scrub_interaction

# The request headers to keep. This is not a list of headers to drop, because companies put secrets
# into headers that bedtape cannot list.
_KEPT_REQUEST_HEADERS = frozenset(
    {"content-type", "accept", "anthropic-version", "anthropic-beta", TARGET_HEADER}
)
_KEPT_REQUEST_PREFIXES = ("x-amzn-bedrock-", "x-amz-bedrock-")

VOLATILE_RESPONSE_HEADERS = frozenset(
    {
        "age",
        "alt-svc",
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",
        "strict-transport-security",
        "transfer-encoding",
        "via",
        "x-amz-cf-id",
        "x-amz-cf-pop",
        "x-amz-id-2",
        "x-amz-request-id",
        "x-amzn-requestid",
        "x-amzn-trace-id",
        "x-cache",
        "x-request-id",
    }
)


def keep_request_headers(headers: Headers, *, exact: bool = False) -> Headers:
    """Returns the request headers to record, in lower case; if exact, all headers unchanged."""
    if exact:
        return headers
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple(
        (name, value)
        for name, value in lowered
        if name in _KEPT_REQUEST_HEADERS or name.startswith(_KEPT_REQUEST_PREFIXES)
    )


def _keep_response_headers(headers: Headers, *, exact: bool) -> Headers:
    if exact:
        return headers
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple(
        (name, value)
        for name, value in lowered
        if name not in VOLATILE_RESPONSE_HEADERS and not is_secret_header(name)
    )


def _read_response_body(
    data: bytes, content_type: str, *, streaming: bool, exact: bool, at_ms: Iterable[int]
) -> Body | Events:
    kind = content_type.split(";")[0].strip().lower()
    if kind == bodies.EVENT_STREAM or streaming:
        return bodies.read_events(data, exact=exact, at_ms=at_ms)
    if kind == bodies.SERVER_SENT:
        return bodies.read_pieces(data, at_ms=at_ms)
    return bodies.read_body(data)


def build_interaction(
    *,
    method: str,
    path: str,
    request_headers: Headers,
    request_body: bytes,
    status: int,
    response_headers: Headers,
    response_body: bytes,
    exact: bool = False,
    after_ms: int = 0,
    at_ms: Iterable[int] = (),
    redaction: Redaction | None = ALWAYS,
) -> Interaction:
    """Returns the interaction of a recorded exchange.

    path: percent-encoded, with its query, without a session prefix. after_ms: from the end of the
    request to the response's head. at_ms: from the response's head to each event. exact: keep every
    byte and header of the response, and the request's headers. Secrets are removed in every case,
    except if redaction is `None`, for an interaction that is played and not written.
    """
    target = identify(method, path)
    streaming = target.operation is not None and target.operation.streaming
    content_type = next(
        (value for name, value in response_headers if name.lower() == "content-type"), ""
    )
    if (
        redaction is not None and redaction.patterns
    ):  # in the client's spelling, because its next request has the same spelling
        request_body = scrub(request_body, redaction)
    body = bodies.read_body(request_body) if exact else bodies.read_request_body(request_body)
    interaction = Interaction(
        operation=target.name,
        model=find_model(target, body.data),
        request=Request(method, path, keep_request_headers(request_headers, exact=exact), body),
        response=Response(
            status,
            _keep_response_headers(response_headers, exact=exact),
            _read_response_body(
                response_body, content_type, streaming=streaming, exact=exact, at_ms=at_ms
            ),
            after_ms,
        ),
        exact=exact,
    )
    return interaction if redaction is None else scrub_interaction(interaction, redaction)
