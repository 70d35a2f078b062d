"""The environment in which SDKs find a server here: botocore reads it as it reads that of its users."""

from __future__ import annotations

from pathlib import Path

import botocore.session
import pytest

from bedtape_cassettes.addresses import BEARER, isolated, pointed

URL = "http://127.0.0.1:4566/s/some"
REAL = {"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "token"}


def _endpoint(service: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = botocore.session.Session().create_client(service)
    found: str = client.meta.endpoint_url
    return found


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("bedrock-runtime", ""),
        ("bedrock", "/service/bedrock"),
        ("bedrock-agent", "/service/bedrock-agent"),
        ("bedrock-agent-runtime", "/service/bedrock-agent-runtime"),
    ],
)
def test_botocore_finds_every_service(service: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _endpoint(service, isolated({}, URL), monkeypatch) == URL + path


@pytest.mark.parametrize("said", ["variable", "profile"])
def test_endpoints_are_heeded_where_somebody_had_turned_them_off(
    said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"} if said == "variable" else {}
    profile = tmp_path / "config"
    profile.write_text("[default]\nignore_configured_endpoint_urls = true\n" if said == "profile" else "")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
    assert _endpoint("bedrock-runtime", isolated(given, URL), monkeypatch) == URL


def test_no_kind_of_aws_own_endpoints_is_asked_for() -> None:
    """JavaScript's SDK refuses any other endpoint then; the test that `bedtape init` writes is run with one asked for."""
    found = pointed({"AWS_USE_FIPS_ENDPOINT": "true"}, URL)
    assert (found["AWS_USE_FIPS_ENDPOINT"], found["AWS_USE_DUALSTACK_ENDPOINT"]) == ("false", "false")


def test_a_proxy_sees_no_call_to_this_machine_and_what_it_did_not_see_before_neither() -> None:
    assert pointed({"NO_PROXY": "intra.example"}, URL)["NO_PROXY"] == "intra.example,127.0.0.1,localhost"
    assert pointed({}, URL)["no_proxy"] == "127.0.0.1,localhost"


def test_pointed_keeps_keys_and_profile() -> None:
    kept = {**REAL, "AWS_PROFILE": "dev", "AWS_REGION": "eu-west-1"}
    assert kept.items() <= pointed(kept, URL).items()


@pytest.mark.parametrize(
    ("given", "region", "default"),
    [
        ({}, None, None),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1", "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2", "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1", "eu-west-2"),
    ],
)
def test_a_region_that_one_sdk_reads_the_others_read_too(
    given: dict[str, str], region: str | None, default: str | None
) -> None:
    """boto3 does not look at AWS_REGION. Where neither is set, a profile may have one, and it is left to it."""
    found = pointed(given, URL)
    assert (found.get("AWS_REGION"), found.get("AWS_DEFAULT_REGION")) == (region, default)


def test_a_bearer_token_is_taken_out_and_keys_take_its_place_where_there_are_none() -> None:
    alone = pointed({BEARER: "secret"}, URL)
    assert BEARER not in alone
    assert alone["AWS_ACCESS_KEY_ID"] == alone["AWS_SECRET_ACCESS_KEY"] == "bedtape"
    assert pointed({BEARER: "secret", **REAL}, URL)["AWS_ACCESS_KEY_ID"] == "AKIAREAL"
    assert "AWS_ACCESS_KEY_ID" not in pointed({}, URL)


def test_isolated_holds_nobodys_credentials() -> None:
    found = isolated({**REAL, BEARER: "secret", "AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "dev"}, URL)
    assert not {"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", BEARER} & found.keys()
    assert found["AWS_ACCESS_KEY_ID"] == "bedtape"
    assert not {"AKIAREAL", "real", "token", "secret", "dev"} & set(found.values())


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
    ],
)
def test_isolated_has_a_region_that_every_sdk_reads(given: dict[str, str], region: str) -> None:
    found = isolated(given, URL)
    assert (found["AWS_REGION"], found["AWS_DEFAULT_REGION"]) == (region, region)


def test_what_was_given_is_left_as_it_was() -> None:
    given = {**REAL, BEARER: "secret"}
    before = dict(given)
    isolated(given, URL)
    assert given == before
