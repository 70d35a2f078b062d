"""Reads the shared corpus of real exchanges, which is not in this repository."""

import gzip
import json
import os
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from _pytest.mark import ParameterSet

from bedtape_cassettes.families.reading import parse_object
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Cassette, Headers, Interaction

ROOT = Path(
    os.environ.get("BEDTAPE_CORPUS") or Path(__file__).parents[2].parent / "shared" / "corpus"
)

needs_corpus = pytest.mark.skipif(
    not ROOT.is_dir(),
    reason=(
        f"the corpus of real exchanges is not at {ROOT}; put it there, or name its folder in"
        " BEDTAPE_CORPUS"
    ),
)


@dataclass(frozen=True)
class Exchange:
    """One recorded exchange of the corpus, whose README describes the fields."""

    source: str  # the corpus file, less its endings: `ruby_llm.history`
    file: str  # the recorder's own file
    index: int
    operation: str
    model: str
    authenticity: str
    fidelity: str
    method: str
    path: str
    request_headers: Headers
    request_body: bytes
    status: int
    response_headers: Headers
    response_body: bytes
    stream: bool

    def __str__(self) -> str:
        return f"{self.source} {self.file} #{self.index} {self.operation}"

    def interaction(self, *, exact: bool = False) -> Interaction:
        """The exchange as bedtape records it."""
        return build_interaction(
            method=self.method,
            path=self.path,
            request_headers=self.request_headers,
            request_body=self.request_body,
            status=self.status,
            response_headers=self.response_headers,
            response_body=self.response_body,
            exact=exact,
        )

    @property
    def cassette(self) -> str:
        """The name of the cassette: one for each recorder's file, because files answer the
        same request differently.
        """
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.file).strip("-")
        return f"{self.source}/{name[-120:].strip('-')}"


def _exchange(source: str, row: dict[str, object]) -> Exchange:
    url, body = urlsplit(str(row["url"])), b64decode(str(row["request_body_b64"] or ""))
    return Exchange(
        source=source,
        file=str(row["source_file"]),
        index=int(str(row["index"])),
        operation=str(row["operation"]).removeprefix("Mantle"),
        model=str(row["model_id"] or parse_object(body).get("model")),
        authenticity=str(row["authenticity"]),
        fidelity=str(row["body_fidelity"]),
        method=str(row["method"]),
        path=url.path + (f"?{url.query}" if url.query else ""),
        request_headers=tuple((name, value) for name, value in row["request_headers"]),  # type: ignore[attr-defined]
        request_body=body,
        status=int(str(row["status"])),
        response_headers=tuple((name, value) for name, value in row["response_headers"]),  # type: ignore[attr-defined]
        response_body=b64decode(str(row["response_body_b64"] or "")),
        stream=bool(row["stream"]),
    )


def sources() -> list[str]:
    """Returns the names of the corpus files without endings; an empty list without a corpus."""
    return sorted(path.name.removesuffix(".jsonl.gz") for path in ROOT.glob("*.jsonl.gz"))


def parts() -> list[ParameterSet]:
    """Returns the corpus files as parameters of a test.

    Large files, nine tenths of the corpus, are marked `slow`.
    """
    large = [name for name in sources() if (ROOT / f"{name}.jsonl.gz").stat().st_size > 40_000]
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in large)) for name in sources()]


@lru_cache(maxsize=4)
def exchanges(source: str) -> tuple[Exchange, ...]:
    """Every exchange of a corpus file that is not synthetic."""
    with gzip.open(ROOT / f"{source}.jsonl.gz", "rt") as lines:
        rows = [_exchange(source, json.loads(line)) for line in lines]
    return tuple(row for row in rows if row.authenticity != "synthetic")


def every() -> Iterator[Exchange]:
    """Every exchange of the corpus that is not synthetic."""
    for source in sources():
        yield from exchanges(source)


def cassettes(rows: tuple[Exchange, ...], *, exact: bool = False) -> list[Cassette]:
    """The exchanges as cassettes, in recorded order."""
    by_name: dict[str, list[Interaction]] = defaultdict(list)
    for row in rows:
        by_name[row.cassette].append(row.interaction(exact=exact))
    return [Cassette(name, tuple(interactions)) for name, interactions in by_name.items()]
