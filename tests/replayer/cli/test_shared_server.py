"""`bedtape replay s3://…`: follows a bucket, and goes on without it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import bucket, store
from bedtape_cassettes.storage.bucket import Bucket, BucketAddress
from bedtape_replayer.cli import shared_server
from bedtape_replayer.cli.shared_server import open_mirror
from support import folders
from support.bucket import BUCKET, serve_s3
from support.commands import run
from support.recordings import MODEL, converse
from support.running import COMMAND, Running

ADDRESS = f"s3://{BUCKET}/checkout"


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadedMotoServer]:
    monkeypatch.setenv("BEDTAPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with serve_s3(monkeypatch) as server:
        yield server


def push(answer: str) -> str:
    folders.write(Path("cassettes"), Cassette("first", (converse("Hello", answer),)))
    run("push", ADDRESS)
    return Bucket(BucketAddress.parse(ADDRESS)).find_digest()


def read_answers(file: Path) -> bytes:
    ((interaction,),) = (cassette.interactions for cassette in store.read([file]))
    return interaction.response.body.data  # type: ignore[union-attr]


def test_a_newer_version_is_fetched_while_the_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_server, "INTERVAL", 0.0)
    version = push("Hi")
    mirror = open_mirror(ADDRESS)
    file = mirror.open(pytest.fail)
    assert b"Hi" in read_answers(file)
    assert str(mirror) == f"{ADDRESS}, version {version[:12]}…"

    async def follow() -> None:
        following = asyncio.create_task(mirror.follow(pytest.fail))
        await asyncio.to_thread(push, "Changed")
        while b"Changed" not in read_answers(file):
            await asyncio.sleep(0)
        following.cancel()

    asyncio.run(follow())


def test_one_version_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_server, "INTERVAL", 0.0)
    mirror = open_mirror(f"{ADDRESS}@{push('Hi')}")
    file = mirror.open(pytest.fail)
    assert str(mirror) == mirror.name
    push("Changed")
    asyncio.run(mirror.follow(pytest.fail))  # ends, because there is nothing to follow
    assert b"Hi" in read_answers(file)


def test_a_disk_that_is_full_is_reported_and_the_bucket_is_followed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_server, "INTERVAL", 0.0)
    push("Hi")
    mirror = open_mirror(ADDRESS)
    file = mirror.open(pytest.fail)
    push("Changed")
    lines: list[str] = []
    replace_file = bucket.replace_file

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def follow() -> None:
        monkeypatch.setattr(bucket, "replace_file", fail)
        following = asyncio.create_task(mirror.follow(lines.append))
        while not lines:
            await asyncio.sleep(0)
        monkeypatch.setattr(bucket, "replace_file", replace_file)
        while b"Changed" not in read_answers(file):
            await asyncio.sleep(0)
        following.cancel()

    asyncio.run(follow())
    assert len(lines) == 1
    assert "No space left on device; the last version that was fetched is played" in lines[0]


def test_the_last_version_is_played_while_the_bucket_is_away(
    s3: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(shared_server, "INTERVAL", 0.0)
    push("Hi")
    open_mirror(ADDRESS).open(pytest.fail)
    s3.stop()
    lines: list[str] = []
    mirror = open_mirror(ADDRESS)
    assert b"Hi" in read_answers(mirror.open(lines.append))
    assert str(mirror) == ADDRESS  # the version is not known
    assert len(lines) == 1
    assert lines[0].startswith(f"{ADDRESS}: S3 cannot be used: ")
    assert lines[0].endswith("; the last version that was fetched is played")

    async def follow() -> None:
        following = asyncio.create_task(mirror.follow(lines.append))
        while len(lines) < 2:
            await asyncio.sleep(0)
        following.cancel()

    asyncio.run(follow())
    with pytest.raises(CassetteError, match="S3 cannot be used"):
        open_mirror(f"{ADDRESS}-other").open(pytest.fail)


def test_a_server_names_the_bucket_and_the_version(tmp_path: Path) -> None:
    version = push("Hi")
    running = Running("--cassettes", ADDRESS, cwd=tmp_path)
    try:
        where = f"{ADDRESS}, version {version[:12]}…"
        assert running.line() == f"bedtape: 1 interaction in 1 cassette from {where}"
    finally:
        running.clean_up()


def test_a_program_plays_a_bucket() -> None:
    push("Hi")
    script = """
import boto3, os
client = boto3.client("bedrock-runtime", endpoint_url=os.environ["BEDTAPE_URL"])
turn = {"role": "user", "content": [{"text": "Hello"}]}
answer = client.converse(modelId="%s", messages=[turn])
assert answer["output"]["message"]["content"][0]["text"] == "Hi"
"""
    folder = ["--cassettes", ADDRESS]
    command = [*COMMAND, "run", *folder, "--", sys.executable, "-c", script % MODEL]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "1 call: 1 played" in ended.stderr
