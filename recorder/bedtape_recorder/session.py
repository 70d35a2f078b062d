"""Runs one recording: gate, credentials, proxy, journal, environment of the program."""

from __future__ import annotations

import asyncio
import http.client
import logging
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import certifi

from bedtape_cassettes.addresses import RUNTIME, point_environment, render_host, render_prefix
from bedtape_cassettes.admission import Admission
from bedtape_cassettes.config.options import without_settings
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.rules import render_arguments
from bedtape_cassettes.model import Headers
from bedtape_cassettes.names import cassette_name
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.storage import store
from bedtape_recorder import finish, gate
from bedtape_recorder.addon import Addon, PlayedAnswer
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.journal_file import JournalFile
from bedtape_recorder.proxies import read_proxies
from bedtape_recorder.proxy import Proxy
from bedtape_recorder.routing import DEFAULT_REGION, make_host_patterns
from bedtape_recorder.settings import Settings, find_state_folder, read_own_secrets

_NOT_PROXIED = "localhost,127.0.0.1,169.254.169.254,169.254.170.2"
_DRAIN = 5.0
# Headers that belong to one connection, or that http.client sets.
_CONNECTION_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "authorization", "connection"})


def make_child_environment(environ: Mapping[str, str], url: str, settings: Settings, ca: Path | None) -> dict[str, str]:
    """Returns an environment that sends a program's Bedrock calls to the recorder."""
    if settings.mode == "reverse":
        return point_environment(environ, url)
    assert ca is not None
    bundle = str(ca.with_name("bundle.pem"))
    proxied = {"HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": _NOT_PROXIED, "no_proxy": _NOT_PROXIED}
    trusted = dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), bundle)
    return {**environ, **proxied, **trusted, "NODE_EXTRA_CA_CERTS": str(ca)}


@dataclass
class Recording:
    """A running recording. Call `start`, run the program, then call `stop` to write the cassettes.

    errors: messages that mitmproxy logged. played: calls answered by existing cassettes. missed:
    calls that an existing cassette did not answer.
    """

    settings: Settings
    environ: Mapping[str, str]
    errors: list[str] = field(default_factory=list)
    played: int = 0
    missed: int = 0

    def __post_init__(self) -> None:
        gate.require(self.environ)
        self.state = find_state_folder(self.environ)
        self._proxies = read_proxies(self.environ)
        # In forward mode, clients sign their own requests.
        forward, settings = self.settings.mode == "forward", self.settings
        self._signer = (
            None if forward else Credentials(settings.profile, settings.region, self.environ, settings.upstream)
        )
        self._region = self._signer.region if self._signer else DEFAULT_REGION
        self._secret = secrets.token_hex(16)  # known to the recorded program alone
        self._admission = Admission.at("127.0.0.1", settings.allow_host)
        self.written: finish.WriteResult | None = None
        self._ready = threading.Event()
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._replay: subprocess.Popen[str] | None = None
        self._replay_at: tuple[str, int] | None = None
        self._existing: frozenset[str] = frozenset()

    def describe(self) -> str:
        """Return where requests are sent and who signs them, as one line."""
        if self._signer is None:
            return "recording the program's own requests to Bedrock, in every region; the program signs them"
        return f"recording from {self._signer.describe(self.settings.upstream)}"

    # -- start and stop ----------------------------------------------------------------------------

    def start(self) -> Recording:
        """Opens the journal and starts the proxy. Raises RecorderError if it cannot start."""
        confdir = self.state / "ca"
        confdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._before = finish.read_state(self.settings.folder)
        self._start_replay()
        settings = self.settings
        redaction = replace(settings.redaction, own=read_own_secrets(self.environ))
        self._journal = JournalFile(
            self.state, name=settings.name, exact=settings.exact, mode=settings.record, redaction=redaction
        )
        self.journal, self.capture = self._journal.path, self._journal.capture
        addon = Addon(
            self.capture,
            signer=self._signer,
            upstream=settings.upstream,
            playback=self._play,
            region=self._region,
            proxies=self._proxies,
            secret=self._secret,
            admission=self._admission,
            tunnels=self._admission.hosts,
            allow_unknown=settings.allow_unknown,
        )
        forward = settings.mode == "forward"
        login = f"bedtape:{self._secret}"
        mode = "regular" if forward else f"reverse:https://{render_host(RUNTIME, self._region)}"
        self._proxy = Proxy(
            addon,
            confdir=str(confdir),
            modes=[f"{mode}@127.0.0.1:{settings.port}"],
            ready=self._ready.set,
            trusted=self.environ.get("AWS_CA_BUNDLE"),
            only=make_host_patterns(settings.upstream) if forward else [],
            login=login if forward else None,
        )
        self._thread = threading.Thread(target=self._run, name="bedtape-record", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._journal.discard()
            self._stop_replay()
            raise RecorderError(f"the proxy did not start: {'; '.join(self.errors) or self._failure}")
        port = self._proxy.port()
        self.url = f"http://{login}@127.0.0.1:{port}" if forward else f"http://127.0.0.1:{port}/{self._secret}"
        self.ca = confdir / "mitmproxy-ca-cert.pem"
        if forward:
            self._write_bundle()
        return self

    def _run(self) -> None:
        logs = _ErrorCollector(self.errors, self._ending)
        logging.getLogger().addHandler(logs)
        try:
            asyncio.run(self._proxy.run())
        except BaseException as error:  # noqa: BLE001 - mitmproxy raises SystemExit in this thread
            self._failure = error
        finally:
            logging.getLogger().removeHandler(logs)
            self._ready.set()

    def _write_bundle(self) -> None:
        trusted = next(
            (self.environ[n] for n in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if self.environ.get(n)),
            None,
        )
        authorities = Path(trusted or certifi.where()).read_bytes()
        self.ca.with_name("bundle.pem").write_bytes(authorities + b"\n" + self.ca.read_bytes())

    def stop(self) -> finish.WriteResult:
        """Stops the proxy and turns the journal into cassettes.

        Raises CassetteError or OSError. If it raises, the journal stays.
        """
        deadline = time.monotonic() + _DRAIN
        while self.capture.live and time.monotonic() < deadline:
            time.sleep(0.02)
        self._ending.set()
        self._proxy.shutdown()
        self._thread.join()
        self._stop_replay()
        self.written = self._journal.finish(self.settings.folder, self._before)
        return self.written

    def _stop_replay(self) -> None:
        if self._replay is not None:
            self._replay.terminate()
            self._replay.wait()

    # -- environment -------------------------------------------------------------------------------

    def make_environment(self) -> dict[str, str]:
        """Return the variables of a program whose calls are recorded: the caller's, pointed at the recorder."""
        return make_child_environment(self.environ, self.url, self.settings, self.ca)

    def make_exports(self) -> dict[str, str]:
        """Return the variables to set for a program that is started elsewhere."""
        return {name: value for name, value in self.make_environment().items() if self.environ.get(name) != value}

    # -- existing cassettes ------------------------------------------------------------------------

    def _start_replay(self) -> None:
        """Starts a replayer for existing cassettes.

        Record mode `once` plays existing cassettes and records nothing into them. Record mode `new`
        also records the calls that the cassettes do not contain.
        """
        folder = self.settings.folder
        if self.settings.record == "all" or not folder.is_dir():
            return
        try:
            cassettes = store.read([folder])
        except CassetteError as error:
            raise RecorderError(f"the cassettes to add to cannot be read\n{error}") from None
        self._existing = frozenset(c.name for c in cassettes if not all(i.partial for i in c.interactions))
        if not self._existing:
            return
        code = "from bedtape_cassettes.cli.main import main; main()"
        command = [sys.executable, "-c", code, "replay", str(folder), "--port", "0", "--log-level", "error"]
        command += render_arguments(self.settings.match)
        # A separate session, because the recorded program may still make calls after Ctrl-C.
        self._replay = subprocess.Popen(  # noqa: S603
            command, env=without_settings(self.environ), stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._replay.stdout is not None
        line = self._replay.stdout.readline()
        url = urlsplit(line.split()[-1] if line else "")
        if url.hostname is None or url.port is None:
            raise RecorderError("the cassettes that exist could not be played")
        self._replay_at = (url.hostname, url.port)

    def _play(self, session: str, method: str, path: str, headers: Headers, body: bytes) -> PlayedAnswer | None:
        name = self.settings.name or cassette_name(scrub_text(session, self.settings.redaction))
        if self._replay_at is None or name not in self._existing:
            return None
        connection = http.client.HTTPConnection(*self._replay_at, timeout=60)
        try:
            kept = {n: v for n, v in headers if n.lower() not in _CONNECTION_HEADERS}
            connection.request(method, f"{render_prefix(name)}{path}", body, kept)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        missed = response.getheader("x-amzn-errortype") == "CassetteMissException"
        if missed and self.settings.record == "new":
            return None
        self.played += not missed
        self.missed += missed
        hops = ("connection", "transfer-encoding", "content-length")
        return PlayedAnswer(
            response.status, tuple((n, v) for n, v in response.getheaders() if n.lower() not in hops), data
        )


class _ErrorCollector(logging.Handler):
    """Collects mitmproxy's log errors, because mitmproxy exits without a message.

    ending: set before shutdown. Shutdown cancels the tasks of connected clients, and asyncio logs
    an error for each task on Python 3.11.
    """

    def __init__(self, lines: list[str], ending: threading.Event) -> None:
        super().__init__(logging.ERROR)
        self._lines = lines
        self._ending = ending

    def emit(self, record: logging.LogRecord) -> None:
        if not (record.name == "asyncio" and self._ending.is_set()):
            self._lines.append(record.getMessage())
