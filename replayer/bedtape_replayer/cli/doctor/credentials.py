"""Checks the configuration of clients: keys, bearer token, region, profile, certificates.

Results contain no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bedtape_cassettes.addresses import BEARER
from bedtape_cassettes.storage.trust import BUNDLE_VARIABLES
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis, note, ok, wrong
from bedtape_replayer.cli.doctor.environment import Environment
from bedtape_replayer.cli.doctor.profile import find_profile

_ID, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
# Variables that name another source of credentials.
_ELSEWHERE = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "a web identity",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "the container",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "the container",
}
_REGION, _DEFAULT_REGION = "AWS_REGION", "AWS_DEFAULT_REGION"


def _mask(key: str) -> str:
    """Return the length of an access key id, and its prefix (AKIA, ASIA) if it has AWS's format."""
    kind = re.match(r"A[KS]IA(?=[A-Z0-9]{12})", key)
    return f"{kind[0] if kind else ''}… ({len(key)} characters)"


def check_bearer(env: Environment) -> Iterator[Diagnosis]:
    """Check the Bedrock API key, which outranks access keys, and which two SDKs keep from http."""
    token = env.environ.get(BEARER)
    if not token:
        yield ok("bearer token", f"{BEARER} is not set")
        return
    actual = f"a token of {len(token)} characters"
    if env.endpoint and env.endpoint.is_encrypted:
        yield ok("bearer token", f"{actual}, for an endpoint over https")
        return
    expected = (
        f"no {BEARER}, because boto3 (from 1.44 on) and the SDK for Go do not send it over http://"
    )
    if env.endpoint:
        fix = f"unset {BEARER}, or use bedtape run, with --tls to send a key"
        yield wrong("bearer token", expected=expected, found=actual, fix=fix)
    else:
        fix = (
            "unset it where you set an endpoint; bedtape run and the fixture bedrock remove it, or"
            " use TLS and replace it"
        )
        yield note("bearer token", expected=expected, found=actual, fix=fix)


def check_keys(env: Environment) -> Iterator[Diagnosis]:
    """Check for access keys, which every SDK needs to sign. bedtape accepts any keys."""
    key, secret = env.environ.get(_ID), env.environ.get(_SECRET)
    if bool(key) != bool(secret):
        present, missing = (_ID, _SECRET) if key else (_SECRET, _ID)
        yield wrong(
            "credentials",
            expected=f"{_ID} and {_SECRET}",
            found=f"{present} alone",
            fix=f"set {missing} too",
        )
    elif key:
        yield ok("credentials", f"{_ID}={_mask(key)}")
    elif source := _source(env):
        yield ok("credentials", source)
    elif env.endpoint:
        fix = f"export {_ID}=any {_SECRET}=any, because bedtape accepts any keys"
        yield wrong(
            "credentials",
            expected="access keys, because no SDK sends calls without keys",
            found="no keys",
            fix=fix,
        )
    else:
        yield ok(
            "credentials",
            "no keys: bedtape run and the fixture bedrock set invented keys; recording needs real"
            " keys",
        )


def _source(env: Environment) -> str:
    """Return the source of credentials other than keys in the environment, or ""."""
    if env.environ.get(BEARER) and (env.endpoint is None or env.endpoint.is_encrypted):
        return f"{BEARER} alone"
    if source := next((source for name, source in _ELSEWHERE.items() if env.environ.get(name)), ""):
        return f"from {source}"
    return (
        f"profile {env.profile.name}: {env.profile.credentials}" if env.profile.credentials else ""
    )


def check_region(env: Environment) -> Iterator[Diagnosis]:
    """Check the region: boto3 reads AWS_DEFAULT_REGION, JavaScript AWS_REGION, both a profile."""
    region, default = env.environ.get(_REGION), env.environ.get(_DEFAULT_REGION)
    if region and default and region != default:
        both = f"{_REGION}={region} and {_DEFAULT_REGION}={default}"
        fix = (
            "set both to the same region: boto3 reads the second variable, most other SDKs the"
            " first"
        )
        yield note("region", expected="one region", found=both, fix=fix)
    elif region and not default and not env.profile.region:
        fix = f"export {_DEFAULT_REGION}={region}"
        yield note(
            "region",
            expected=f"{_DEFAULT_REGION} too, for boto3",
            found=f"{_REGION} alone",
            fix=fix,
        )
    elif region or default or env.profile.region:
        yield ok(
            "region", region or default or f"{env.profile.region} of profile {env.profile.name}"
        )
    elif env.endpoint:
        fix = f"export {_REGION}=us-east-1 {_DEFAULT_REGION}=us-east-1"
        yield wrong(
            "region",
            expected="a region, because no SDK sends calls without a region",
            found="no region",
            fix=fix,
        )
    else:
        yield ok("region", "no region: bedtape run and the fixture bedrock set us-east-1")


def check_profile(env: Environment) -> Iterator[Diagnosis]:
    """Check whether AWS's files can be read and contain the selected profile."""
    name, variable = find_profile(env.environ)
    if env.profile.problem:
        fix = (
            "fix the file, because boto3 cannot start, or name another in AWS_CONFIG_FILE or"
            " AWS_SHARED_CREDENTIALS_FILE"
        )
        yield wrong("profile", expected="readable AWS files", found=env.profile.problem, fix=fix)
    elif variable and not env.profile.exists:
        expected = f"the profile {name} that {variable} names"
        yield wrong(
            "profile",
            expected=expected,
            found="no profile of this name",
            fix=f"unset {variable}, or add the profile",
        )
    else:
        yield ok(
            "profile",
            (
                f"{name} ({variable})"
                if variable
                else "default"
                if env.profile.exists
                else "no profile"
            ),
        )


def check_bundles(env: Environment) -> Iterator[Diagnosis]:
    """Check that configured certificate files exist, which recording and real calls need."""
    missing = [name for name in BUNDLE_VARIABLES if name in env.missing]
    for name in missing:
        fix = (
            f"unset {name}, or name an existing file, because recording and other calls over TLS"
            " fail"
        )
        yield wrong(
            "certificates", expected=f"the file that {name} names", found="no such file", fix=fix
        )
    if not missing:
        names = [name for name in BUNDLE_VARIABLES if env.environ.get(name)]
        yield ok("certificates", ", ".join(names) or "the default certificates")
