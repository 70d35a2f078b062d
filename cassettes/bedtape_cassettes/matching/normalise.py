"""From an exchange as it was on the wire to an interaction fit to commit.

What differs from one recording to the next without meaning anything is left out here, and replay puts realistic,
deterministic values back. Secrets are taken out too, whatever the caller says.
"""

from __future__ import annotations

from collections.abc import Iterable

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events, Headers, Interaction, Request, Response
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.kinds import is_secret_header
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub
from bedtape_cassettes.redaction.walk import scrub_interaction

__all__ = ["VOLATILE_RESPONSE_HEADERS", "interaction_of", "kept_request_headers"]

# Of a request's headers only those are kept that say what is asked. A list of what to keep, not of what to drop:
# companies put secrets into headers that nobody has heard of.
_KEPT_REQUEST_HEADERS = frozenset({"content-type", "accept", "anthropic-version", "anthropic-beta"})
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


def _keep_request_header(name: str) -> bool:
    return name in _KEPT_REQUEST_HEADERS or name.startswith(_KEPT_REQUEST_PREFIXES)


def kept_request_headers(headers: Headers, *, exact: bool = False) -> Headers:
    """The headers of a request that say what is asked, names in lower case; if exact, all as they are."""
    if exact:
        return headers
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple((name, value) for name, value in lowered if _keep_request_header(name))


def _response_headers(headers: Headers, *, exact: bool) -> Headers:
    if exact:
        return headers
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple(
        (name, value) for name, value in lowered if name not in VOLATILE_RESPONSE_HEADERS and not is_secret_header(name)
    )


def _response_body(
    data: bytes, content_type: str, *, streaming: bool, exact: bool, at_ms: Iterable[int]
) -> Body | Events:
    kind = content_type.split(";")[0].strip().lower()
    if kind == bodies.EVENT_STREAM or streaming:
        return bodies.events_of(data, exact=exact, at_ms=at_ms)
    if kind == bodies.SERVER_SENT:
        return bodies.pieces_of(data, at_ms=at_ms)
    return bodies.body_of(data)


def interaction_of(
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
    redaction: Redaction = ALWAYS,
) -> Interaction:
    """The interaction that a recorded exchange becomes.

    path: percent-encoded, with its query, less any session prefix. after_ms: from the request's end to the
    response's head. at_ms: from there to each event. exact: keep the response's every byte and header, and the
    request's headers; secrets are still taken out.
    """
    target = identify(method, path)
    streaming = target.operation is not None and target.operation.streaming
    content_type = next((value for name, value in response_headers if name.lower() == "content-type"), "")
    if redaction.patterns:  # in the client's own spelling, in which its next request comes too
        request_body = scrub(request_body, redaction)
    body = bodies.body_of(request_body) if exact else bodies.body_from_request(request_body)
    interaction = Interaction(
        operation=target.name,
        model=target.model,
        request=Request(method, path, kept_request_headers(request_headers, exact=exact), body),
        response=Response(
            status,
            _response_headers(response_headers, exact=exact),
            _response_body(response_body, content_type, streaming=streaming, exact=exact, at_ms=at_ms),
            after_ms,
        ),
        exact=exact,
    )
    return scrub_interaction(interaction, redaction)
