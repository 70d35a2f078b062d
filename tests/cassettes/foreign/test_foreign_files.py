"""Real projects' recordings, one of every format: each imports whole, and what replays is
what the corpus has of it.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.foreign.import_file import import_file
from bedtape_cassettes.format.bodies import EVENT_STREAM, PADDING
from bedtape_cassettes.model import Body, Cassette, Events, Headers, Interaction
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_replayer import Replayer
from support import folders
from support.client import Answer, Http1
from support.corpus import Exchange, exchanges, needs_corpus, parts, sources
from support.foreign import FILES, needs_foreign

pytestmark = [pytest.mark.corpus, needs_corpus, needs_foreign]

# Of these the corpus names the file otherwise, so rows are found by what they ask.
_BY_REQUEST = {"govcr-fantasy": "fantasy", "polly-openllmetry-js": "openllmetry-js"}
_SYNTHETIC = "polly-openllmetry-js-4.har"  # written by hand: the corpus' readers leave it out


def _rows(file: Path) -> list[Exchange]:
    """The corpus' rows of the file, in its order."""
    for prefix, source in _BY_REQUEST.items():
        if file.name.startswith(prefix):
            return [
                row for name in sources() if name.split(".")[0] == source for row in exchanges(name)
            ]
    rows = [row for name in sources() if ".history" not in name for row in exchanges(name)]
    return [row for row in rows if file.name.endswith("-" + row.file.rpartition("/")[2])]


def _is_unnamed(file: Path) -> bool:
    return file.name.startswith(tuple(_BY_REQUEST))


def _understood(body: bytes, stream: bool) -> object:
    """A body as a client reads it: by botocore's own decoder, or as JSON; less
    padding, which is drawn anew.
    """
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
    imported = import_file(file.read_bytes())
    assert file.name.startswith(
        imported.format.replace("-", "").replace("har", "polly").replace("datadog", "ddagent")
    )
    assert imported.interactions
    assert not imported.skipped
    assert not imported.rules
    assert all(
        isinstance(interaction.response.body, Events)
        for interaction in imported.interactions
        if ("content-type", EVENT_STREAM) in interaction.response.headers
    )
    rows = _rows(file)
    if _is_unnamed(file):
        sent = [
            (i.request.method, i.request.path, json.loads(i.request.body.data))
            for i in imported.interactions
        ]
        rows = [row for row in rows if _asked(row) in sent]
    else:
        assert len(rows) == len(imported.interactions)
    folders.write(tmp_path, Cassette("imported", imported.interactions))
    with Replayer(tmp_path) as replayer, Http1(replayer.url) as client:
        answers = [
            (row, client.request(row.method, row.path, row.request_headers, row.request_body))
            for row in rows
        ]
    same = [_same(row, answer) for row, answer in answers]
    # one request may have been recorded again and again, and answered otherwise
    if file.name != _SYNTHETIC:
        assert any(same) if _is_unnamed(file) else all(same)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_what_is_said_to_be_exact_is_exact(file: Path) -> None:
    """The marks on re-encoded and edited bodies against the corpus' own judgement, which was made
    from lengths and hashes.
    """
    imported = import_file(file.read_bytes())
    rows = _rows(file)
    if _is_unnamed(file):
        assert [doubt for _, doubt in imported.doubts] == ["rewritten"] * (file.name == _SYNTHETIC)
        return
    doubted = {place for place, _ in imported.doubts}
    for place, row in enumerate(rows, 1):
        assert (row.fidelity == "reencoded") == (place in doubted), row


# -- every exchange of the corpus, in two formats --------------------------------------------------


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _named(pairs: Headers) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _vcrpy(row: Exchange, url: str) -> bytes:
    """As VCR.py does: by PyYAML, binary bodies tagged."""
    request = {
        "method": row.method,
        "uri": url,
        "headers": _named(row.request_headers),
        "body": _text(row.request_body),
    }
    status = {"code": row.status, "message": ""}
    body = {"string": _text(row.response_body)}
    response = {"status": status, "headers": _named(row.response_headers), "body": body}
    document = {"interactions": [{"request": request, "response": response}], "version": 1}
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, encoding="utf-8")


def _har(row: Exchange, url: str) -> bytes:
    def held(data: bytes) -> dict[str, str]:
        return {"text": b64encode(data).decode(), "encoding": "base64"}

    def listed(pairs: Headers) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in pairs]

    request = {
        "method": row.method,
        "url": url,
        "headers": listed(row.request_headers),
        "postData": held(row.request_body),
    }
    content = held(row.response_body)
    response = {"status": row.status, "headers": listed(row.response_headers), "content": content}
    return json.dumps({"log": {"entries": [{"request": request, "response": response}]}}).encode()


def _json(interaction: Interaction) -> object:
    body = interaction.response.body
    return json.loads(body.data) if isinstance(body, Body) else None


@pytest.mark.parametrize("write", [_vcrpy, _har], ids=["vcrpy", "har"])
@pytest.mark.parametrize("source", parts())
def test_every_exchange_is_imported_as_it_would_be_recorded(
    source: str, write: Callable[[Exchange, str], bytes]
) -> None:
    """To the byte; but for JSON that others spaced out, where it is the same JSON,
    and said to be rewritten.
    """
    for row in exchanges(source):
        imported = import_file(
            write(row, f"https://bedrock-runtime.us-east-1.amazonaws.com{row.path}")
        )
        (interaction,) = imported.interactions
        recorded = row.interaction()
        if imported.doubts == ((1, "rewritten"),):
            assert _json(interaction) == _json(recorded), row
            assert row.authenticity == "edited" or row.source.startswith("opentelemetry-java"), row
        else:
            assert interaction == recorded, row
