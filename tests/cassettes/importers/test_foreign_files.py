"""Real projects' recordings, one of every format: each imports whole, and what replays is what the corpus has of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes import store
from bedtape_cassettes.bodies import EVENT_STREAM, PADDING
from bedtape_cassettes.importers.imported import imported
from bedtape_cassettes.model import Cassette, Events
from bedtape_cassettes.redact import scrub
from bedtape_replayer import Replayer
from support.client import Answer, Http1
from support.corpus import Exchange, exchanges, needs_corpus, sources
from support.foreign import FILES, needs_foreign

pytestmark = [pytest.mark.corpus, needs_corpus, needs_foreign]

# Of these the corpus names the file otherwise, so rows are found by what they ask.
_BY_REQUEST = {"govcr-fantasy": "fantasy", "polly-openllmetry-js": "openllmetry-js"}
_SYNTHETIC = "polly-openllmetry-js-4.har"  # written by hand: the corpus' readers leave it out


def _rows(file: Path) -> list[Exchange]:
    """The corpus' rows of the file, in its order."""
    for prefix, source in _BY_REQUEST.items():
        if file.name.startswith(prefix):
            return [row for name in sources() if name.split(".")[0] == source for row in exchanges(name)]
    rows = [row for name in sources() if ".history" not in name for row in exchanges(name)]
    return [row for row in rows if file.name.endswith("-" + row.file.rpartition("/")[2])]


def _is_unnamed(file: Path) -> bool:
    return file.name.startswith(tuple(_BY_REQUEST))


def _understood(body: bytes, stream: bool) -> object:
    """A body as a client reads it: by botocore's own decoder, or as JSON; less padding, which is drawn anew."""
    if not stream:
        return json.loads(scrub(body))
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    events = [(dict(event.headers), json.loads(scrub(event.payload))) for event in buffer]
    for _, payload in events:
        if PADDING.startswith(str(payload.get("p", "-"))):
            payload.pop("p")
    return events


def _asked(row: Exchange) -> tuple[str, str, object]:
    return row.method, row.path, json.loads(row.request_body)


def _same(row: Exchange, answer: Answer) -> bool:
    if answer.status != row.status:
        return False
    return _understood(answer.body, row.stream) == _understood(row.response_body, row.stream)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_what_replays_is_what_the_corpus_has(file: Path, tmp_path: Path) -> None:
    found = imported(file.read_bytes())
    assert file.name.startswith(found.format.replace("-", "").replace("har", "polly").replace("datadog", "ddagent"))
    assert found.interactions
    assert not found.skipped
    assert not found.rules
    assert all(
        isinstance(interaction.response.body, Events)
        for interaction in found.interactions
        if ("content-type", EVENT_STREAM) in interaction.response.headers
    )
    rows = _rows(file)
    if _is_unnamed(file):
        sent = [(i.request.method, i.request.path, json.loads(i.request.body.data)) for i in found.interactions]
        rows = [row for row in rows if _asked(row) in sent]
    else:
        assert len(rows) == len(found.interactions)
    store.write(tmp_path, Cassette("imported", found.interactions))
    with Replayer(tmp_path) as replayer, Http1(replayer.url) as client:
        answers = [(row, client.request(row.method, row.path, row.request_headers, row.request_body)) for row in rows]
    same = [_same(row, answer) for row, answer in answers]
    if file.name != _SYNTHETIC:  # one request may have been recorded again and again, and answered otherwise
        assert any(same) if _is_unnamed(file) else all(same)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_what_is_said_to_be_exact_is_exact(file: Path) -> None:
    """The marks on re-encoded and edited bodies against the corpus' own judgement, which was made from lengths and hashes."""
    found = imported(file.read_bytes())
    rows = _rows(file)
    if _is_unnamed(file):
        assert [doubt for _, doubt in found.doubts] == ["rewritten"] * (file.name == _SYNTHETIC)
        return
    doubted = {place for place, _ in found.doubts}
    for place, row in enumerate(rows, 1):
        assert (row.fidelity == "reencoded") == (place in doubted), row
