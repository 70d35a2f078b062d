"""Writes cassettes as files of other tools. `FORMATS` contains the formats by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bedtape_cassettes.foreign.exporters.har import render_har
from bedtape_cassettes.foreign.exporters.vcrpy import render_vcrpy
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.document import build_document
from bedtape_cassettes.model import Cassette, Interaction


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """suffix: of its files. export: makes a file's bytes of a cassette and the host's region."""

    suffix: str
    export: Callable[[Cassette, str], bytes]


def _jsonl(cassette: Cassette, _region: str) -> bytes:
    """Renders JSON Lines: an interaction a line, with its file's keys and decoded events."""
    return b"".join(_line(cassette.name, interaction) for interaction in cassette.interactions)


def _line(name: str, interaction: Interaction) -> bytes:
    return (
        compact({"cassette": name, "file": interaction.file, **build_document(interaction)}) + b"\n"
    )


FORMATS = {
    "vcrpy": ExportFormat(".yaml", render_vcrpy),
    "har": ExportFormat(".har", render_har),
    "jsonl": ExportFormat(".jsonl", _jsonl),
}
