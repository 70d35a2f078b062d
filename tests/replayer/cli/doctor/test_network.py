"""Proxies and the port, and what is told of them."""

import pytest

from bedtape_replayer.cli.doctor import network
from bedtape_replayer.cli.doctor.addresses import Address
from bedtape_replayer.cli.doctor.environment import ChosenSettings, Environment, Listener

POINTED = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"}
PROXY = {"HTTP_PROXY": "http://me:hidden@proxy.example.com:3128"}


@pytest.mark.parametrize(
    ("environ", "level", "said"),
    [
        ({}, "ok", "none for http://"),
        ({"HTTPS_PROXY": "http://proxy.example.com"} | POINTED, "ok", "none for http://"),
        (PROXY, "note", "which add it; else export NO_PROXY=127.0.0.1"),
        (PROXY | POINTED, "wrong", "HTTP_PROXY=http://proxy.example.com:3128 for all; export NO_PROXY=127.0.0.1"),
        (PROXY | POINTED | {"NO_PROXY": "a.example"}, "wrong", "export NO_PROXY=a.example,127.0.0.1"),
        (PROXY | POINTED | {"no_proxy": "a.example", "NO_PROXY": "*"}, "wrong", "export no_proxy=a.example,127.0.0.1"),
        (PROXY | POINTED | {"NO_PROXY": "localhost, 127.0.0.1"}, "ok", "not for 127.0.0.1"),
        (PROXY | POINTED | {"NO_PROXY": "*"}, "ok", "not for 127.0.0.1"),
        (PROXY | {"AWS_ENDPOINT_URL": "http://localhost:4566", "NO_PROXY": "127.0.0.1"}, "wrong", "localhost"),
        ({"ALL_PROXY": "socks5://proxy"} | POINTED, "note", "ALL_PROXY"),
    ],
)
def test_proxies(environ: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = network.check_proxy(Environment(environ))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis
    assert "hidden" not in str(diagnosis)


@pytest.mark.parametrize(
    ("listener", "level", "said"),
    [
        (None, "ok", "4566 is free"),
        (Listener("nobody"), "ok", "4566 is free"),
        (Listener("bedtape", "bedtape 0.1.0"), "ok", "4566: bedtape 0.1.0"),
        (
            Listener("localstack", "LocalStack 4.0"),
            "note",
            "found LocalStack 4.0; end that, or bedtape replay --port 0",
        ),
        (Listener("silent", "something"), "note", "found something"),
    ],
)
def test_the_port(listener: Listener | None, level: str, said: str) -> None:
    listeners = {Address("127.0.0.1", 4566): listener} if listener else {}
    (diagnosis,) = network.check_port(Environment(listeners=listeners))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


def test_the_port_is_what_settings_say() -> None:
    listeners = {Address("127.0.0.1", 4567): Listener("bedtape", "bedtape 0.1.0")}
    (diagnosis,) = network.check_port(Environment(listeners=listeners, settings=ChosenSettings(port=4567)))
    assert diagnosis.found == "4567: bedtape 0.1.0"
    (diagnosis,) = network.check_port(Environment(settings=ChosenSettings(port=0)))
    assert diagnosis.level == "ok"
