"""`bedtape replay FILES`: files of other recorders are played as they are, without an import."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.foreign.exchange import Exchange
from bedtape_cassettes.foreign.import_formats import read
from bedtape_cassettes.matching.key import DEFAULT
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.recordings import Recordings, Sources
from bedtape_replayer.server.thread import Replayer
from support import folders, foreign
from support.client import Http1
from support.recordings import converse, path, prompt
from support.running import Running

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
URL = f"{HOST}/model/us.amazon.nova-lite-v1%3A0/converse"
ASKED = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
ANSWERED = {
    "metrics": {"latencyMs": 1},
    "output": {"message": {"content": [{"text": "Hello!"}], "role": "assistant"}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}
HEADERS = {
    "Content-Type": ["application/json"],
    "X-Amzn-Requestid": ["b3c4d5e6-0000-4000-8000-000000000000"],
}


def ruby(url: str = URL, text: str = "Hi") -> dict[str, Any]:
    """A file of Ruby VCR."""
    asked = json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]})
    request = {
        "method": "post",
        "uri": url,
        "body": {"encoding": "UTF-8", "string": asked},
        "headers": {},
    }
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": HEADERS,
        "body": {"encoding": "UTF-8", "string": json.dumps(ANSWERED, separators=(",", ":"))},
    }
    return {
        "http_interactions": [{"request": request, "response": response}],
        "recorded_with": "VCR 6.3.1",
    }


def go() -> dict[str, Any]:
    """A file of go-vcr."""
    request = {"method": "POST", "url": URL, "body": json.dumps(ASKED), "headers": {}}
    response = {
        "code": 200,
        "headers": HEADERS,
        "body": json.dumps(ANSWERED, separators=(",", ":")),
    }
    return {"version": 2, "interactions": [{"id": 0, "request": request, "response": response}]}


def polly() -> dict[str, Any]:
    """A file of Polly: HAR."""
    pairs = [{"name": name, "value": values[0]} for name, values in HEADERS.items()]
    request = {"method": "POST", "url": URL, "headers": [], "postData": {"text": json.dumps(ASKED)}}
    content = {"mimeType": "application/json", "text": json.dumps(ANSWERED, separators=(",", ":"))}
    entry = {"request": request, "response": {"status": 200, "headers": pairs, "content": content}}
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "Polly.JS", "version": "6"},
            "entries": [entry],
        }
    }


def write(path: Path, document: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document) if path.suffix == ".har" else yaml.safe_dump(document))
    return path


def load(*paths: Path) -> tuple[Library, list[str]]:
    remarks: list[str] = []
    return Recordings.find(paths, DEFAULT).load(remarks.append), remarks


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("vcr_cassettes/chat.yml", ruby()),
        ("testdata/chat.yaml", go()),
        ("a_1/recording.har", polly()),
    ],
)
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_file_of_another_recorder_answers_an_sdk(
    name: str, document: dict[str, Any], as_folder: bool, tmp_path: Path
) -> None:
    file = write(tmp_path / name, document)
    before = file.read_bytes()
    library, remarks = load(file.parent if as_folder else file)
    with Replayer() as replayer:
        replayer.run(lambda: setattr(replayer.engine, "library", library))
        client = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=replayer.url,
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=Config(retries={"total_max_attempts": 1}),
        )
        answer = client.converse(modelId="us.amazon.nova-lite-v1:0", **ASKED)
    assert answer["output"]["message"]["content"] == [{"text": "Hello!"}]
    assert answer["ResponseMetadata"]["RequestId"] == "b3c4d5e6-0000-4000-8000-000000000000"
    assert (remarks, file.read_bytes()) == ([], before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_cassettes_and_files_of_other_recorders_together(tmp_path: Path) -> None:
    folders.write(tmp_path / "cassettes", Cassette("c", (converse("a", "1"),)))
    mixed = ruby()
    mixed["http_interactions"] += ruby("https://api.openai.com/v1/x")["http_interactions"] + [
        {"request": {}}
    ]
    file = write(tmp_path / "chat.yml", mixed)
    (tmp_path / "rules.json").write_text(
        json.dumps(
            {"fixtures": [{"match": {"userMessage": "hi"}, "response": {"content": "hello"}}]}
        )
    )
    library, remarks = load(tmp_path / "cassettes", file, tmp_path / "rules.json")
    assert [cassette.name for cassette in library.cassettes] == ["c", "chat"]
    assert remarks == [
        f"{file}: skipped entry 3: expected `response` to be an object, found nothing",
        f"{file}: 1 exchange of api.openai.com not played",
        f"{tmp_path / 'rules.json'}: expected recorded requests, found 1 fixture with conditions;"
        " `bedtape cassette import` makes rules of them",
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["notes.txt"], "notes.txt: expected a recording of another tool"),
        (["a.yml", "notes.txt", "more.txt"], "notes.txt: expected a recording of another tool"),
        (["c", "c.yml"], "found two with the name 'c'"),
        (["none.yml"], "expected at least one recorded exchange with Bedrock, found none"),
        (["missing.yml"], "missing.yml: no such file or folder"),
    ],
)
def test_wrong_files_are_named(names: list[str], said: str, tmp_path: Path) -> None:
    folders.write(tmp_path, Cassette("c", (converse("a", "1"),)))
    for name in ("a.yml", "c.yml"):
        write(tmp_path / name, ruby())
    write(tmp_path / "none.yml", ruby("https://api.openai.com/v1/x"))
    for name in ("notes.txt", "more.txt"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(CassetteError) as raised:
        load(*(tmp_path / name for name in names))
    assert said in str(raised.value)
    assert ("more.txt" in str(raised.value)) == ("more.txt" in names)


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    write(tmp_path / "spec" / "one.yml", ruby())
    (tmp_path / "spec" / "two.har").write_text(json.dumps(polly()))
    watched = Recordings.find([tmp_path / "spec"], DEFAULT).watched
    assert watched == (tmp_path / "spec" / "one.yml", tmp_path / "spec" / "two.har")


# Headers that the client of this test writes itself.
FRAMING = ("content-length", "transfer-encoding", "host", "connection", "expect", "accept-encoding")
FILES = sorted(
    path for path in foreign.ROOT.glob("*") if path.name.startswith(("rubyvcr", "govcr", "polly"))
)


@pytest.mark.skipif(not FILES, reason=f"other tools' recordings are not at {foreign.ROOT}")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_recordings_of_other_projects_are_played_with_every_byte(
    file: Path, tmp_path: Path
) -> None:
    shutil.copy(file, tmp_path)
    library, remarks = load(tmp_path)
    exchanges = [each for each in read(file.read_bytes()).entries if isinstance(each, Exchange)]
    (cassette,) = library.cassettes
    assert (len(cassette.interactions), remarks) == (len(exchanges), [])
    with Replayer() as replayer, Http1(replayer.url) as client:
        replayer.run(lambda: setattr(replayer.engine, "library", library))
        for exchange, interaction in zip(exchanges, cassette.interactions, strict=True):
            request = interaction.request
            headers = [pair for pair in request.headers if pair[0].lower() not in FRAMING]
            answer = client.request(request.method, request.path, headers, exchange.request_body)
            assert (answer.status, answer.body) == (exchange.status, exchange.response_body)
            recorded = {name.lower(): value for name, value in exchange.response_headers}
            assert answer.header("x-amzn-requestid") == recorded.get("x-amzn-requestid")


def test_places_are_opened_once_however_they_are_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        folders.write(tmp_path / name, Cassette("first", (converse("Hi", name),)))
    monkeypatch.chdir(tmp_path)
    sources = Sources(DEFAULT, pytest.fail)
    first = sources.open(["a"])
    for spelling in ([Path("a")], ["b/../a"], [tmp_path / "a"]):
        assert sources.open(spelling) is first
    assert sources.open(["b"]) is not first
    assert len(sources.open([]).library) == 0


def test_folders_that_no_namespace_plays_are_not_opened(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    folders.write(tmp_path / "a", Cassette("first", (converse("Hi", "Hello"),)))
    teams = ("first-token-0123456789", "other-token-0123456789")
    text = [f'[team-{at}]\ntoken = "{each}"\ncassettes = ["a"]' for at, each in enumerate(teams)]
    (tmp_path / "teams.toml").write_text("\n".join(text))
    running = start("missing", "--namespaces", "teams.toml")
    for token in teams:
        with Http1(running.url) as client:
            answer = client.request("POST", f"/n/{token}{path()}", (), prompt("Hi"))
            assert answer.status == 200
