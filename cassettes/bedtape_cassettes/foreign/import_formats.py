"""The formats of import, by name, and the detection of a file's format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign.exchange import Entry, SkippedEntry, render_value
from bedtape_cassettes.foreign.file_reader import parse_file
from bedtape_cassettes.foreign.importers import (
    aimock,
    har,
    jsonl,
    mitmproxy,
    mockserver,
    nock,
    smithy,
    vcr,
    wiremock,
)


class ForeignInvalid(CassetteError):
    """A file that is not of the expected format, or of an unknown format."""


FORMATS = {
    "vcrpy": vcr.VCRPY,
    "ruby-vcr": vcr.RUBY_VCR,
    "go-vcr": vcr.GO_VCR,
    "har": har.HAR,
    "mitmproxy": mitmproxy.MITMPROXY,
    "datadog": vcr.DATADOG,
    "wiremock": wiremock.WIREMOCK,
    "aimock": aimock.AIMOCK,
    "mockserver": mockserver.MOCKSERVER,
    "nock": nock.NOCK,
    "smithy": smithy.SMITHY,
    "jsonl": jsonl.JSONL,
}


@dataclass(frozen=True, slots=True)
class FileEntries:
    """The entries of a file, in order, and the name of its format."""

    format: str
    entries: tuple[Entry, ...]


def read(data: bytes, wanted: str | None = None) -> FileEntries:
    """Reads a file. wanted: the format; `None` detects the format. Raises ForeignInvalid."""
    try:
        content = parse_file(data)
    except ValueError as error:
        raise ForeignInvalid(f"expected {_describe_expected(wanted)}, found {error}") from None
    detected = _format(content.documents)
    if detected is None or wanted not in (None, detected):
        raise ForeignInvalid(
            f"expected {_describe_expected(wanted)}, found"
            f" {_describe_content(content.documents, detected)}"
        )
    entries = list(FORMATS[detected].exchanges(content.documents))
    if content.damage:
        entries.append(SkippedEntry(len(entries) + 1, content.damage))
    return FileEntries(detected, tuple(entries))


def _format(documents: list[Any]) -> str | None:
    """Detects the format by the first document, because a file has one format."""
    return next(
        (name for name, one in FORMATS.items() if documents and one.recognises(documents[0])), None
    )


def _describe_expected(wanted: str | None) -> str:
    if wanted is None:
        return f"a recording of another tool ({', '.join(FORMATS)})"
    return f"{wanted}: {FORMATS[wanted].expected}"


def _describe_content(documents: list[Any], detected: str | None) -> str:
    if detected:
        return f"{detected}: omit --from, or set it to that"
    if not documents:
        return "an empty file"
    first = documents[0]
    if not isinstance(first, dict):
        return render_value(first)
    if first.keys() == {"status", "headers", "body_b64"}:
        fix = (
            "run your program with `bedtape record --upstream URL`, where URL is that of"
            " `microburst --replay FOLDER`"
        )
        return f"a recording of microburst, which holds a digest in place of the request; {fix}"
    if "bedtape" in first or "bedtape-overlay" in first:
        return "a file of bedtape's own, which needs no import"
    return (
        f"an object with the keys {', '.join(map(str, list(first)[:6]))}"
        if first
        else "an empty object"
    )
