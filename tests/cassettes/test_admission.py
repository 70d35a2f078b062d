"""Which requests a port accepts, by their headers.

The sockets are in tests/wire and tests/recorder.
"""

import pytest

from bedtape_cassettes.admission import LOOPBACK, Admission, is_loopback
from bedtape_cassettes.errors import ConfigInvalid

PAGE = "http://localhost:4566"


@pytest.mark.parametrize(
    ("host", "origin", "site", "accepted"),
    [
        ("localhost:4566", None, None, True),
        ("LocalHost", None, None, True),
        ("127.0.0.1", None, None, True),
        ("127.1.2.3:80", None, None, True),
        ("[::1]:1", None, None, True),
        ("[::1]", None, None, True),
        ("bedtape.localhost:4566", None, None, True),
        ("bedrock-runtime.us-east-1.amazonaws.com:443", None, None, True),
        ("bedrock-runtime.us-east-1.amazonaws.com.evil.com", None, None, False),
        ("s3.us-east-1.amazonaws.com", None, None, False),
        ("evil.com", None, None, False),
        ("evil.com:4566", None, None, False),
        ("127.0.0.1.evil.com", None, None, False),
        ("localhost.evil.com:4566", None, None, False),
        ("evillocalhost", None, None, False),
        ("localhost:4566@evil.com", None, None, False),
        ("localhost evil.com", None, None, False),
        ("10.0.0.1:4566", None, None, False),
        ("[::2]:4566", None, None, False),
        ("localhost:", None, None, False),
        ("", None, None, False),
        (None, None, None, False),
        ("localhost:4566", PAGE, None, True),
        ("localhost:4566", "http://localhost:3000", None, False),
        ("localhost:4566", "https://evil.com", None, False),
        ("localhost:4566", "null", None, False),
        ("localhost:4566", "http://[", None, False),
        ("localhost:4566", "", None, False),
        ("localhost:4566", None, "none", True),
        ("localhost:4566", PAGE, "same-origin", True),
        ("localhost:4566", None, "cross-site", False),
        ("localhost:4566", None, "same-site", False),
    ],
)
def test_a_port_on_loopback(
    host: str | None, origin: str | None, site: str | None, accepted: bool
) -> None:
    problem = LOOPBACK.find_problem(host, origin, site)
    assert (problem is None) == accepted
    assert problem is None or problem.startswith("expected ")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", ""])
def test_a_port_that_other_machines_can_reach_accepts_every_name_but_no_page(address: str) -> None:
    admission = Admission.at(address)
    assert admission.find_problem("bedtape:4566", None, None) is None
    assert admission.find_problem(None, None, None) is None
    assert admission.find_problem("bedtape:4566", "http://evil.com", None)
    assert admission.find_problem("bedtape:4566", None, "cross-site")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_names_that_are_allowed(address: str) -> None:
    admission = Admission.at(address, ["Bedtape.Internal", "[fd00::1]"])
    for host in ("bedtape.internal", "bedtape.INTERNAL:80", "[fd00::1]:4566", "localhost:1"):
        assert admission.find_problem(host, None, None) is None
    assert admission.find_problem("evil.bedtape.internal", None, None)


@pytest.mark.parametrize("name", ["http://a", "a:80", "", "a/b", "a b", "[::1]:1"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="--allow-host: expected a host name"):
        Admission.at("127.0.0.1", [name])


def test_addresses_of_this_machine() -> None:
    assert all(
        map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "A.localhost"))
    )
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "localhost.evil.com", "10.127.0.0.1")))
