"""Checks of what a client is made with: keys, bearer token, region, profile, certificates. Pure; no secret is ever told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_cassettes.addresses import BEARER
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment
from bedtape_replayer.cli.doctor.profile import find_profile

_ID, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
# Variables that stand for credentials which something else gives.
_ELSEWHERE = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "a web identity",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "the container",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "the container",
}
_REGION, _DEFAULT_REGION = "AWS_REGION", "AWS_DEFAULT_REGION"
# Files of certificates that are named by the environment.
BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def _mask(key: str) -> str:
    """An access key id as far as it may be shown: whether it is AWS's, and of which kind."""
    kind = re.match(r"A[KS]IA(?=[A-Z0-9]{12})", key)
    return f"{kind[0] if kind else ''}… ({len(key)} characters)"


def check_bearer(env: Environment) -> Iterator[Diagnosis]:
    """A Bedrock API key wins over access keys, and boto3 sends none over http."""
    token = env.environ.get(BEARER)
    if not token:
        yield ok("bearer token", f"{BEARER} is not set")
        return
    there = f"it set, {len(token)} characters"
    expected = f"no {BEARER}, for boto3 refuses to send it over http://"
    if env.endpoint and not env.endpoint.is_encrypted:
        yield wrong("bearer token", expected=expected, found=there, fix=f"unset {BEARER}, or use bedtape run")
    else:
        fix = "nothing for bedtape run and the fixture bedrock, which take it out; unset it where you set an endpoint"
        yield note("bearer token", expected=expected, found=there, fix=fix)


def check_keys(env: Environment) -> Iterator[Diagnosis]:
    """Every SDK needs some keys, and any will do for bedtape."""
    key, secret = env.environ.get(_ID), env.environ.get(_SECRET)
    if bool(key) != bool(secret):
        there, lacking = (_ID, _SECRET) if key else (_SECRET, _ID)
        yield wrong("credentials", expected=f"{_ID} and {_SECRET}", found=f"{there} alone", fix=f"set {lacking} too")
    elif key:
        yield ok("credentials", f"{_ID}={_mask(key)}")
    elif source := _source(env):
        yield ok("credentials", source)
    elif env.endpoint:
        fix = f"export {_ID}=any {_SECRET}=any, which bedtape takes"
        yield wrong("credentials", expected="some keys, for no SDK calls without", found="none", fix=fix)
    else:
        yield ok(
            "credentials", "none: bedtape run and the fixture bedrock make some up; to record, real ones are needed"
        )


def _source(env: Environment) -> str:
    """What credentials come of, where no keys are in the environment."""
    if env.environ.get(BEARER) and (env.endpoint is None or env.endpoint.is_encrypted):
        return f"{BEARER} alone"
    if word := next((word for name, word in _ELSEWHERE.items() if env.environ.get(name)), ""):
        return f"by {word}"
    return f"profile {env.profile.name}: {env.profile.credentials}" if env.profile.credentials else ""


def check_region(env: Environment) -> Iterator[Diagnosis]:
    """boto3 reads AWS_DEFAULT_REGION, JavaScript's SDK AWS_REGION; both a profile."""
    region, default = env.environ.get(_REGION), env.environ.get(_DEFAULT_REGION)
    if region and default and region != default:
        both = f"{_REGION}={region} and {_DEFAULT_REGION}={default}"
        fix = "set both to the same: boto3 reads the second, most other SDKs the first"
        yield note("region", expected="one region", found=both, fix=fix)
    elif region and not default and not env.profile.region:
        fix = f"export {_DEFAULT_REGION}={region}"
        yield note("region", expected=f"{_DEFAULT_REGION} too, for boto3", found=f"{_REGION} alone", fix=fix)
    elif region or default or env.profile.region:
        yield ok("region", region or default or f"{env.profile.region} of profile {env.profile.name}")
    elif env.endpoint:
        fix = f"export {_REGION}=us-east-1 {_DEFAULT_REGION}=us-east-1"
        yield wrong("region", expected="a region, for no SDK calls without", found="none", fix=fix)
    else:
        yield ok("region", "none: bedtape run and the fixture bedrock set us-east-1")


def check_profile(env: Environment) -> Iterator[Diagnosis]:
    """Whether AWS's files can be read, and hold the profile that is named."""
    name, variable = find_profile(env.environ)
    if env.profile.problem:
        fix = "fix the file, or name another in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE: boto3 makes no client before"
        yield wrong("profile", expected="AWS's files to be readable", found=env.profile.problem, fix=fix)
    elif variable and not env.profile.exists:
        expected = f"the profile {name} that {variable} names"
        yield wrong("profile", expected=expected, found="none of this name", fix=f"unset {variable}, or add it")
    else:
        yield ok("profile", f"{name} ({variable})" if variable else "default" if env.profile.exists else "none")


def check_bundles(env: Environment) -> Iterator[Diagnosis]:
    """Certificates that are named must be there: nothing here needs them, but recording and all real calls do."""
    absent = [name for name in BUNDLES if name in env.missing]
    for name in absent:
        fix = f"unset {name}, or name a file that is there: calls over TLS fail, recording too"
        yield wrong("certificates", expected=f"the file that {name} names", found="none there", fix=fix)
    if not absent:
        names = [name for name in BUNDLES if env.environ.get(name)]
        yield ok("certificates", ", ".join(names) or "the usual ones")
