"""What the upstream is to answer, and which of its answers a request gets.

Pure; the pieces are sent elsewhere.
"""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

from bedtape_cassettes.model import Headers
from support.upstream.log import Request

EVENT_STREAM = "application/vnd.amazon.eventstream"


@dataclass(frozen=True)
class Answer:
    """The answer to one request, and how it goes wrong. Times are seconds, counts are of frames.

    path: the target, compared percent-decoded. request: JSON that is equal counts as equal; None
    matches any body. frames: each is an HTTP chunk or DATA frame of its own; one alone that is not
    `streamed` has a Content-Length. after: before the head. delays: before each frame, or one for
    all.

    cut_after: after so many frames and `cut_bytes` of the next, the TCP connection is closed.
    reset_after: TCP RST, over HTTP/2 RST_STREAM; reset_before: with no response. stall_after: after
    each of these counts nothing comes until `Upstream.resume`; stall_before: no response until
    then.
    """

    path: str
    request: bytes | None = None
    method: str = "POST"
    status: int = 200
    headers: Headers = (("Content-Type", "application/json"),)
    frames: tuple[bytes, ...] = (b"{}",)
    streamed: bool = False
    after: float = 0
    delays: float | Sequence[float] = 0
    cut_after: int | None = None
    cut_bytes: int = 0
    reset_after: int | None = None
    reset_before: bool = False
    stall_after: Collection[int] = ()
    stall_before: bool = False
    trailers: Headers = ()

    def pace(self) -> Iterator[tuple[float, bytes]]:
        """Each frame, with the seconds before it."""
        delays = self.delays
        for index, frame in enumerate(self.frames):
            if isinstance(delays, Sequence):
                yield (delays[index] if index < len(delays) else 0), frame
            else:
                yield delays, frame


class RecordedExchange(Protocol):
    """An exchange of the corpus, or `sdk.RecordedCall`; without a `method` it is a POST."""

    @property
    def path(self) -> str: ...
    @property
    def request_body(self) -> bytes: ...
    @property
    def status(self) -> int: ...
    @property
    def response_headers(self) -> Headers: ...
    @property
    def response_body(self) -> bytes: ...


def answer_of(recorded: RecordedExchange, **options: Any) -> Answer:
    """The answer that was recorded; the options are Answer's."""
    kind = next(
        (value for name, value in recorded.response_headers if name.lower() == "content-type"), ""
    )
    kind = kind.partition(";")[0]
    fields: dict[str, Any] = {
        "path": recorded.path,
        "request": recorded.request_body,
        "method": getattr(recorded, "method", "POST"),
        "status": recorded.status,
        "headers": recorded.response_headers,
        "frames": tuple(frames_of(kind, recorded.response_body)),
        "streamed": kind in (EVENT_STREAM, "text/event-stream"),
    }
    return Answer(**(fields | options))


def frames_of(content_type: str, body: bytes) -> Iterator[bytes]:
    """The events of a streamed body, each whole; any other body as it is."""
    if content_type == EVENT_STREAM:
        yield from _messages(body)
    elif content_type == "text/event-stream":
        yield from (event for event in re.split(rb"(?<=\n\n)", body) if event)
    else:
        yield body


def _messages(body: bytes) -> Iterator[bytes]:
    while body:
        size = max(int.from_bytes(body[:4]), 16)  # a damaged length must not stop the cutting
        yield body[:size]
        body = body[size:]


_Place: TypeAlias = tuple[str, str]


class Answers:
    """The answers by the request they are for; those for the same one are given in order,
    the last again and again.
    """

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self._queues: dict[_Place, dict[Hashable, list[Answer]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.add(answers)

    def add(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            body = None if answer.request is None else _comparable(answer.request)
            self._queues[_place(answer.method, answer.path)][body].append(answer)

    def clear(self) -> None:
        self._queues.clear()

    def take(self, request: Request) -> Answer | None:
        """The next answer for this request: one for its very body before one for any."""
        queues = self._queues.get(_place(request.method, request.target))
        if not queues:
            return None
        only_any = queues.keys() == {None}  # spares parsing a body of many megabytes
        queue = None if only_any else queues.get(_comparable(request.body))
        queue = queue or queues.get(None)
        if not queue:
            return None
        return queue.pop(0) if len(queue) > 1 else queue[0]


def _place(method: str, target: str) -> _Place:
    path, mark, query = target.partition("?")
    return method, unquote(path) + mark + query


def _comparable(body: bytes) -> Hashable:
    try:
        value = json.loads(body, parse_float=_number)
    except ValueError:
        return body
    return json.dumps(value, sort_keys=True)


def _number(text: str) -> float | int:
    """1.0 is 1 for JavaScript, which writes it so."""
    value = float(text)
    return int(value) if value.is_integer() else value
