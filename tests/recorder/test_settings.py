"""Where private files are, and what an upstream may be."""

from pathlib import Path

import pytest

from bedtape_recorder.errors import RecorderError
from bedtape_recorder.settings import Settings, find_state_folder, parse_upstream


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BEDTAPE_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, Path("/a")),
        ({"BEDTAPE_STATE_DIR": "", "XDG_STATE_HOME": "/b"}, Path("/b/bedtape")),
        ({"XDG_STATE_HOME": ""}, Path.home() / ".local/state/bedtape"),
        ({}, Path.home() / ".local/state/bedtape"),
    ],
)
def test_the_state_folder(environ: dict[str, str], folder: Path) -> None:
    assert find_state_folder(environ) == folder


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
    "url", ["", "localhost:80", "ftp://a", "https://", "https://:80", "//a", "http://a:port", "http://a:99999"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(RecorderError, match=r"--upstream: expected a URL such as https://HOST:PORT, found"):
        parse_upstream(url)


def test_by_default_real_endpoints_and_only_what_is_new() -> None:
    settings = Settings(Path("a"))
    assert (settings.upstream, settings.record, settings.mode, settings.exact) == (None, "once", "reverse", False)
    assert settings.redaction.patterns == ()
