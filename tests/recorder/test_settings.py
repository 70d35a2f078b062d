"""What an upstream may be."""

from inspect import signature
from pathlib import Path

import pytest

from bedtape_recorder.cli.record import record
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.settings import DEFAULTS, Settings, parse_upstream, read_script_settings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (None, None),
        (
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            ("https", "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", 443),
        ),
        ("http://127.0.0.1:8080", ("http", "127.0.0.1", 8080)),
        ("http://[::1]/", ("http", "::1", 80)),
    ],
)
def test_an_upstream(url: str | None, address: tuple[str, str, int] | None) -> None:
    assert parse_upstream(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:80",
        "ftp://a",
        "https://",
        "https://:80",
        "//a",
        "http://a:port",
        "http://a:99999",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(
        RecorderError, match=r"--upstream: expected a URL such as https://HOST:PORT, found"
    ):
        parse_upstream(url)


def test_by_default_real_endpoints_and_only_what_is_new() -> None:
    settings = Settings(Path("a"))
    assert (settings.upstream, settings.record, settings.mode, settings.exact) == (
        None,
        "once",
        "reverse",
        False,
    )
    assert settings.redaction.patterns == ()


def test_the_command_and_the_settings_have_the_same_defaults() -> None:
    """The addon for mitmproxy takes the defaults of the settings."""
    options = {name: option.default for name, option in signature(record).parameters.items()}
    assert {
        name: options[name]
        for name in ("mode", "record", "read_on", "port", "exact", "prune", "allow_unknown")
    } == {
        name: getattr(DEFAULTS, name)
        for name in ("mode", "record", "read_on", "port", "exact", "prune", "allow_unknown")
    }
    assert options["to"] == DEFAULTS.folder


@pytest.mark.parametrize("seconds", [-1, 3601])
def test_a_number_of_mitmproxy_has_the_bounds_of_the_option(seconds: int) -> None:
    """mitmproxy's own options have none."""
    options = {"name": None, "record": "once", "prune": False, "read_on": seconds}
    with pytest.raises(RecorderError, match="bedtape_read_on: expected a whole number from 0 to"):
        read_script_settings(options)
