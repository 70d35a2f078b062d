"""The gate: shut unless it says exactly 1, for every command and for whatever can talk to AWS."""

import importlib.util
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

import bedtape_recorder
from bedtape_cassettes.model import Cassette
from bedtape_recorder import settings
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.errors import GateError, RecorderError
from bedtape_recorder.settings import Settings
from bedtape_recorder.verify import verify
from support import WAIT, folders
from support import interactions as some

SHUT = [
    {},
    {settings.GATE: ""},
    {settings.GATE: "0"},
    {settings.GATE: "true"},
    {settings.GATE: " 1"},
    {settings.GATE: "11"},
]
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def bedtape(*arguments: str, before: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, with an environment of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name != settings.GATE
    }
    code = f"{before}\nfrom bedtape_cassettes.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**kept, **environ},
        timeout=WAIT,
    )


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    folders.write(tmp_path / "cassettes", Cassette("a", (some.small(),)))
    return tmp_path / "cassettes"


@pytest.mark.parametrize("environ", SHUT, ids=str)
def test_it_is_shut(environ: dict[str, str]) -> None:
    with pytest.raises(GateError, match="costs money: set RUN_REAL_BEDROCK_TESTS=1 to allow it"):
        settings.check_gate(environ)


def test_it_opens_for_exactly_one_value() -> None:
    settings.check_gate({settings.GATE: "1"})


def test_a_refusal_says_what_was_found() -> None:
    with pytest.raises(GateError, match=r"\(it is not set\)"):
        settings.check_gate({})
    with pytest.raises(GateError, match=r"\(it is 'yes'\)"):
        settings.check_gate({settings.GATE: "yes"})


@pytest.mark.parametrize("value", [None, "true"])
@pytest.mark.parametrize(
    "options", [("--", "echo", "hi"), ("--verify",), (), ("--mode", "forward", "--", "echo", "hi")]
)
def test_the_commands_refuse_in_one_line(
    options: tuple[str, ...], value: str | None, cassettes: Path
) -> None:
    environ = {**KEYS, "BEDTAPE_STATE_DIR": str(cassettes.parent / "state")}
    if value is not None:
        environ[settings.GATE] = value
    ended = bedtape("record", "--to", str(cassettes), *options, **environ)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(
        "bedtape: this calls real Amazon Bedrock, which costs money: set RUN_REAL_BEDROCK_TESTS=1"
    )
    assert not (cassettes.parent / "state").exists()


def test_without_mitmproxy_the_command_says_how_to_get_it(cassettes: Path) -> None:
    absent = "import sys; sys.modules['mitmproxy'] = sys.modules['certifi'] = None"
    ended = bedtape(
        "record",
        "--to",
        str(cassettes),
        "--",
        "echo",
        "hi",
        before=absent,
        **KEYS,
        **{settings.GATE: "1"},
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert "pip install 'bedtape[record]'" in line
    assert "pipx install 'bedtape[record]'" in line


# -- nothing leaves this machine -------------------------------------------------------------------

# Before anything of ours runs: whoever looks a name up or contacts a host that is not this
# machine ends the process.
_TRIPWIRE = """
import os, socket
def tripped(host):
    if str(host) not in ("localhost", "127.0.0.1", "::1", "None", "b'localhost'"):
        os.write(2, f"contacted {host}".encode())
        os._exit(99)
lookup = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    tripped(host)
    return lookup(host, *rest, **more)
class Guarded(socket.socket):
    def connect(self, address):
        tripped(address[0] if isinstance(address, tuple) else None)
        return super().connect(address)
    def connect_ex(self, address):
        tripped(address[0] if isinstance(address, tuple) else None)
        return super().connect_ex(address)
    def sendto(self, data, *rest):
        tripped(rest[-1][0])
        return super().sendto(data, *rest)
socket.getaddrinfo, socket.socket = getaddrinfo, Guarded
"""
# Each would be asked over the network by whoever asked: for keys, as a proxy, as the service.
_TEMPTING = {
    "AWS_EC2_METADATA_DISABLED": "false",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "HTTPS_PROXY": "http://192.0.2.1:3128",
    "HTTP_PROXY": "http://192.0.2.1:3128",
    "NO_PROXY": "",
}
EVERY_WAY = [
    ("--verify",),
    ("--verify", "--upstream", "https://192.0.2.1"),
    ("--mode", "forward"),
    ("--mode", "forward", "--upstream", "https://192.0.2.1"),
    ("--mode", "forward", "--", "echo", "hi"),
    ("--mode", "reverse", "--", "echo", "hi"),
    ("--record", "all", "--", "echo", "hi"),
]


def _ends(
    python: Path, cassettes: Path, *options: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """The command with the wire in place; any that is not refused records, until the
    child or the test ends it.
    """
    kept = {
        n: v
        for n, v in os.environ.items()
        if not n.lower().endswith("_proxy") and n != settings.GATE
    }
    code = f"{_TRIPWIRE}\nfrom bedtape_cassettes.cli.main import main; main()"
    told = [python, "-c", code, "record", "--to", cassettes, *options]
    return subprocess.run(
        told, capture_output=True, text=True, env={**kept, **_TEMPTING, **environ}, timeout=WAIT
    )


@pytest.mark.parametrize("options", EVERY_WAY, ids=" ".join)
@pytest.mark.parametrize("keys", [KEYS, {}], ids=["keys", "no keys"])
def test_behind_a_shut_gate_no_command_contacts_anybody(
    options: tuple[str, ...], keys: dict[str, str], recorder: Path, cassettes: Path
) -> None:
    """With mitmproxy installed, too: then nothing but the gate is in the way."""
    state = cassettes.parent / "state"
    ended = _ends(recorder / "python", cassettes, *options, **keys, BEDTAPE_STATE_DIR=str(state))
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert "costs money" in ended.stderr
    assert not state.exists()


@pytest.mark.parametrize("keys", [KEYS, {}], ids=["keys", "no keys"])
def test_with_the_gate_open_the_wire_would_have_told(keys: dict[str, str], cassettes: Path) -> None:
    ended = _ends(Path(sys.executable), cassettes, "--verify", **keys, **{settings.GATE: "1"})
    assert ended.returncode == 99, ended.stderr
    assert ended.stderr.splitlines()[-1] == f"contacted {'192.0.2.1' if keys else '169.254.170.23'}"


# -- the code, under the guard that fails whatever leaves this machine -----------------------------


class _Anything(ModuleType):
    """A module in which every name is something."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


class _StandIn(MetaPathFinder, Loader):
    """Finds mitmproxy and certifi where they are not installed, so that
    every module can be imported.
    """

    absent = tuple(
        name for name in ("certifi", "mitmproxy") if importlib.util.find_spec(name) is None
    )

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return (
            ModuleSpec(fullname, self, is_package=True)
            if fullname.split(".")[0] in self.absent
            else None
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every module of the recorder can be imported; afterwards none is left that
    was made with a stand-in.
    """
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, _StandIn()])
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("environ", SHUT, ids=str)
def test_nothing_that_can_talk_to_aws_begins(
    environ: dict[str, str], cassettes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # asking for keys would ask the network
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    names = [module.name for module in pkgutil.iter_modules(bedtape_recorder.__path__)]
    modules = {
        name: importlib.import_module(f"bedtape_recorder.{name}")
        for name in names
        if name != "mitmproxy_script"
    }
    settings = Settings(cassettes)
    for begin in (
        lambda: modules["session"].Recording(settings, environ),
        lambda: verify(settings, environ),
        lambda: Credentials(None, None, environ),
    ):
        with pytest.raises(GateError):
            begin()


def test_a_shut_gate_is_a_recorders_error() -> None:
    assert issubclass(GateError, RecorderError)
