"""Keys, bearer token, region, profile, certificates: what an environment can say, and what is told of it."""

from collections.abc import Callable, Iterator

import pytest

from bedtape_replayer.cli.doctor import credentials
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis
from bedtape_replayer.cli.doctor.environment import Environment
from bedtape_replayer.cli.doctor.profile import Profile

POINTED = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"}
BEARER = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-hidden"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}
REGION = {"AWS_REGION": "eu-west-1"}
DEFAULT_REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}
Check = Callable[[Environment], Iterator[Diagnosis]]


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        (credentials.check_bearer, Environment(), "ok", "is not set"),
        (credentials.check_bearer, Environment(BEARER), "note", "which take it out"),
        (credentials.check_bearer, Environment(BEARER | POINTED), "wrong", "unset AWS_BEARER_TOKEN_BEDROCK"),
        (
            credentials.check_bearer,
            Environment(BEARER | {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566"}),
            "note",
            "which take it out",
        ),
        (credentials.check_keys, Environment(), "ok", "make some up"),
        (credentials.check_keys, Environment(KEYS), "ok", "AWS_ACCESS_KEY_ID=AKIA… (20 characters)"),
        (
            credentials.check_keys,
            Environment(POINTED),
            "wrong",
            "export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any",
        ),
        (credentials.check_keys, Environment({"AWS_ACCESS_KEY_ID": "x"}), "wrong", "set AWS_SECRET_ACCESS_KEY too"),
        (credentials.check_keys, Environment({"AWS_SECRET_ACCESS_KEY": "x"}), "wrong", "set AWS_ACCESS_KEY_ID too"),
        (credentials.check_keys, Environment(BEARER), "ok", "AWS_BEARER_TOKEN_BEDROCK alone"),
        (credentials.check_keys, Environment(POINTED | BEARER), "wrong", "export AWS_ACCESS_KEY_ID=any"),
        (
            credentials.check_keys,
            Environment(POINTED, profile=Profile("dev", credentials="SSO")),
            "ok",
            "profile dev: SSO",
        ),
        (credentials.check_keys, Environment({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}), "ok", "by a web identity"),
        (credentials.check_region, Environment(), "ok", "none"),
        (
            credentials.check_region,
            Environment(POINTED),
            "wrong",
            "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1",
        ),
        (credentials.check_region, Environment(REGION), "note", "export AWS_DEFAULT_REGION=eu-west-1"),
        (credentials.check_region, Environment(REGION, profile=Profile(region="eu-west-1")), "ok", "eu-west-1"),
        (credentials.check_region, Environment(DEFAULT_REGION), "ok", "eu-west-1"),
        (credentials.check_region, Environment(REGION | DEFAULT_REGION), "ok", "eu-west-1"),
        (credentials.check_region, Environment(REGION | {"AWS_DEFAULT_REGION": "a"}), "note", "expected one region"),
        (
            credentials.check_region,
            Environment(profile=Profile("dev", region="eu-west-1")),
            "ok",
            "eu-west-1 of profile dev",
        ),
        (credentials.check_profile, Environment(), "ok", "none"),
        (credentials.check_profile, Environment(profile=Profile(exists=True)), "ok", "default"),
        (
            credentials.check_profile,
            Environment({"AWS_PROFILE": "dev"}),
            "wrong",
            "the profile dev that AWS_PROFILE names",
        ),
        (
            credentials.check_profile,
            Environment({"AWS_PROFILE": "dev"}, profile=Profile("dev", exists=True)),
            "ok",
            "dev",
        ),
        (
            credentials.check_profile,
            Environment(profile=Profile(problem="line 3 is none")),
            "wrong",
            "found line 3 is none",
        ),
        (credentials.check_bundles, Environment(), "ok", "the usual ones"),
        (credentials.check_bundles, Environment({"AWS_CA_BUNDLE": "/ca"}), "ok", "AWS_CA_BUNDLE"),
        (
            credentials.check_bundles,
            Environment({"AWS_CA_BUNDLE": "/ca"}, missing=frozenset({"AWS_CA_BUNDLE"})),
            "wrong",
            "unset AWS_CA_BUNDLE",
        ),
    ],
)
def test_what_is_told(check: Check, found: Environment, level: str, said: str) -> None:
    (diagnosis,) = check(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


def test_no_secret_is_told() -> None:
    environ = BEARER | KEYS | POINTED | {"AWS_SESSION_TOKEN": "hidden"}
    checks = [getattr(credentials, name) for name in dir(credentials) if name.startswith("check_")]
    said = " ".join(str(diagnosis) for check in checks for diagnosis in check(Environment(environ)))
    assert "hidden" not in said
    assert "IOSFODNN" not in said
