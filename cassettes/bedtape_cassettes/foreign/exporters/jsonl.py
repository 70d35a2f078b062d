"""A cassette as JSON Lines for scripts: a line an interaction, the keys of its file, streams as opened events. Pure."""

from __future__ import annotations

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.document import document_of
from bedtape_cassettes.model import Cassette, Interaction

__all__ = ["jsonl"]


def jsonl(cassette: Cassette, _region: str) -> bytes:
    """The file's bytes. No host is told, so none is needed."""
    return b"".join(_line(cassette.name, interaction) for interaction in cassette.interactions)


def _line(name: str, interaction: Interaction) -> bytes:
    return compact({"cassette": name, "file": interaction.file, **document_of(interaction)}) + b"\n"
