"""A response body exactly as it is sent, for content that model families do not share."""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import (
    BODYLESS,
    Event,
    Events,
    Headers,
    JsonValue,
    Response,
    event_headers,
    is_header,
)

_STREAM: Headers = (("content-type", bodies.EVENT_STREAM),)
_CHUNKS: Headers = (*_STREAM, ("x-amzn-bedrock-content-type", "application/json"))


@dataclass(frozen=True, slots=True)
class Raw:
    """One of: body, sent verbatim; chunks, the JSON of each InvokeModel chunk; events,
    (type, JSON) of each event.

    headers: replace the default headers of the same name. Raises ValueError for an
    impossible status or header.
    """

    body: bytes | None = None
    chunks: tuple[JsonValue, ...] | None = None
    events: tuple[tuple[str, JsonValue], ...] | None = None
    status: int = 200
    headers: Headers = ()

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599 or self.status in BODYLESS:
            raise ValueError(
                f"expected a status from 200 to 599 that may have a body, found {self.status}"
            )
        if wrong := [name for name, value in self.headers if not is_header(name, value)]:
            raise ValueError(f"expected what an HTTP header can hold, found {wrong[0]!r}")

    def build_response(self) -> Response:
        """Builds the response that is sent."""
        if self.chunks is not None:
            chunks = [
                Event(0, event_headers("chunk"), bodies.seal_chunk(chunk), "bytes")
                for chunk in self.chunks
            ]
            return Response(self.status, self._merge_headers(_CHUNKS), Events.of(chunks))
        if self.events is not None:
            named = [
                Event(0, event_headers(name), bodies.compact(value), "json")
                for name, value in self.events
            ]
            return Response(self.status, self._merge_headers(_STREAM), Events.of(named))
        headers = self._merge_headers((("content-type", "application/json"),))
        server_sent = (
            dict(headers)["content-type"].partition(";")[0].strip().lower() == bodies.SERVER_SENT
        )
        read = bodies.read_pieces if server_sent else bodies.read_body
        return Response(self.status, headers, read(self.body or b""))

    def _merge_headers(self, usual: Headers) -> Headers:
        return tuple(
            {**dict(usual), **{name.lower(): value for name, value in self.headers}}.items()
        )
