"""Foreign recordings: one exchange told in every format is one interaction; what is not sound is
named, and nothing guessed.
"""

import base64
import gzip
import json
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.foreign import exporters
from bedtape_cassettes.foreign.exchange import Unusable, path_of
from bedtape_cassettes.foreign.file_reader import inflate
from bedtape_cassettes.foreign.import_file import import_file
from bedtape_cassettes.foreign.import_formats import FORMATS, ForeignInvalid, read
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, event_headers
from bedtape_cassettes.redaction.scrub import read_patterns
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.assign import read_answer_text
from support.examples import examples

ROOT = Path(__file__).parents[3]
RECORDERS = sorted(ROOT.glob(".venv-record*/bin/python"))

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
PATH = "/model/amazon.nova-lite-v1%3A0/converse"
STREAMING = "/model/amazon.nova-lite-v1%3A0/converse-stream"
ASKED = b'{"messages":[{"role":"user","content":[{"text":"caf\xc3\xa9?"}]}]}'
SAID = b'{"output":{"message":{"content":[{"text":"Ol\xc3\xa1"}],"role":"assistant"}},"stopReason":"end_turn"}'
STREAM = b"".join(
    eventstream.encode_strings(event_headers(name), bodies.compact({**value, "p": "abcd"}))
    for name, value in (
        ("messageStart", {}),
        ("contentBlockDelta", {"delta": {"text": "é"}}),
        ("messageStop", {}),
    )
)
JSON, EVENTS = "application/json", "application/vnd.amazon.eventstream"
BODIES = [
    pytest.param(PATH, SAID, JSON, id="json"),
    pytest.param(STREAMING, STREAM, EVENTS, id="stream"),
]


def expected(path: str, body: bytes, kind: str) -> Interaction:
    return build_interaction(
        method="POST",
        path=path,
        request_headers=(("Content-Type", JSON),),
        request_body=ASKED,
        status=200,
        response_headers=(("Content-Type", kind),),
        response_body=body,
    )


def vcrpy(path: str, said: Any, kind: str, **more: Any) -> dict[str, Any]:
    request = {
        "method": "POST",
        "uri": HOST + path,
        "headers": {"Content-Type": [JSON]},
        "body": ASKED.decode(),
    }
    headers = {"Content-Type": [kind], "Set-Cookie": "a=b"}
    return {
        "interactions": [
            {
                "request": request,
                "response": (
                    {
                        "status": {"code": 200, "message": "OK"},
                        "headers": headers,
                        "body": {"string": said},
                    }
                    | more
                ),
            }
        ],
        "version": 1,
    }


def _vcrpy(path: str, body: bytes, kind: str) -> bytes:
    return yaml.safe_dump(vcrpy(path, body if kind == EVENTS else body.decode(), kind)).encode()


def _vcrpy_json(path: str, body: bytes, kind: str) -> bytes:
    held = vcrpy(path, None, kind, body={"base64_string": base64.encodebytes(body).decode()})
    return json.dumps(held, indent=1).encode()


def _side_by_side(path: str, body: bytes, kind: str) -> bytes:
    (entry,) = vcrpy(path, body, kind)["interactions"]
    return gzip.compress(
        yaml.safe_dump({"requests": [entry["request"]], "responses": [entry["response"]]}).encode()
    )


def _ruby(path: str, body: bytes, kind: str) -> bytes:
    """As Psych writes it: its tag for binary has one exclamation mark."""
    binary = base64.encodebytes(body).decode().replace("\n", "\n        ").rstrip()
    string = f"!binary |-\n        {binary}" if kind == EVENTS else json.dumps(body.decode())
    return f"""---
http_interactions:
- request:
    method: post
    uri: {HOST.replace("us-east-1", "<AWS_REGION>")}{path}
    body:
      encoding: UTF-8
      string: {json.dumps(ASKED.decode())}
    headers:
      Content-Type:
      - {JSON}
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - {kind}
    body:
      encoding: ASCII-8BIT
      string: {string}
  recorded_at: Wed, 19 Aug 2026 14:34:38 GMT
recorded_with: VCR 6.4.0
""".encode()


def _r(path: str, body: bytes, kind: str) -> bytes:
    """As R's vcr package writes it: the status is a number, headers may be
    missing, binary is in base64.
    """
    held = (
        {"base64_string": base64.encodebytes(body).decode()}
        if kind == EVENTS
        else {"string": body.decode()}
    )
    request = {
        "method": "POST",
        "uri": HOST + path,
        "headers": {"content-type": JSON},
        "body": {"string": ASKED.decode()},
    }
    response = {"status": 200, "headers": {"content-type": kind}, "body": held}
    return yaml.safe_dump(
        {"http_interactions": [{"request": request, "response": response}]}
    ).encode()


def _go(path: str, body: bytes, kind: str) -> bytes:
    request = {
        "method": "POST",
        "url": HOST + path,
        "headers": {"Content-Type": [JSON]},
        "body": ASKED.decode(),
    }
    held = body if kind == EVENTS else body.decode()
    response = {
        "code": 200,
        "status": "200 OK",
        "headers": {"Content-Type": [kind]},
        "body": held,
        "duration": "1.7s",
    }
    return yaml.safe_dump(
        {"version": 2, "interactions": [{"id": 0, "request": request, "response": response}]}
    ).encode()


def har(
    path: str, content: dict[str, Any], kind: str, *, host: str = HOST, status: int = 200
) -> dict[str, Any]:
    headers = [{"name": ":method", "value": "POST"}, {"name": "content-type", "value": JSON}]
    request = {
        "method": "POST",
        "url": host + path,
        "headers": headers,
        "postData": {"mimeType": JSON, "text": ASKED.decode()},
    }
    response = {
        "status": status,
        "headers": [{"name": "Content-Type", "value": kind}],
        "content": content,
    }
    return {
        "log": {
            "version": "1.2",
            "entries": [{"request": request, "response": response, "time": 3}],
        }
    }


def _har(path: str, body: bytes, kind: str) -> bytes:
    held = (
        {"text": base64.b64encode(body).decode(), "encoding": "base64"}
        if kind == EVENTS
        else {"text": body.decode()}
    )
    return b"\xef\xbb\xbf" + json.dumps(har(path, {"size": len(body), **held}, kind)).encode()


def _polly_chunks(path: str, body: bytes, kind: str) -> bytes:
    chunks = json.dumps([base64.b64encode(part).decode() for part in (body[:20], body[20:])])
    return json.dumps(har(path, {"text": chunks, "encoding": "base64"}, kind)).encode()


def _old_polly(path: str, body: bytes, kind: str) -> bytes:
    return json.dumps(
        har(path, {"text": json.dumps([body[:9].hex(), body[9:].hex()]), "_isBinary": True}, kind)
    ).encode()


def _datadog(path: str, body: bytes, kind: str) -> bytes:
    held = "base64:" + base64.b64encode(body).decode() if kind == EVENTS else body.decode()
    request = {
        "method": "POST",
        "url": HOST + path,
        "headers": {"Content-Type": JSON},
        "body": ASKED.decode(),
    }
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": kind},
        "body": held,
    }
    return json.dumps({"request": request, "response": response}).encode()


def wiremock(path: str, body: bytes, kind: str) -> dict[str, Any]:
    held = (
        {"base64Body": base64.b64encode(body).decode()}
        if kind == EVENTS
        else {"body": body.decode()}
    )
    pattern = {"equalToJson": ASKED.decode(), "ignoreArrayOrder": True, "ignoreExtraElements": True}
    request = {
        "url": path,
        "method": "POST",
        "headers": {"Content-Type": {"equalTo": JSON}},
        "bodyPatterns": [pattern],
    }
    return {
        "id": "e2d3",
        "request": request,
        "response": {"status": 200, "headers": {"Content-Type": kind}, **held},
        "persistent": True,
    }


def _wiremock(path: str, body: bytes, kind: str) -> bytes:
    return json.dumps({"mappings": [wiremock(path, body, kind)]}).encode()


def _wiremock_yaml(path: str, body: bytes, kind: str) -> bytes:
    return yaml.safe_dump_all([wiremock(path, body, kind)], explicit_start=True).encode()


def _nock(path: str, body: bytes, kind: str) -> bytes:
    entry = {
        "scope": HOST + ":443",
        "method": "POST",
        "path": path,
        "body": json.loads(ASKED),
        "status": 200,
    }
    answer = {
        "response": body.hex(),
        "responseIsBinary": True,
        "rawHeaders": ["Content-Type", kind, "Date", "x"],
    }
    return json.dumps([entry | answer | {"reqheaders": {"content-type": JSON}}], indent=2).encode()


def _nock_chunks(path: str, body: bytes, kind: str) -> bytes:
    """As nock writes compressed answers."""
    packed = gzip.compress(body, mtime=0)
    entry = {"scope": HOST, "method": "POST", "path": path, "body": ASKED.decode(), "status": 200}
    headers = {"content-type": kind, "content-encoding": "gzip"}
    answer = {"response": [packed[:9].hex(), packed[9:].hex()], "headers": headers}
    return json.dumps([entry | answer | {"reqheaders": {"content-type": [JSON]}}]).encode()


def _smithy(path: str, body: bytes, kind: str) -> bytes:
    held = (
        {"Base64": base64.b64encode(body).decode()} if kind == EVENTS else {"Utf8": body.decode()}
    )
    request = {"uri": HOST + path, "headers": {"content-type": [JSON]}, "method": "POST"}
    answer = {"status": 200, "version": "HTTP/1.1", "headers": {"content-type": [kind]}}
    actions = [
        {"Request": {"request": request}},
        {"Data": {"data": {"Utf8": ASKED[:20].decode()}, "direction": "Request"}},
        {"Data": {"data": {"Utf8": ASKED[20:].decode()}, "direction": "Request"}},
        {"Eof": {"ok": True, "direction": "Request"}},
        {"Response": {"response": {"Ok": answer}}},
        {"Data": {"data": held, "direction": "Response"}},
        {"Eof": {"ok": True, "direction": "Response"}},
    ]
    events = [{"connection_id": 0, "action": action} for action in actions]
    return json.dumps({"events": events, "docs": "a test", "version": "V0"}).encode()


def _jsonl(path: str, body: bytes, kind: str) -> bytes:
    return exporters.FORMATS["jsonl"].export(
        Cassette("a", (expected(path, body, kind),)), "us-east-1"
    )


WRITERS = {
    "vcrpy": (_vcrpy, _vcrpy_json, _side_by_side),
    "ruby-vcr": (_ruby, _r),
    "go-vcr": (_go,),
    "har": (_har, _polly_chunks, _old_polly),
    "datadog": (_datadog,),
    "wiremock": (_wiremock, _wiremock_yaml),
    "nock": (_nock, _nock_chunks),
    "smithy": (_smithy,),
    "jsonl": (_jsonl,),
}
EVERY = [
    pytest.param(name, write, id=write.__name__)
    for name, writers in WRITERS.items()
    for write in writers
]


@pytest.mark.parametrize(("path", "body", "kind"), BODIES)
@pytest.mark.parametrize(("name", "write"), EVERY)
def test_an_exchange_is_the_same_in_every_format(
    name: str, write: Any, path: str, body: bytes, kind: str
) -> None:
    imported = import_file(write(path, body, kind))
    assert imported.format == name
    assert imported.interactions == (expected(path, body, kind),)
    assert isinstance(imported.interactions[0].response.body, Events) == (kind == EVENTS)
    assert not imported.skipped
    assert not imported.doubts
    assert import_file(write(path, body, kind), name) == imported


def test_a_file_that_nock_wrote() -> None:
    """`nock.recorder` beside the AWS SDK for JavaScript: an answer, a stream,
    an error, and InvokeModel.
    """
    imported = import_file((Path(__file__).parent / "recorded" / "nock-13.json").read_bytes())
    assert (imported.format, imported.skipped) == ("nock", ())
    operations = ["Converse", "ConverseStream", "Converse", "InvokeModel"]
    assert [interaction.operation for interaction in imported.interactions] == operations
    assert [interaction.response.status for interaction in imported.interactions] == [
        200,
        200,
        429,
        200,
    ]
    texts = [read_answer_text(interaction) for interaction in imported.interactions]
    assert texts[:2] == ["Héllo from nock, at last."] * 2
    assert texts[3] == "hi from Claude"
    assert [place for place, _ in imported.doubts] == [1, 3, 4], "nock parses JSON"


def test_a_file_that_nock_15_wrote() -> None:
    """nock 15 writes headers as an object: a Converse call, a stream, and an InvokeModel call."""
    data = (Path(__file__).parent / "recorded" / "nock-15.json").read_bytes()
    imported = import_file(data)
    assert (imported.format, imported.skipped) == ("nock", ())
    operations = ["Converse", "ConverseStream", "InvokeModel"]
    assert [interaction.operation for interaction in imported.interactions] == operations
    texts = [read_answer_text(interaction) for interaction in imported.interactions]
    assert texts == ["Héllo from nock, at last."] * 3


def test_a_file_that_the_recording_client_of_smithy_wrote() -> None:
    """`RecordingClient` of aws-smithy-http-client: an answer and a stream."""
    data = (Path(__file__).parent / "recorded" / "smithy-1.5.json").read_bytes()
    imported = import_file(data)
    assert (imported.format, imported.skipped, imported.doubts) == ("smithy", (), ())
    assert [each.operation for each in imported.interactions] == ["Converse", "ConverseStream"]
    texts = [read_answer_text(interaction) for interaction in imported.interactions]
    assert texts == ["Héllo from smithy.", "Héllo from smithy, in pieces."]
    asked = [json.loads(each.request.body.data) for each in imported.interactions]
    assert asked == [
        {"messages": [{"role": "user", "content": [{"text": text}]}]}
        for text in ("hello", "hello again")
    ]
    assert isinstance(imported.interactions[1].response.body, Events)
    assert len(imported.interactions[1].response.body.events) == 7


def test_what_was_exported_as_jsonl_comes_back(tmp_path: Path) -> None:
    samples = store.read([store.samples()])
    for cassette in samples:
        lines = exporters.FORMATS["jsonl"].export(cassette, "us-east-1")
        assert import_file(lines).interactions == cassette.interactions
        if len(cassette.interactions) > 1:
            cut = import_file(lines[:-3])
            assert cut.interactions == cassette.interactions[:-1]
            assert cut.is_damaged


def test_a_wrong_line_of_jsonl_is_named_and_the_others_imported() -> None:
    line = _jsonl(PATH, SAID, JSON)
    imported = import_file(line + line.replace(b'"status":200', b'"status":20') + b"1\n" + line)
    assert len(imported.interactions) == 2
    assert [skipped.number for skipped in imported.skipped] == [2, 3]
    assert "a whole number from 200 to 599" in imported.skipped[0].reason


def test_a_connection_that_failed_is_skipped() -> None:
    document = json.loads(_smithy(PATH, SAID, JSON))
    document["events"][4]["action"] = {"Response": {"response": {"Err": "timed out"}}}
    (skipped,) = import_file(json.dumps(document).encode()).skipped
    assert "the connection failed" in skipped.reason


_FLOW = """
import sys
from mitmproxy import http, io
from mitmproxy.test import tflow, tutils
path, body, kind, asked, to = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4]), sys.argv[5]
host = "bedrock-runtime.us-east-1.amazonaws.com"
headers = http.Headers(content_type="application/json")
request = tutils.treq(host=host, port=443, scheme=b"https", method=b"POST", path=path.encode(), content=asked, headers=headers)
request.timestamp_end = 100.0
response = tutils.tresp(status_code=200, content=body, headers=http.Headers(content_type=kind), timestamp_start=100.25)
other = tflow.tflow(resp=True)
dead = tflow.tflow(req=request.copy(), err=True)
past = tflow.tflow(req=request.copy(), resp=tutils.tresp(content=None))
with open(to, "wb") as out:
    writer = io.FlowWriter(out)
    for flow in (tflow.tflow(req=request, resp=response), other, tflow.ttcpflow(), dead, past):
        writer.add(flow)
"""


@pytest.mark.skipif(
    not RECORDERS,
    reason="no recorder is installed: `make test` makes .venv-record, with mitmproxy in it",
)
@pytest.mark.parametrize("python", RECORDERS, ids=lambda path: path.parts[-3])
@pytest.mark.parametrize(("path", "body", "kind"), BODIES)
def test_flows_that_mitmproxy_wrote(
    python: Path, path: str, body: bytes, kind: str, tmp_path: Path
) -> None:
    """Written by mitmproxy itself, of the versions that recorders have."""
    file = tmp_path / "flows"
    subprocess.run([python, "-c", _FLOW, path, body.hex(), kind, ASKED.hex(), file], check=True)
    imported = import_file(file.read_bytes())
    assert imported.format == "mitmproxy"
    (interaction,) = imported.interactions
    assert interaction.response.after_ms == 250
    assert interaction.response.body == expected(path, body, kind).response.body
    assert interaction.request == expected(path, body, kind).request
    reasons = [(skipped.number, skipped.damaged) for skipped in imported.skipped]
    assert reasons == [(2, False), (3, False), (4, True), (5, True)]
    assert "store_streamed_bodies" in imported.skipped[-1].reason
    cut = import_file(file.read_bytes()[:-10])
    assert cut.interactions == imported.interactions
    assert "damaged" in cut.skipped[-1].reason


# -- telling formats apart -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "an empty file"),
        (b"{", "JSON that cannot be read"),
        (b"[" * 100_000, "JSON that is nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "JSON that is nested too deeply"),
        (b"a: [", "YAML that cannot be read at line 2"),
        (b"- " * 100_000, "levels deep"),
        (b"just words", "'just words'"),
        (b'{"openapi": "3.1"}', "an object with the keys openapi"),
        (b"bedtape: 1\nrequest: {}", "bedtape's own"),
        (
            b'{"status": 200, "headers": {}, "body_b64": "e30="}',
            "a recording of microburst, which holds a digest",
        ),
        (b"\x89PNG\r\n\x1a\n", "the byte 0x89"),
        (b"\x1f\x8b\x08junk", "expected gzip"),
        (gzip.compress(b"interactions: []", mtime=0)[:-6], "end missing"),
    ],
)
def test_what_is_no_recording_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ForeignInvalid, match="expected a recording of another tool") as error:
        read(data)
    assert told in str(error.value)


def test_a_wrong_format_is_refused_with_the_right_one() -> None:
    with pytest.raises(ForeignInvalid, match=r"expected har: `log.entries`, found vcrpy"):
        read(_vcrpy(PATH, SAID, JSON), "har")


def test_every_format_says_what_it_expects() -> None:
    assert all(one.tool and one.expected for one in FORMATS.values())


def test_gzip_is_bounded() -> None:
    assert (
        inflate(gzip.compress(b"a" * 1000, mtime=0) + gzip.compress(b"b"), 1001)
        == b"a" * 1000 + b"b"
    )
    for bomb in (gzip.compress(b"a" * 1002, mtime=0), zlib.compress(b"a" * 10_000)):
        with pytest.raises(ValueError, match="found more"):
            inflate(bomb, 1001)


# -- what is left out, and why ---------------------------------------------------------------------


def _mixed(*entries: Any) -> bytes:
    return json.dumps({"interactions": [*entries], "version": 1}).encode()


def test_what_is_damaged_is_named_and_the_rest_imported() -> None:
    (good,) = vcrpy(PATH, SAID.decode(), JSON)["interactions"]
    elsewhere = {
        **good,
        "request": {**good["request"], "uri": "https://api.openai.com/v1/chat/completions?key=1"},
    }
    (cut,) = vcrpy(
        STREAMING, None, EVENTS, body={"base64_string": base64.b64encode(STREAM[:-9]).decode()}
    )["interactions"]
    (flipped,) = vcrpy(STREAMING, None, EVENTS)["interactions"]
    flipped["response"]["body"] = {
        "base64_string": base64.b64encode(STREAM[:99] + b"?" + STREAM[100:]).decode()
    }
    imported = import_file(_mixed(good, {"request": {"uri": 1}}, elsewhere, cut, good, flipped))
    assert imported.interactions == (expected(PATH, SAID, JSON),) * 2
    assert [(skipped.number, skipped.damaged) for skipped in imported.skipped] == [
        (2, True),
        (3, False),
        (4, True),
        (6, True),
    ]
    assert imported.is_damaged
    told = "\n".join(imported.remarks())
    assert imported.hosts == {"api.openai.com": 1}
    assert "entry 3" not in told
    assert "expected a whole event stream" in imported.skipped[2].reason
    assert not import_file(_mixed(good, elsewhere)).is_damaged


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        (f"{HOST}{PATH}", True),
        ("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/anything", True),
        ("https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions", True),
        ("http://localhost:4566/model/m/invoke", True),
        ("/model/m/invoke", True),
        ("https://api.openai.com/v1/chat/completions", False),
        ("https://api.anthropic.com/v1/messages", False),
        ("https://api.cohere.com/v1/rerank", False),
        ("https://example.com/model/m/elsewhere", False),
        ("https://notbedrock.example.com/", False),
        ("/v1/chat/completions", False),
    ],
)
def test_only_what_is_certain_is_bedrocks(url: str, ours: bool) -> None:
    (entry,) = vcrpy(PATH, SAID.decode(), JSON)["interactions"]
    imported = import_file(_mixed({**entry, "request": {**entry["request"], "uri": url}}))
    assert len(imported.interactions) == ours
    assert [skipped.damaged for skipped in imported.skipped] == [False] * (not ours)


@pytest.mark.parametrize(
    ("content", "status", "damaged"),
    [({"size": 30}, 200, True), ({"size": 0}, 200, False), ({"text": ""}, 0, True)],
)
def test_a_har_without_bodies_or_answers(
    content: dict[str, Any], status: int, damaged: bool
) -> None:
    imported = import_file(json.dumps(har(PATH, content, JSON, status=status)).encode())
    assert imported.is_damaged == damaged
    elsewhere = import_file(
        json.dumps(
            har("/logo.png", content, JSON, host="https://example.com", status=status)
        ).encode()
    )
    assert not elsewhere.is_damaged
    assert not elsewhere.interactions


# -- what the recorder did to the bytes ------------------------------------------------------------


def test_json_that_was_parsed_is_marked() -> None:
    held = vcrpy(PATH, None, JSON)
    del held["interactions"][0]["response"]["body"]
    held["interactions"][0]["response"]["parsed_body"] = json.loads(SAID)
    imported = import_file(yaml.safe_dump(held).encode())
    assert imported.interactions[0].response.body == Body(
        "json", json.dumps(json.loads(SAID), separators=(",", ":"), ensure_ascii=False).encode()
    )
    assert imported.doubts == ((1, "rewritten"),)
    assert list(imported.remarks()) == []


@pytest.mark.parametrize(
    ("body", "length", "kept", "doubt"),
    [
        (b'{"a": 1.50, "b": "x , y\\" : z"}', None, b'{"a":1.50,"b":"x , y\\" : z"}', "rewritten"),
        (b'{"a": 1}', 8, b'{"a": 1}', None),
        (b'{"a":1}', 7, b'{"a":1}', None),
        (b'{"a":-3E-6}', None, b'{"a":-3E-6}', None),
        (b'{"a":1}', 9, b'{"a":1}', "edited"),
        (b"{ not json", None, b"{ not json", None),
    ],
)
def test_json_is_as_bedrock_sent_it_or_said_not_to_be(
    body: bytes, length: int | None, kept: bytes, doubt: str | None
) -> None:
    held = vcrpy(PATH, body.decode(), JSON)
    if length is not None:
        held["interactions"][0]["response"]["headers"]["Content-Length"] = [str(length)]
    imported = import_file(yaml.safe_dump(held).encode())
    response = imported.interactions[0].response
    assert isinstance(response.body, Body)
    assert response.body.data == kept
    assert [said for _, said in imported.doubts] == [doubt] * (doubt is not None)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies_are_opened(coding: str) -> None:
    packed = gzip.compress(STREAM, mtime=0) if coding == "gzip" else zlib.compress(STREAM)
    for held, opened in ((packed, False), (STREAM, True)):
        document = vcrpy(STREAMING, held, EVENTS)
        document["interactions"][0]["response"]["headers"]["Content-Encoding"] = coding
        imported = import_file(yaml.safe_dump(document).encode())
        assert imported.interactions == (expected(STREAMING, STREAM, EVENTS),), opened


def test_what_cannot_be_opened_is_refused() -> None:
    document = vcrpy(PATH, b"\x8b\xff\x00brotli", JSON)
    document["interactions"][0]["response"]["headers"]["Content-Encoding"] = "br"
    (skipped,) = import_file(yaml.safe_dump(document).encode()).skipped
    assert "Accept-Encoding: identity" in skipped.reason


def test_secrets_are_in_no_message() -> None:
    (entry,) = vcrpy(PATH, SAID.decode(), JSON)["interactions"]
    entry["request"]["headers"] = "Authorization: AKIAABCDEFGHIJKLMNOP"
    told = list(import_file(_mixed(entry)).remarks())
    assert told == [
        "skipped entry 1: expected headers by name, found 'Authorization: AKIAIOSFODNN7EXAMPLE'"
    ]


def test_secrets_never_get_in() -> None:
    document = vcrpy(PATH, '{"text":"key AKIAABCDEFGHIJKLMNOP of customer-7"}', JSON)
    document["interactions"][0]["request"]["headers"]["Authorization"] = [
        "AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP"
    ]
    (interaction,) = import_file(
        yaml.safe_dump(document).encode(), redaction=read_patterns([r"customer-\d"])
    ).interactions
    assert isinstance(interaction.response.body, Body)
    assert interaction.response.body.data == b'{"text":"key AKIAIOSFODNN7EXAMPLE of REDACTED"}'
    assert "AKIAABCDEFGHIJKLMNOP" not in repr(interaction)


# -- whatever the file -----------------------------------------------------------------------------

_SOUND = [
    write(path, body, kind)
    for _, writers in WRITERS.items()
    for write in writers
    for path, body, kind in ((PATH, SAID, JSON), (STREAMING, STREAM, EVENTS))
    if write is not _side_by_side
]
_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.sampled_from(_SOUND), st.data())
def test_no_file_breaks_the_import(sound: bytes, data: st.DataObject) -> None:
    """Bytes changed anywhere, and values put in place of others: an import or a
    refusal, never anything else.
    """
    at = data.draw(st.integers(0, len(sound) - 1))
    changed = (
        sound[:at] + data.draw(st.binary(max_size=4)) + sound[at + data.draw(st.integers(0, 40)) :]
    )
    try:
        import_file(changed)
    except ForeignInvalid:
        pass
    document = yaml.load(_without_tags(sound), yaml.CSafeLoader)
    holder, key = data.draw(st.sampled_from(list(_places(document))))
    holder[key] = data.draw(_VALUES)
    try:
        import_file(json.dumps(document).encode())
    except ForeignInvalid:
        pass


def _without_tags(sound: bytes) -> str:
    return sound.decode("utf-8-sig").replace("!!binary |", "|").replace("!binary |", "|")


def _places(value: Any) -> Any:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"{HOST}{PATH}?a=b", f"{PATH}?a=b"),
        (PATH, PATH),
        (f"http://localhost:4000{PATH}", PATH),
        (f"https://gateway.pydantic.dev/proxy/bedrock{PATH}", PATH),
        (f"http://litellm:4000/bedrock{PATH}", PATH),
        (
            f"https://gateway.ai.cloudflare.com/v1/a/b/aws-bedrock/bedrock-runtime/us-east-1{PATH}",
            PATH,
        ),
        (f"https://example.com/api{PATH}", None),
        ("https://example.com/bedrock/model/unknown", None),
    ],
)
def test_a_path_below_a_gateways_path_is_bedrocks(url: str, path: str | None) -> None:
    if path is not None:
        assert path_of("POST", url) == path
    else:
        with pytest.raises(Unusable, match="is not Bedrock's"):
            path_of("POST", url)


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://bedrock-mantle.us-east-1.api.aws/openai/v1/chat/completions", None),
        ("https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages", None),
        ("https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions", None),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/v1/chat/completions", "bedrock-runtime"),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions",
            "bedrock-runtime",
        ),
        (f"{HOST}{PATH}", None),
        ("https://bedrock-agent-runtime.us-east-1.amazonaws.com/knowledgebases/k/retrieve", None),
        ("http://localhost:4566/model/m/invoke", None),
    ],
)
@pytest.mark.parametrize("format_name", ["vcrpy", "har"])
def test_an_interaction_names_the_service_that_answered_if_two_have_its_path(
    url: str, service: str | None, format_name: str
) -> None:
    (entry,) = vcrpy(PATH, SAID.decode(), JSON)["interactions"]
    (interaction,) = import_file(
        _mixed({**entry, "request": {**entry["request"], "uri": url}})
    ).interactions
    assert interaction.service == service
    exported = exporters.FORMATS[format_name].export(Cassette("a", (interaction,)), "us-east-1")
    assert [again.service for again in import_file(exported).interactions] == [service]
