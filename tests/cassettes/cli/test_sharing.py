"""`bedtape cassette push` and `pull`, against moto's S3."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from support import folders
from support.bucket import BUCKET, serve_s3
from support.commands import run
from support.recordings import converse

ADDRESS = f"s3://{BUCKET}/checkout"


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedMotoServer]:
    with serve_s3(monkeypatch) as server:
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folders.write(tmp_path / "cassettes", Cassette("first", (converse("Hello", "Hi"),)))
    return tmp_path / "cassettes"


def push() -> str:
    digest: str = json.loads(run("push", ADDRESS, "--json"))["digest"]
    return digest


def test_what_is_pushed_is_pulled(folder: Path) -> None:
    digest = push()
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert run("pull", ADDRESS, "--to", "again").splitlines() == [
        f"again: 1 interaction in 1 cassette, version {digest}"
    ]
    assert store.read([Path("again")]) == store.read([folder])


def test_equal_cassettes_have_one_version() -> None:
    assert push() == push()
    keys = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len(keys) == 2


def test_an_earlier_version_is_pulled_by_its_digest(folder: Path) -> None:
    first = push()
    folders.write(folder, Cassette("second", (converse("Bye", "Ciao"),)))
    second = push()
    for digest, names in ((first, ["first"]), (second, ["first", "second"])):
        pulled = json.loads(run("pull", f"{ADDRESS}@{digest}", "--to", digest[:8], "--json"))
        assert sorted(pulled["cassettes"]) == names
        assert pulled["digest"] == digest


def test_existing_cassettes_are_replaced_by_force_alone(folder: Path) -> None:
    push()
    folders.write(folder, Cassette("first", (converse("Hello", "Changed"),)))
    before = store.read([folder])
    assert "--force" in run("pull", ADDRESS, code=2)
    assert store.read([folder]) == before
    run("pull", ADDRESS, "--force")
    assert store.read([folder]) != before


@pytest.mark.parametrize("address", ["checkout", "s3://b", "s3://bucket/", "s3://bucket/a@12"])
@pytest.mark.parametrize("command", ["push", "pull"])
def test_an_address_that_is_none_is_refused(command: str, address: str) -> None:
    assert "expected s3://BUCKET/PREFIX" in run(command, address, code=2)


def test_a_pushed_version_has_no_digest_of_its_own() -> None:
    assert "remove @ and the digest" in run("push", f"{ADDRESS}@{'0' * 64}", code=2)


def test_a_prefix_without_cassettes_names_the_command_that_pushes() -> None:
    assert f"bedtape cassette push {ADDRESS}" in run("pull", ADDRESS, code=2)
    assert not Path("again").exists()


def test_damage_is_refused_and_nothing_is_written() -> None:
    digest = push()
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"checkout/{digest}.tape", Body=b"damaged")
    assert f"expected a file with the digest {digest}" in run(
        "pull", ADDRESS, "--to", "again", code=2
    )
    boto3.client("s3").put_object(Bucket=BUCKET, Key="checkout/latest", Body=b"nonsense")
    assert "expected the digest of a version, found 'nonsense'" in run("pull", ADDRESS, code=2)


def test_an_absent_bucket_is_reported_in_one_line() -> None:
    output = run("pull", "s3://no-such-bucket/checkout", code=2)
    assert "s3://no-such-bucket/checkout: S3 cannot be used" in output
    assert "NoSuchBucket" in output
