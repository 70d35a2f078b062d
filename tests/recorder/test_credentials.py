"""Credentials: found early, in boto3's order, or refused with a word on what to do. No network."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedtape_cassettes.addresses import BEARER
from bedtape_cassettes.format import eventstream
from bedtape_cassettes.format.eventstream import Frame
from bedtape_recorder.credentials import Credentials, check_transport
from bedtape_recorder.errors import GateError, RecorderError
from bedtape_recorder.routing import read_route
from bedtape_recorder.settings import GATE

OPEN = {GATE: "1"}
ROUTE = read_route("", None, "/model/a/converse", host=None, default_region="eu-west-1")
CONFIG = """
[profile work]
region = ap-south-1
[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = nobody
[profile half]
aws_access_key_id = AKIAHALF
[profile process]
credential_process = /nonexistent/program
[profile expired]
sso_start_url = https://nobody-has-this.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = x
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")


def sent(credentials: Credentials, *headers: tuple[str, str]) -> dict[str, str]:
    return credentials.sign_headers(ROUTE, "POST", ROUTE.path, headers, b"{}")


@pytest.mark.usefixtures("keys")
def test_from_the_environment() -> None:
    headers_sent = sent(Credentials(None, None, OPEN))
    assert "Credential=AKIAENV/" in headers_sent["Authorization"]
    assert "/eu-west-1/bedrock/aws4_request" in headers_sent["Authorization"]
    assert headers_sent["X-Amz-Security-Token"] == "the-token"


def test_from_a_profile() -> None:
    credentials = Credentials("work", None, OPEN)
    headers_sent = sent(credentials)
    assert "Credential=AKIAWORK/" in headers_sent["Authorization"]
    assert "X-Amz-Security-Token" not in headers_sent
    assert credentials.region == "ap-south-1"


@pytest.mark.usefixtures("keys")
def test_a_profile_that_is_named_comes_before_the_environment() -> None:
    assert "Credential=AKIAWORK/" in sent(Credentials("work", None, OPEN))["Authorization"]


def test_nothing_is_refused_at_once() -> None:
    with pytest.raises(
        RecorderError, match=f"found no AWS credentials: configure them .* or set {BEARER}"
    ):
        Credentials(None, None, OPEN)


@pytest.mark.parametrize("profile", ["unknown", "role", "half", "process", "expired"])
def test_a_profile_that_does_not_work_is_refused_at_once(profile: str) -> None:
    with pytest.raises(RecorderError, match=f"AWS credentials.* or set {BEARER}"):
        Credentials(profile, None, OPEN)


def test_half_a_pair_of_keys_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    with pytest.raises(RecorderError, match="expected AWS credentials, found: "):
        Credentials(None, None, OPEN)


@pytest.mark.usefixtures("keys")
def test_a_bearer_token_comes_first() -> None:
    assert sent(Credentials("work", None, {**OPEN, BEARER: "token"})) == {
        "Authorization": "Bearer token"
    }
    assert "AKIAENV" in sent(Credentials(None, None, {**OPEN, BEARER: ""}))["Authorization"]


def test_an_empty_bearer_token_is_none() -> None:
    with pytest.raises(RecorderError, match="found no AWS credentials"):
        Credentials(None, None, {**OPEN, BEARER: ""})


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("environ", [OPEN, {**OPEN, BEARER: "ours"}])
@pytest.mark.parametrize("value", ["Bearer theirs", "bearer theirs"])
def test_a_clients_own_bearer_token_is_passed_on(environ: dict[str, str], value: str) -> None:
    assert sent(Credentials(None, None, environ), ("authorization", value)) == {
        "Authorization": value
    }


API_KEYS = [
    "ABSK" + "QmVkcm9ja0FQSUtleS0x" * 3,
    "bedrock-api-key-" + "YmVkcm9jay5hbWF6b25hd3Mu" * 3,
]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("environ", [OPEN, {**OPEN, BEARER: "ours"}])
@pytest.mark.parametrize("key", API_KEYS)
def test_a_clients_own_api_key_is_passed_on(environ: dict[str, str], key: str) -> None:
    credentials = Credentials(None, None, environ)
    assert sent(credentials, ("X-Api-Key", key)) == {"x-api-key": key}
    both = sent(credentials, ("X-Api-Key", key), ("Authorization", "Bearer theirs"))
    assert both == {"x-api-key": key, "Authorization": "Bearer theirs"}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    "key",
    ["", "placeholder", "sk-ant-api03-" + "a" * 40, "ABSK", "bedrock-api-key-", "xABSK" + "a" * 40],
)
def test_a_placeholder_is_not(key: str) -> None:
    headers_sent = sent(Credentials(None, None, OPEN), ("x-api-key", key))
    assert "x-api-key" not in {name.lower() for name in headers_sent}
    assert "Credential=AKIAENV/" in headers_sent["Authorization"]
    assert sent(Credentials(None, None, {**OPEN, BEARER: "o"}), ("x-api-key", key)) == {
        "Authorization": "Bearer o"
    }


@pytest.mark.usefixtures("keys")
def test_a_clients_own_signature_is_replaced() -> None:
    old = (
        "AWS4-HMAC-SHA256 Credential=bedtape/20240101/us-east-1/bedrock/aws4_request,"
        " SignedHeaders=host, Signature=0"
    )
    assert (
        "bedtape"
        not in sent(Credentials(None, None, OPEN), ("Authorization", old))["Authorization"]
    )


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("region", "environ", "default", "chosen"),
    [
        ("eu-west-1", {"AWS_REGION": "us-west-2"}, "us-east-2", "eu-west-1"),
        (None, {"AWS_REGION": "us-west-2"}, "us-east-2", "us-west-2"),
        (None, {}, "us-east-2", "us-east-2"),
        (None, {}, None, "us-east-1"),
    ],
)
def test_the_region(
    region: str | None,
    environ: dict[str, str],
    default: str | None,
    chosen: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if default is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", default)
    assert Credentials(None, region, {**OPEN, **environ}).region == chosen


@pytest.mark.usefixtures("keys")
def test_the_events_of_a_stream_are_signed_with_keys() -> None:
    signer = Credentials(None, None, OPEN).make_event_signer(ROUTE, "", "00" * 32)
    assert signer.feed(eventstream.encode(Frame((), b"a")), datetime.now(UTC))


def test_the_events_of_a_stream_cannot_be_signed_with_a_bearer_token() -> None:
    with pytest.raises(RecorderError, match="needs access keys, not a bearer token"):
        Credentials(None, None, {**OPEN, BEARER: "token"}).make_event_signer(ROUTE, "", "00" * 32)


@pytest.mark.usefixtures("keys")
def test_nothing_is_looked_up_behind_a_shut_gate() -> None:
    with pytest.raises(GateError):
        Credentials(None, None, {})


# -- where they are sent ---------------------------------------------------------------------------

FAR, NEAR = ("http", "bedrock.corp.example", 80), ("http", "127.0.0.1", 80)


@pytest.mark.usefixtures("keys")
def test_what_signs_is_named_and_not_shown() -> None:
    for credentials, expected in (
        (Credentials(None, None, OPEN), "the variable AWS_ACCESS_KEY_ID, key id …AENV"),
        (
            Credentials("work", None, OPEN),
            "the profile work (shared-credentials-file), key id …WORK",
        ),
        (
            Credentials(None, None, {**OPEN, BEARER: "bedrock-token"}),
            f"the bearer key of the variable {BEARER}",
        ),
    ):
        assert credentials.source == expected
    shown = Credentials("work", "eu-west-3", OPEN).describe(None)
    assert shown.startswith(
        "bedrock-runtime.eu-west-3.amazonaws.com, region eu-west-3, signed with the profile work"
    )
    assert (
        Credentials("work", None, OPEN)
        .describe(FAR)
        .startswith("http://bedrock.corp.example:80, region ap-south-1")
    )


@pytest.mark.parametrize(
    ("environ", "kind"),
    [({BEARER: "token"}, "a bearer key"), ({"AWS_SESSION_TOKEN": "x"}, "a session token")],
)
@pytest.mark.usefixtures("keys")
def test_what_others_could_use_is_sent_unencrypted_to_this_machine_only(
    environ: dict[str, str], kind: str
) -> None:
    with pytest.raises(RecorderError, match=f"expected https:// to bedrock.corp.example, .*{kind}"):
        Credentials(None, None, {**OPEN, **environ}, FAR)
    for upstream in (NEAR, ("https", *FAR[1:])):
        Credentials(None, None, {**OPEN, **environ}, upstream)


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("Authorization", "Bearer x", True),
        ("authorization", "bearer x", True),
        ("authorization", "AWS4-HMAC-SHA256 Credential=A/…", False),
        ("X-Api-Key", "ABSKx", True),
        ("X-Amz-Security-Token", "x", True),
        ("content-type", "x", False),
    ],
)
def test_a_clients_own_secrets_are_not_sent_unencrypted_either(
    name: str, value: str, refused: bool
) -> None:
    for scheme, host in (("https", "a.example"), ("http", "localhost"), ("http", "[::1]")):
        check_transport(((name, value),), scheme, host)
    with pytest.raises(RecorderError, match="expected https") if refused else nullcontext():
        check_transport(((name, value),), "http", "a.example")
