"""Programs with more than one AWS account, programs that ask for FIPS endpoints, and
programs whose calls stay away.
"""

import json
import sys
from base64 import b32encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedtape_recorder.credentials import read_account
from support.client import Http1
from support.commands import run_program
from support.recorder import Running, command, environment
from support.recordings import MODEL, answer, path, prompt
from support.upstream import Answer, Credentials, Upstream

Start = Callable[..., Running]


def _key(account: str, number: int, kind: str = "AKIA") -> str:
    """A key id of an account, as AWS makes it."""
    packed = (1 << 47 | int(account) << 7).to_bytes(6, "big") + number.to_bytes(4, "big")
    return kind + b32encode(packed).decode()


OWN = Credentials(_key("111122223333", 1), "own-secret-of-thirty-characters")
OTHER = Credentials(_key("444455556666", 2), "other-secret-of-thirty-characters")
ROLE = Credentials(
    _key("777788889999", 3, "ASIA"), "role-secret-of-thirty-characters", "a-token-of-the-role"
)
STRANGER = _key("123412341234", 4)
FILE = f"""[default]
aws_access_key_id = {OWN.access_key}
aws_secret_access_key = {OWN.secret_key}
[team]
aws_access_key_id = {OTHER.access_key}
aws_secret_access_key = {OTHER.secret_key}
[assumed]
aws_access_key_id = {ROLE.access_key}
aws_secret_access_key = {ROLE.secret_key}
aws_session_token = {ROLE.token}
"""


def _ask(url: str, key: str, text: str = "a", region: str = "us-east-1") -> str:
    config = Config(retries={"total_max_attempts": 1}, signature_version="v4")
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="any", region_name=region)
    with closing(session.client("bedrock-runtime", endpoint_url=url, config=config)) as client:
        said: dict[str, Any] = client.converse(
            modelId=MODEL, messages=[{"role": "user", "content": [{"text": text}]}]
        )
    return str(said["output"]["message"]["content"][0]["text"])


def _says(text: str, said: str) -> Answer:
    return Answer(path(), prompt(text), frames=(json.dumps(answer(said)).encode(),))


@pytest.mark.parametrize(
    ("key", "account"),
    [
        ("AKIAIOSFODNN7EXAMPLE", None),
        ("any", None),
        ("AKIAJ7777777777AAAAA", None),
        (STRANGER, "123412341234"),
    ],
)
def test_the_account_in_a_key_id(key: str, account: str | None) -> None:
    assert read_account(key) == account


def test_each_call_is_signed_by_the_profile_that_owns_its_key(
    recorder: Path, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(FILE)
    with Upstream([_says("a", "one")], credentials=(OWN, OTHER, ROLE)) as upstream:
        more = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            more[name] = ""
        with Running(recorder, upstream, tmp_path / "tapes", tmp_path, **more) as running:
            keys = (
                OWN.access_key,
                OTHER.access_key,
                ROLE.access_key,
                _key("111122223333", 9, "ASIA"),
                "any",
            )
            regions = ("us-east-1", "eu-central-1", "us-west-2", "us-east-1", "us-east-1")
            for key, region in zip(keys, regions, strict=True):
                assert _ask(running.url, key, region=region) == "one"
            with pytest.raises(
                ClientError, match=f"…{STRANGER[-4:]} of account 123412341234; add its profile"
            ):
                _ask(running.url, STRANGER)
            assert "recorded 5 interactions" in running.stop()
        assert not upstream.failures
        signed = [
            str(request.header("authorization")).split("/")[0].rpartition("=")[2]
            for request in upstream.requests
        ]
        assert signed == [each.access_key for each in (OWN, OTHER, ROLE, OWN, OWN)]


def test_fips_endpoints_stay_fips_endpoints(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"))
    for more in (
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": (
                "https://bedrock-runtime-fips.us-east-1.amazonaws.com"
            )
        },
    ):
        running = start("--record", "all", **more)
        assert _ask(running.url, "any") == "one"
        with Http1(f"{running.url}/service/bedrock-mantle") as client:
            refused = client.request("POST", "/v1/responses", (), b"{}")
        assert refused.status == 400
        assert "found bedrock-mantle, which has none" in refused.body.decode()
        running.stop()
        assert upstream.requests[-1].host == "bedrock-runtime-fips.us-east-1.amazonaws.com"
    assert not upstream.failures


@pytest.mark.parametrize(
    ("options", "program", "reason"),
    [
        (
            (),
            "pass",
            "a client with its own endpoint (endpoint_url) ignores the endpoint variables",
        ),
        (("--mode", "forward"), "pass", "Node's AWS SDK ignores HTTPS_PROXY"),
        (
            (),
            (
                "import os, urllib.request as u\ntry:"
                " u.urlopen(os.environ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] + '/x', b'')\nexcept"
                " u.HTTPError: pass"
            ),
            (
                "1 request refused: expected an operation that bedtape knows, found POST /x of"
                " bedrock-runtime"
            ),
        ),
        ((), "raise SystemExit(2)", "no call came here before the program ended with exit code 2"),
    ],
)
def test_a_program_whose_calls_are_not_recorded_gets_the_reason(
    options: tuple[str, ...],
    program: str,
    reason: str,
    recorder: Path,
    upstream: Upstream,
    tmp_path: Path,
) -> None:
    arguments = [
        *command(recorder, upstream, tmp_path / "tapes", *options),
        "--",
        sys.executable,
        "-c",
        program,
    ]
    done = run_program(arguments, environment(upstream, tmp_path))
    assert done.returncode == 2, done.stderr
    assert "nothing was recorded: " in done.stderr
    assert reason in done.stderr
    assert ("endpoint_url" in done.stderr) == ("endpoint_url" in reason)
