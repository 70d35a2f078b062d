"""Cassettes as other tools' recordings: what PyYAML and JSON read there is what was
recorded, streams by botocore.
"""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.foreign.exporters import FORMATS
from bedtape_cassettes.foreign.import_file import import_file
from bedtape_cassettes.format import document
from bedtape_cassettes.model import (
    Body,
    Cassette,
    Event,
    Events,
    Interaction,
    Request,
    Response,
    event_headers,
)
from bedtape_cassettes.storage import store

ASKED = Body("json", '{"messages":[{"content":[{"text":"café"}]}]}'.encode())
JSON = (("content-type", "application/json"),)
STREAM = (
    ("content-type", "application/vnd.amazon.eventstream"),
    ("x-twice", "a"),
    ("x-twice", "b"),
)
PADDED = Events.of([Event(0, event_headers("messageStop"), b'{"stopReason":"end_turn"}', "json")])
WHOLE = Interaction(
    "Converse",
    "m",
    Request("POST", "/model/m/converse?a=b%20c&d=", JSON, ASKED),
    Response(200, JSON, Body("json", '{"text":"Olá\x85"}'.encode()), 250),
)
STREAMED = Interaction(
    "ConverseStream",
    "m",
    Request("POST", "/model/m/converse-stream", JSON, ASKED),
    Response(200, STREAM, PADDED),
)
LISTED = Interaction(
    "ListFoundationModels",
    None,
    Request("GET", "/foundation-models", (), Body("text", b"")),
    Response(403, JSON, Body("json", b'{"message":"no"}')),
)
SERVED = Interaction(
    "ChatCompletions",
    None,
    Request("POST", "/v1/chat/completions", JSON, ASKED),
    Response(200, (("content-type", "audio/mpeg"),), Body("base64", b"\xff\x00")),
)
TAPE = Cassette("a/b", (WHOLE, STREAMED, LISTED, SERVED))
HOSTS = ["bedrock-runtime.eu-west-1.amazonaws.com"] * 2 + [
    "bedrock.eu-west-1.amazonaws.com",
    "bedrock-mantle.eu-west-1.api.aws",
]


def export(name: str, cassette: Cassette = TAPE) -> bytes:
    return FORMATS[name].export(cassette, "eu-west-1")


def frames(data: bytes) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(dict(event.headers), json.loads(event.payload)) for event in buffer]


def test_vcrpy() -> None:
    """As VCR.py reads it: text bodies as text, others as binary; one value or more a header."""
    document = yaml.safe_load(export("vcrpy"))
    assert document["version"] == 1
    whole, streamed, listed, served = document["interactions"]
    assert whole["request"] == {
        "method": "POST",
        "uri": f"https://{HOSTS[0]}/model/m/converse?a=b%20c&d=",
        "headers": {"content-type": ["application/json"]},
        "body": ASKED.data.decode(),
    }
    assert whole["response"]["body"] == {"string": '{"text":"Olá\x85"}'}
    assert whole["response"]["status"] == {"code": 200, "message": "OK"}
    assert streamed["response"]["headers"]["x-twice"] == ["a", "b"]
    ((headers, payload),) = frames(streamed["response"]["body"]["string"])
    assert headers[":event-type"] == "messageStop"
    assert payload.pop("p").startswith("ab")
    assert payload == {"stopReason": "end_turn"}
    assert listed["request"]["body"] is None
    assert listed["response"]["status"] == {"code": 403, "message": "Forbidden"}
    assert served["response"]["body"]["string"] == b"\xff\x00"
    assert [entry["request"]["uri"].split("/")[2] for entry in document["interactions"]] == HOSTS


def test_har() -> None:
    log = json.loads(export("har"))["log"]
    assert log["version"] == "1.2"
    whole, streamed, listed, served = log["entries"]
    assert whole["request"]["queryString"] == [
        {"name": "a", "value": "b c"},
        {"name": "d", "value": ""},
    ]
    assert whole["request"]["postData"] == {
        "mimeType": "application/json",
        "text": ASKED.data.decode(),
    }
    assert whole["response"]["content"]["text"] == '{"text":"Olá\x85"}'
    assert whole["timings"] == {"send": 0, "wait": 250, "receive": 0}
    assert streamed["response"]["content"]["encoding"] == "base64"
    assert (
        frames(base64.b64decode(streamed["response"]["content"]["text"]))[0][1]["stopReason"]
        == "end_turn"
    )
    assert "postData" not in listed["request"]
    assert base64.b64decode(served["response"]["content"]["text"]) == b"\xff\x00"
    required = {"startedDateTime", "time", "request", "response", "cache", "timings"}  # HAR 1.2
    assert all(required <= entry.keys() for entry in log["entries"])


def test_jsonl_has_the_keys_of_the_file() -> None:
    named = Cassette(
        "a/b", tuple(replace(i, file=f"a/b/{n}.yaml") for n, i in enumerate(TAPE.interactions))
    )
    lines = [json.loads(line) for line in export("jsonl", named).splitlines()]
    for line, interaction in zip(lines, named.interactions, strict=True):
        shown = yaml.safe_load(document.write(interaction))
        assert line == {"cassette": "a/b", "file": interaction.file, **shown}


@pytest.mark.parametrize("name", FORMATS)
def test_exports_are_the_same_every_time(name: str) -> None:
    assert export(name) == export(name)


@pytest.mark.parametrize("name", ["vcrpy", "har"])
def test_what_was_cut_is_left_out(name: str) -> None:
    assert export(name, Cassette("a", (replace(WHOLE, partial=True), LISTED))) == export(
        name, Cassette("a", (LISTED,))
    )


@pytest.mark.parametrize("name", ["vcrpy", "har"])
def test_the_samples_come_back(name: str) -> None:
    """Except conversations, for whose requests the formats have no place."""
    for cassette in store.read([store.samples()]):
        imported = import_file(export(name, cassette))
        sound = [
            replace(i, response=replace(i.response, after_ms=0))
            for i in cassette.interactions
            if not i.partial and i.request.events is None
        ]
        back = [replace(i, response=replace(i.response, after_ms=0)) for i in imported.interactions]
        assert list(map(_untimed, back)) == list(map(_untimed, sound)), cassette.name


def test_the_samples_come_back_from_jsonl() -> None:
    for cassette in store.read([store.samples()]):
        imported = import_file(export("jsonl", cassette))
        back = [replace(each, file="") for each in imported.interactions]
        assert back == [replace(each, file="") for each in cassette.interactions]


def _untimed(interaction: Interaction) -> Interaction:
    """Neither format has a place for when each event came."""
    body = interaction.response.body
    if not isinstance(body, Events):
        return interaction
    still = Events.of([replace(event, at_ms=0) for event in body.events], padded=body.padded)
    return replace(interaction, response=replace(interaction.response, body=still))
