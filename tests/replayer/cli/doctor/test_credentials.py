"""Keys, bearer token, region, profile, certificates: what an environment can
say, and what is told of it.
"""

import pytest

from bedtape_replayer.cli.doctor import credentials
from bedtape_replayer.cli.doctor.environment import Environment as Env
from bedtape_replayer.cli.doctor.profile import Profile

POINTED = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"}
BEARER = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-hidden"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}
REGION = {"AWS_REGION": "eu-west-1"}
DEFAULT_REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        ("bearer", Env(), "ok", "is not set"),
        (
            "bearer",
            Env(BEARER),
            "note",
            "boto3 (from 1.44 on) and the SDK for Go do not send it over http://",
        ),
        ("bearer", Env(BEARER | POINTED), "wrong", "unset AWS_BEARER_TOKEN_BEDROCK"),
        (
            "bearer",
            Env(BEARER | {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566"}),
            "ok",
            "over https",
        ),
        ("keys", Env(), "ok", "set invented keys"),
        ("keys", Env(KEYS), "ok", "AWS_ACCESS_KEY_ID=AKIA… (20 characters)"),
        ("keys", Env(POINTED), "wrong", "export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any"),
        ("keys", Env({"AWS_ACCESS_KEY_ID": "x"}), "wrong", "set AWS_SECRET_ACCESS_KEY too"),
        ("keys", Env({"AWS_SECRET_ACCESS_KEY": "x"}), "wrong", "set AWS_ACCESS_KEY_ID too"),
        ("keys", Env(BEARER), "ok", "AWS_BEARER_TOKEN_BEDROCK alone"),
        ("keys", Env(POINTED | BEARER), "wrong", "export AWS_ACCESS_KEY_ID=any"),
        ("keys", Env(POINTED, profile=Profile("dev", credentials="SSO")), "ok", "profile dev: SSO"),
        ("keys", Env({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}), "ok", "from a web identity"),
        ("region", Env(), "ok", "no region"),
        (
            "region",
            Env(POINTED),
            "wrong",
            "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
        ),
        ("region", Env(REGION), "note", "export AWS_DEFAULT_REGION=eu-west-1"),
        ("region", Env(REGION, profile=Profile(region="eu-west-1")), "ok", "eu-west-1"),
        ("region", Env(DEFAULT_REGION), "ok", "eu-west-1"),
        ("region", Env(REGION | DEFAULT_REGION), "ok", "eu-west-1"),
        ("region", Env(REGION | {"AWS_DEFAULT_REGION": "a"}), "note", "expected one region"),
        (
            "region",
            Env(profile=Profile("dev", region="eu-west-1")),
            "ok",
            "eu-west-1 of profile dev",
        ),
        ("profile", Env(), "ok", "no profile"),
        ("profile", Env(profile=Profile(exists=True)), "ok", "default"),
        ("profile", Env({"AWS_PROFILE": "dev"}), "wrong", "the profile dev that AWS_PROFILE names"),
        ("profile", Env({"AWS_PROFILE": "dev"}, profile=Profile("dev", exists=True)), "ok", "dev"),
        (
            "profile",
            Env(profile=Profile(problem="an invalid line 3")),
            "wrong",
            "found an invalid line 3",
        ),
        ("bundles", Env(), "ok", "the default certificates"),
        ("bundles", Env({"AWS_CA_BUNDLE": "/ca"}), "ok", "AWS_CA_BUNDLE"),
        (
            "bundles",
            Env({"AWS_CA_BUNDLE": "/ca"}, missing=frozenset({"AWS_CA_BUNDLE"})),
            "wrong",
            "unset AWS_CA_BUNDLE",
        ),
    ],
)
def test_what_is_told(check: str, found: Env, level: str, said: str) -> None:
    (diagnosis,) = getattr(credentials, f"check_{check}")(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


def test_no_secret_is_told() -> None:
    environ = BEARER | KEYS | POINTED | {"AWS_SESSION_TOKEN": "hidden"}
    checks = [getattr(credentials, name) for name in dir(credentials) if name.startswith("check_")]
    said = " ".join(str(diagnosis) for check in checks for diagnosis in check(Env(environ)))
    assert "hidden" not in said
    assert "IOSFODNN" not in said
