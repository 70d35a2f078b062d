"""What the two versions of HTTP have in common for the upstream: the events that come,
and the calls that answer.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from bedtape_cassettes.model import Headers


@dataclass(frozen=True)
class Began:
    """A request's head is whole."""

    stream: int
    method: str
    target: str
    headers: Headers


@dataclass(frozen=True)
class DataCame:
    """A piece of a request's body."""

    stream: int
    data: bytes


@dataclass(frozen=True)
class Ended:
    """A request is whole."""

    stream: int


@dataclass(frozen=True)
class Dropped:
    """The client wants no answer any more."""

    stream: int


Event: TypeAlias = Began | DataCame | Ended | Dropped


class Wire(Protocol):
    """One connection's side of HTTP; bytes to send go to the function it was made with."""

    @property
    def version(self) -> Literal["1.1", "2"]: ...

    def receive(self, data: bytes) -> list[Event]:
        """What these bytes bring."""

    def head(self, stream: int, status: int, headers: Headers, length: int | None) -> None:
        """Sends a response's head. length: of its body in bytes; None where
        it is sent in chunks.
        """

    def data(self, stream: int, data: bytes) -> None:
        """Sends a piece of the body, as a chunk or DATA frame of its own if it
        is not too large for one.
        """

    def end(self, stream: int, trailers: Headers = ()) -> None:
        """Sends the response's end. trailers: HTTP/1.1 sends them behind the last chunk."""

    def reset(self, stream: int) -> bool:
        """Breaks off the one stream; False where only the whole connection can be."""


def text(data: bytes) -> str:
    """Header bytes as text from which the same bytes can be had again."""
    return data.decode("utf-8", "surrogateescape")


def octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
