"""The foreign formats by name, told apart by their content, and what a file of theirs holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign.exchange import Found, Skipped, shown
from bedtape_cassettes.foreign.file_reader import opened
from bedtape_cassettes.foreign.importers import (
    aimock,
    datadog,
    go_vcr,
    har,
    mitmproxy,
    mockserver,
    ruby_vcr,
    vcrpy,
    wiremock,
)

__all__ = ["FORMATS", "ForeignInvalid", "Format", "Reading", "read"]


class ForeignInvalid(CassetteError):
    """A file that is not of the format it should be, or of none that is known."""


@dataclass(frozen=True, slots=True)
class Format:
    """A foreign format. tool: who writes it. expected: what tells it. exchanges: all that its documents hold."""

    tool: str
    expected: str
    recognises: Callable[[Any], bool]
    exchanges: Callable[[list[Any]], Iterator[Found]]


FORMATS = {
    "vcrpy": Format("VCR.py", vcrpy.EXPECTED, vcrpy.recognises, vcrpy.exchanges),
    "ruby-vcr": Format("Ruby VCR", ruby_vcr.EXPECTED, ruby_vcr.recognises, ruby_vcr.exchanges),
    "go-vcr": Format("go-vcr", go_vcr.EXPECTED, go_vcr.recognises, go_vcr.exchanges),
    "har": Format("Polly.js, browsers", har.EXPECTED, har.recognises, har.exchanges),
    "mitmproxy": Format("mitmproxy", mitmproxy.EXPECTED, mitmproxy.recognises, mitmproxy.exchanges),
    "datadog": Format("the Datadog test agent", datadog.EXPECTED, datadog.recognises, datadog.exchanges),
    "wiremock": Format("WireMock", wiremock.EXPECTED, wiremock.recognises, wiremock.exchanges),
    "aimock": Format("aimock", aimock.EXPECTED, aimock.recognises, aimock.exchanges),
    "mockserver": Format("MockServer", mockserver.EXPECTED, mockserver.recognises, mockserver.exchanges),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds, in order, and the name of the format that it is in."""

    format: str
    found: tuple[Found, ...]


def read(data: bytes, wanted: str | None = None) -> Reading:
    """What the file holds. wanted: the format that it must be in; None tells it. Raises ForeignInvalid."""
    try:
        content = opened(data)
    except ValueError as error:
        raise ForeignInvalid(f"expected {_wanted(wanted)}, found {error}") from None
    said = _format(content.documents)
    if said is None or wanted not in (None, said):
        raise ForeignInvalid(f"expected {_wanted(wanted)}, found {_told(content.documents, said)}")
    found = list(FORMATS[said].exchanges(content.documents))
    if content.damage:
        found.append(Skipped(len(found) + 1, content.damage))
    return Reading(said, tuple(found))


def _format(documents: list[Any]) -> str | None:
    """By the first document: a file is of one format."""
    return next((name for name, one in FORMATS.items() if documents and one.recognises(documents[0])), None)


def _wanted(wanted: str | None) -> str:
    if wanted is None:
        return f"a recording of another tool ({', '.join(FORMATS)})"
    return f"{wanted}: {FORMATS[wanted].expected}"


def _told(documents: list[Any], said: str | None) -> str:
    if said:
        return f"{said}: leave out --from, or name that"
    if not documents:
        return "an empty file"
    first = documents[0]
    if not isinstance(first, dict):
        return shown(first)
    if "bedtape" in first or "bedtape-overlay" in first:
        return "a file of bedtape's own, which needs no import"
    return f"an object of {', '.join(map(str, list(first)[:6])) or 'nothing'}"
