"""AWS's files are read as botocore reads them: it is the oracle."""

from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ConfigParseError, ProfileNotFound

from bedtape_replayer.cli.doctor.profile import find_profile, read

CONFIG = """\
[default]
region = eu-west-1
endpoint_url = http://127.0.0.1:1

[profile dev]
region=eu-west-2
services = local
ignore_configured_endpoint_urls = False

[profile "two words"]
region = eu-west-3
sso_session = corp

[sso-session corp]
sso_region = eu-west-3
sso_start_url = https://example.com

[services local]
s3 =
  endpoint_url = http://127.0.0.1:3
bedrock_runtime =
  endpoint_url = http://127.0.0.1:2

[preview]
region = no-profile-1
"""
CREDENTIALS = """\
[keys]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
region = sa-east-1
"""


@pytest.mark.parametrize("name", ["default", "dev", "two words", "keys", "preview", "nobody"])
def test_region_and_endpoint_are_botocores(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    profile = read(name, CONFIG, CREDENTIALS)
    session = botocore.session.Session(profile=name)
    try:
        scoped = session.get_scoped_config()
    except ProfileNotFound:
        assert not profile.exists
        return
    assert profile.exists
    assert profile.region == scoped.get("region", "")
    client = session.create_client(
        "bedrock-runtime", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    expected = "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert (profile.runtime_endpoint or profile.endpoint or expected) == client.meta.endpoint_url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hidden\n", "text before the first section in ~/.aws/config, line 1"),
        ("[a]\nb = 1\n[a]\nb = 2\n", "a duplicate section or key in ~/.aws/config, line 3"),
        ("[a]\nb = 1\nb = hidden\n", "a duplicate section or key in ~/.aws/config, line 3"),
        (
            "[a]\nhidden\nb = 1\nhidden\n",
            "neither a section nor KEY = VALUE in ~/.aws/config, line 2, line 4",
        ),
    ],
)
def test_what_botocore_cannot_read_is_a_problem(
    text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which the place is told, and not the line: it may be a key that was pasted there."""
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ConfigParseError):
        _ = botocore.session.Session().full_config
    assert problem in read("default", text, "").problem
    assert "hidden" not in read("default", text, "").problem


@pytest.mark.parametrize(
    ("section", "source"),
    [
        ("aws_access_key_id = A", "access keys"),
        ("sso_session = s", "SSO"),
        ("role_arn = r", "a role"),
        ("", ""),
    ],
)
def test_what_credentials_come_of(section: str, source: str) -> None:
    assert read("default", f"[default]\n{section}\n", "").credentials == source


def test_what_a_profile_turns_on() -> None:
    profile = read(
        "default",
        "[default]\nuse_fips_endpoint = True\nignore_configured_endpoint_urls = true\n",
        "",
    )
    assert (profile.kinds, profile.ignores_endpoints) == (("use_fips_endpoint",), True)
    assert read("default", "[default]\nuse_dualstack_endpoint = false\n", "").kinds == ()


def test_no_files_are_no_profile() -> None:
    assert not read("default", "", "").exists


def test_the_variable_that_botocore_reads_first_wins() -> None:
    environ = {"AWS_PROFILE": "b", "AWS_DEFAULT_PROFILE": "a"}
    assert find_profile(environ) == ("a", "AWS_DEFAULT_PROFILE")
    assert find_profile({}) == ("default", "")
