"""What is found, of files in folders made for it, and of servers on loopback."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.cli.doctor import probe
from bedtape_replayer.cli.doctor.addresses import Address
from bedtape_replayer.cli.doctor.cli import examine
from bedtape_replayer.cli.doctor.environment import Listener
from bedtape_replayer.cli.doctor.probe import gather, listener_at
from support import WAIT, folders
from support.recordings import converse


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probe, "_PATIENCE", WAIT)
    return tmp_path


def _free() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return Address("127.0.0.1", probe.getsockname()[1])


@contextmanager
def _serving(answers: dict[str, str]) -> Iterator[Address]:
    """A server that has these JSON bodies at these paths, and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(self.path, "no").encode())

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Address("127.0.0.1", server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_bedtape_says_what_it_plays() -> None:
    with Replayer(store.samples()) as bedrock:
        listener = listener_at(Address("127.0.0.1", bedrock.port))
        assert not bedrock.calls
    assert listener.kind == "bedtape"
    assert listener.summary.endswith("40 interactions in 12 cassettes")


def test_other_servers_are_told_apart() -> None:
    health = json.dumps({"services": {"s3": "running"}, "version": "4.0"})
    with _serving({"/_localstack/health": health}) as address:
        assert listener_at(address) == Listener("localstack", "LocalStack 4.0")
    with _serving({"/_bedtape/health": "[]"}) as address:
        listener = listener_at(address)
        assert listener.kind == "http"
        assert listener.summary.startswith("another server (BaseHTTP/")


def test_what_speaks_no_http_and_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = Thread(target=greet, daemon=True)
        thread.start()
        listener = listener_at(Address("127.0.0.1", server.getsockname()[1]))
        thread.join()
    assert listener.kind == "silent"
    assert listener_at(_free()).kind == "nobody"


@pytest.mark.parametrize(
    "begins", ["", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"]
)
def test_who_sends_a_byte_now_and_then_is_not_waited_for(
    begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked: list[int] = []

        def drip() -> None:
            while len(asked) < 2:
                try:
                    client, _ = server.accept()
                except OSError:  # nobody asks any more
                    return
                asked.append(1)
                with client, suppress(OSError):
                    client.sendall(begins.encode())
                    while not Event().wait(0.02):
                        client.sendall(b"H")

        thread = Thread(target=drip, daemon=True)
        thread.start()
        listener = listener_at(Address("127.0.0.1", server.getsockname()[1]))
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert listener.kind in ("silent", "http")


def test_what_others_say_of_themselves_is_short_and_may_be_anything() -> None:
    with _serving({"/_bedtape/health": "[" * 60000}) as address:
        assert listener_at(address).kind == "http"
    with _serving(
        {"/_bedtape/health": json.dumps({"cassettes": "x" * 9999, "interactions": [1]})}
    ) as address:
        assert len(listener_at(address).summary) < 200


def test_every_address_of_this_machine_that_is_named_is_asked_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What else was asked, the fixture that forbids it would tell."""
    nobody = _free()
    with Replayer([]) as bedrock:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{nobody.port}")
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", "http://bedrock.example.com")
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com:3128")
        environment = gather()
        kinds = {address: listener.kind for address, listener in environment.listeners.items()}
        assert kinds.pop(Address("127.0.0.1", bedrock.port)) == "bedtape"
    assert kinds.pop(nobody) == "nobody"
    assert list(kinds) == [Address("127.0.0.1", 4566)]


def test_this_python() -> None:
    environment = gather()
    assert environment.python.version == sys.version_info[:3]
    assert environment.python.prefix == sys.prefix
    assert {"boto3", "botocore", "pytest"} <= environment.packages.keys()
    assert environment.open_files is None or environment.open_files > 0


def test_the_projects_cassettes(project: Path) -> None:
    assert gather().cassette_folders == ()
    folders.write(project / "cassettes", Cassette("a", (converse("1", "1"), converse("2", "2"))))
    (project / "tests" / "cassettes").mkdir(parents=True)
    (one,) = gather().cassette_folders
    assert (one.folder, one.cassettes, one.interactions, one.problems) == ("cassettes", 1, 2, ())
    (project / "tests" / "cassettes" / "0001.yaml").write_text("bedtape: [\n")
    broken = gather().cassette_folders[1]
    assert broken.folder == "tests/cassettes"
    assert broken.problems[0].startswith("tests/cassettes/0001.yaml:2: expected")


def test_settings_and_the_cassettes_that_they_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bedtape.toml").write_text('cassettes = "tapes"\n[replay]\nport = 0\n')
    environment = gather()
    assert environment.settings.file is not None
    assert (Path(environment.settings.file), environment.settings.port) == (
        project / "bedtape.toml",
        0,
    )
    (missing,) = environment.cassette_folders
    assert missing.problems == (
        "tapes: no such file or folder; name a folder of cassettes or a .tape file",
    )
    folders.write(project / "tapes", Cassette("a", (converse("1", "1"),)))
    (folder,) = gather().cassette_folders
    assert (folder.folder, folder.interactions) == ("tapes", 1)
    monkeypatch.setenv("BEDTAPE_REPLAY_PROT", "1")
    assert "BEDTAPE_REPLAY_PROT" in gather().settings.warnings[0]
    (project / "bedtape.toml").write_text("port = 1\nspeed = 2\n")
    assert len(gather().settings.problems) == 2


def test_the_profile_in_force(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dev")
    monkeypatch.setenv("AWS_CONFIG_FILE", "$HERE/config")
    monkeypatch.setenv("HERE", str(project))
    assert not gather().profile.exists
    (project / "config").write_text("[profile dev]\nregion = eu-west-1\n")
    assert gather().profile.region == "eu-west-1"
    (project / "config").write_bytes(b"[profile dev]\nregion = \xff\n")
    assert "config" in gather().profile.problem
    (project / "config").write_text("[profile dev\n")
    assert gather().profile.problem == "text before the first section in $HERE/config, line 1"


def test_certificates_that_are_not_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "ca.pem").touch()
    monkeypatch.setenv("AWS_CA_BUNDLE", "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "nosuch.pem")
    assert "AWS_CA_BUNDLE" not in gather().missing
    assert "SSL_CERT_FILE" in gather().missing


def test_what_stands_where_a_files_name_should_is_not_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "[default]\naws_secret_access_key = hidden\n" + "A" * 5000
    for name in ("NODE_EXTRA_CA_CERTS", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, content)
    environment = gather()
    assert "NODE_EXTRA_CA_CERTS" in environment.missing
    assert not environment.profile.exists
    assert "hidden" not in str(examine(environment))


def test_the_cache_is_looked_at_and_not_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gather().cache is None
    monkeypatch.setenv("BEDTAPE_CACHE_DIR", str(project / "new" / "cache"))
    environment = gather()
    assert (environment.cache, environment.cache_problem) == (str(project / "new" / "cache"), "")
    (project / "new").touch()
    assert gather().cache_problem == f"{project / 'new'} is not a folder"
    assert [path.name for path in project.iterdir()] == ["new"]
    monkeypatch.setenv("BEDTAPE_CACHE_DIR", "x" * 5000)
    assert gather().cache_problem == "File name too long"


def test_packages_of_npm(project: Path) -> None:
    assert gather().npm == {}
    find_profile = {
        "dependencies": {"@aws-sdk/client-bedrock-runtime": "^3", "left-pad": "1"},
        "devDependencies": ["odd"],
    }
    (project / "package.json").write_text(json.dumps(find_profile))
    assert gather().npm == {"@aws-sdk/client-bedrock-runtime": ""}
    installed = project / "node_modules" / "@aws-sdk" / "client-bedrock-runtime"
    installed.mkdir(parents=True)
    (installed / "package.json").write_text('{"version": "3.1163.0"}')
    assert gather().npm == {"@aws-sdk/client-bedrock-runtime": "3.1163.0"}
    for broken in ("{", "[" * 100_000):
        (project / "package.json").write_text(broken)
        assert gather().npm == {}


@pytest.mark.parametrize("tls", [True, False])
def test_an_endpoint_over_https_is_asked_for_tls(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: bool
) -> None:
    monkeypatch.setenv("BEDTAPE_STATE_DIR", str(tmp_path / "state"))
    with Replayer((), tls=tls) as bedrock:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"https://127.0.0.1:{bedrock.port}")
        listener = gather().listeners[Address("127.0.0.1", bedrock.port)]
    assert (listener.kind, listener.tls) == ("bedtape", tls)
