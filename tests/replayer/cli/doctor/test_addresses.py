"""Which addresses are this machine's, and what of a URL may be shown."""

import pytest

from bedtape_replayer.cli.doctor.addresses import Address, address_of, render_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:4566", ("127.0.0.1", 4566)),
        ("http://localhost", ("localhost", 80)),
        ("https://127.9.9.9/s/a", ("127.9.9.9", 443)),
        ("http://[::1]:8080", ("::1", 8080)),
        ("http://0.0.0.0:4566", ("0.0.0.0", 4566)),
        ("http://10.0.0.1:4566", None),
        ("http://localhost.example.com", None),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", None),
        ("ftp://127.0.0.1", None),
        ("http://127.0.0.1:99999", None),
        ("http://[::1", None),
        ("http://", None),
        ("127.0.0.1:4566", None),
        ("", None),
    ],
)
def test_only_addresses_of_this_machine_are_asked(
    url: str, address: tuple[str, int] | None
) -> None:
    assert address_of(url) == (Address(*address) if address else None)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://me:word@127.0.0.1:4566/s/a?key=word", "http://127.0.0.1:4566/s/a"),
        ("word word", "no URL (9 characters)"),
        ("http://word@[bad", "no URL (16 characters)"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(url: str, seen: str) -> None:
    assert render_url(url) == seen
