"""The foreign formats by name, told apart by their content, and what a file of theirs holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign.exchange import Entry, Skipped, render_value
from bedtape_cassettes.foreign.file_reader import parse_file
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

__all__ = ["FORMATS", "ForeignInvalid", "ImportFormat", "Reading", "read"]


class ForeignInvalid(CassetteError):
    """A file that is not of the format it should be, or of none that is known."""


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """A foreign format. tool: who writes it. expected: what tells it. exchanges: all that its documents hold."""

    tool: str
    expected: str
    recognises: Callable[[Any], bool]
    exchanges: Callable[[list[Any]], Iterator[Entry]]


FORMATS = {
    "vcrpy": ImportFormat("VCR.py", vcrpy.EXPECTED, vcrpy.recognise, vcrpy.read_exchanges),
    "ruby-vcr": ImportFormat("Ruby VCR", ruby_vcr.EXPECTED, ruby_vcr.recognise, ruby_vcr.read_exchanges),
    "go-vcr": ImportFormat("go-vcr", go_vcr.EXPECTED, go_vcr.recognise, go_vcr.read_exchanges),
    "har": ImportFormat("Polly.js, browsers", har.EXPECTED, har.recognise, har.read_exchanges),
    "mitmproxy": ImportFormat("mitmproxy", mitmproxy.EXPECTED, mitmproxy.recognise, mitmproxy.read_exchanges),
    "datadog": ImportFormat("the Datadog test agent", datadog.EXPECTED, datadog.recognise, datadog.read_exchanges),
    "wiremock": ImportFormat("WireMock", wiremock.EXPECTED, wiremock.recognise, wiremock.read_exchanges),
    "aimock": ImportFormat("aimock", aimock.EXPECTED, aimock.recognise, aimock.read_exchanges),
    "mockserver": ImportFormat("MockServer", mockserver.EXPECTED, mockserver.recognise, mockserver.read_exchanges),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds, in order, and the name of the format that it is in."""

    format: str
    found: tuple[Entry, ...]


def read(data: bytes, wanted: str | None = None) -> Reading:
    """What the file holds. wanted: the format that it must be in; None tells it. Raises ForeignInvalid."""
    try:
        content = parse_file(data)
    except ValueError as error:
        raise ForeignInvalid(f"expected {_describe_expected(wanted)}, found {error}") from None
    said = _format(content.documents)
    if said is None or wanted not in (None, said):
        raise ForeignInvalid(
            f"expected {_describe_expected(wanted)}, found {_describe_content(content.documents, said)}"
        )
    found = list(FORMATS[said].exchanges(content.documents))
    if content.damage:
        found.append(Skipped(len(found) + 1, content.damage))
    return Reading(said, tuple(found))


def _format(documents: list[Any]) -> str | None:
    """By the first document: a file is of one format."""
    return next((name for name, one in FORMATS.items() if documents and one.recognises(documents[0])), None)


def _describe_expected(wanted: str | None) -> str:
    if wanted is None:
        return f"a recording of another tool ({', '.join(FORMATS)})"
    return f"{wanted}: {FORMATS[wanted].expected}"


def _describe_content(documents: list[Any], said: str | None) -> str:
    if said:
        return f"{said}: leave out --from, or name that"
    if not documents:
        return "an empty file"
    first = documents[0]
    if not isinstance(first, dict):
        return render_value(first)
    if "bedtape" in first or "bedtape-overlay" in first:
        return "a file of bedtape's own, which needs no import"
    return f"an object of {', '.join(map(str, list(first)[:6])) or 'nothing'}"
