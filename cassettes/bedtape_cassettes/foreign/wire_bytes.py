"""Renders interactions as on the wire: absolute URLs, bytes, framed events, padding."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from random import Random

from bedtape_cassettes.addresses import render_host
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, Events, Headers, Interaction
from bedtape_cassettes.operations import choose_service


@dataclass(frozen=True, slots=True)
class WireExchange:
    """One exchange. Header names are as in the cassette: lower case, except in exact recordings."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    reason: str
    response_headers: Headers
    response_body: bytes
    after_ms: int


def render_exchanges(cassette: Cassette, region: str) -> list[WireExchange]:
    """Renders every exchange of the cassette, except partial ones, which lack an end, and
    conversations, whose requests are events without the audio.
    """
    return [
        _render_exchange(i, region, f"{cassette.name} {n}")
        for n, i in enumerate(cassette.interactions)
        if not i.partial and i.request.events is None
    ]


def _render_exchange(interaction: Interaction, region: str, seed: str) -> WireExchange:
    request, response = interaction.request, interaction.response
    return WireExchange(
        method=request.method,
        url=f"https://{_host(interaction, region)}{request.path}",
        request_headers=request.headers,
        request_body=request.body.data,
        status=response.status,
        reason=_reason(response.status),
        response_headers=response.headers,
        response_body=_bytes(response.body, seed)
        if isinstance(response.body, Events)
        else response.body.data,
        after_ms=response.after_ms,
    )


def _host(interaction: Interaction, region: str) -> str:
    request = interaction.request
    return render_host(choose_service(request.method, request.path, interaction.service), region)


def _bytes(events: Events, seed: str) -> bytes:
    chance = Random(seed)  # noqa: S311 -- padding, the same at every export
    return b"".join(bodies.wire(event, events.padded, chance) for event in events.events)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
