"""The formats that cassettes can be exported to, by name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bedtape_cassettes.foreign.exporters.har import har
from bedtape_cassettes.foreign.exporters.jsonl import jsonl
from bedtape_cassettes.foreign.exporters.vcrpy import vcrpy
from bedtape_cassettes.model import Cassette

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True, slots=True)
class Format:
    """suffix: of its files. export: (cassette, region of the host) to the file's bytes."""

    suffix: str
    export: Callable[[Cassette, str], bytes]


FORMATS = {"vcrpy": Format(".yaml", vcrpy), "har": Format(".har", har), "jsonl": Format(".jsonl", jsonl)}
