"""What every test may rely on: nothing but loopback is ever contacted, and no credentials
of this machine are used.
"""

import ipaddress
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from bedtape_cassettes.config.options import CONFIG, variables

# A shell that starts the tests in the background ignores SIGINT, and so would every
# process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow or loaded machine must not fail a test, and neither must another choice of examples:
# tests/fuzz chooses at random. The environments of tests/matrix have no Hypothesis.
with suppress(ImportError):
    from hypothesis import HealthCheck, settings

    from support.examples import examples

    settings.register_profile(
        "bedtape",
        deadline=None,
        derandomize=True,
        max_examples=examples(100),
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("bedtape")

# The variables of whoever runs the tests, or of their CI or git hook, that change what a program
# does or prints; and one that lets each process of a test compile all source again.
_UNSET = re.compile(
    r"(AWS|GITHUB|GIT)_.*|((HTTPS?|ALL|NO)_PROXY)|CI|BUILD_NUMBER|COLUMNS|LINES"
    r"|FORCE_COLOR|NO_COLOR|PY_COLORS|TERMINAL_WIDTH|PYTEST_ADDOPTS|SOURCE_DATE_EPOCH"
    r"|PYTHONDONTWRITEBYTECODE"
    r"|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|NODE_(EXTRA_CA_CERTS|OPTIONS)",
    re.IGNORECASE,
)


# The variables of OpenAI's and Anthropic's clients, which tests/matrix then sets as users do.
_UNSET_ONCE = re.compile(r"(OPENAI|ANTHROPIC)_.*")


def _list_unset() -> list[str]:
    return [name for name in os.environ if _UNSET.fullmatch(name)]


# Some libraries read them when they are imported.
for _name in (*_list_unset(), *filter(_UNSET_ONCE.fullmatch, os.environ)):
    del os.environ[_name]


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):  # a Unix socket
        return True
    host = str(address[0]).split("%")[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Fails whatever would leave this machine, at the socket."""
    patch = pytest.MonkeyPatch()

    def guarded(name: str) -> None:
        original = getattr(socket.socket, name)

        def guard(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(arguments[-1]):
                raise AssertionError(f"a test contacts {arguments[-1]}: only loopback is allowed")
            return original(self, *arguments)

        patch.setattr(socket.socket, name, guard)

    for name in ("connect", "connect_ex", "sendto"):
        guarded(name)
    lookup = socket.getaddrinfo

    def guarded_lookup(host: Any, *arguments: Any, **named: Any) -> Any:
        shown = host.decode() if isinstance(host, bytes) else host
        if shown is not None and not _is_loopback((shown, 0)):
            raise AssertionError(f"a test looks up {shown}: only loopback is allowed")
        return lookup(host, *arguments, **named)

    patch.setattr(socket, "getaddrinfo", guarded_lookup)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No credentials, endpoints, settings or caches of whoever runs the tests."""
    for name in (*_list_unset(), *(variable for variable, _ in variables()), CONFIG):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("BEDTAPE_CACHE_DIR", "")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Prints what tests counted (`record_property("counted", …)`): how much of the corpus
    was replayed, and what not.
    """
    lines = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "counted"
    ]
    if lines:
        terminalreporter.section("counted")
        for line in sorted(lines):
            terminalreporter.line(line)
