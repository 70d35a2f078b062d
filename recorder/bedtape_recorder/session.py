"""Runs one recording: gate, credentials, proxy, journal, environment of the program."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedtape_cassettes.addresses import RUNTIME, point_environment, render_host
from bedtape_cassettes.admission import Admission
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.trust import trust
from bedtape_cassettes.text import format_count
from bedtape_recorder import finish
from bedtape_recorder.addon import Addon
from bedtape_recorder.credentials import Credentials
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.proxies import read_proxies
from bedtape_recorder.proxy import Proxy, reading_on
from bedtape_recorder.recording_files import RecordingFiles
from bedtape_recorder.routing import DEFAULT_REGION, make_host_patterns
from bedtape_recorder.settings import Settings, check_gate

_NOT_PROXIED = "localhost,127.0.0.1,169.254.169.254,169.254.170.2"
_DRAIN = 5.0
# A JVM does not send a password to a proxy without TLS, unless this option is empty.
# The proxy is on loopback.
_JAVA_LOGIN = "-Djdk.http.auth.tunneling.disabledSchemes="


def make_child_environment(
    environ: Mapping[str, str], url: str, settings: Settings, ca: Path | None
) -> dict[str, str]:
    """Returns an environment that sends a program's Bedrock calls to the recorder."""
    if settings.mode == "reverse":
        return point_environment(environ, url)
    assert ca is not None
    proxied = {
        "HTTPS_PROXY": url,
        "https_proxy": url,
        "NO_PROXY": _NOT_PROXIED,
        "no_proxy": _NOT_PROXIED,
    }
    trusting = trust({**environ, **proxied}, ca.read_bytes())
    if "JAVA_TOOL_OPTIONS" in trusting:
        trusting["JAVA_TOOL_OPTIONS"] += f" {_JAVA_LOGIN}"
    return trusting


@dataclass
class Recording:
    """A running recording. Call `start`, run the program, then call `stop` to write the cassettes.

    errors: messages that mitmproxy logged. existing: plays the cassettes that exist.
    """

    settings: Settings
    environ: Mapping[str, str]
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_gate(self.environ)
        self.state = store.find_state_folder(self.environ)
        self._proxies = read_proxies(self.environ)
        # In forward mode, clients sign their own requests.
        forward, settings = self.settings.mode == "forward", self.settings
        self._signer = (
            None
            if forward
            else Credentials(settings.profile, settings.region, self.environ, settings.upstream)
        )
        self._secret = secrets.token_hex(16)  # known to the recorded program alone
        self._admission = Admission.at("127.0.0.1", settings.allow_host)
        self.written: finish.WriteResult | None = None
        self._ready = threading.Event()
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def describe(self) -> str:
        """Return where requests are sent and who signs them, as one line."""
        if self._signer is None:
            return (
                "recording the program's own requests to Bedrock, in every region; the program"
                " signs them"
            )
        return f"recording from {self._signer.describe(self.settings.upstream)}"

    # -- start and stop ----------------------------------------------------------------------------

    def start(self) -> Recording:
        """Opens the journal and starts the proxy. Raises RecorderError if it cannot start."""
        confdir = self.state / "ca"
        confdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = self.settings
        self._files = RecordingFiles(settings, self.environ)
        self.existing = self._files.existing
        self.journal, self.capture = self._files.journal.path, self._files.journal.capture
        addon = Addon(
            settings,
            self.capture,
            self._signer,
            self.existing.play,
            self._proxies,
            self._secret,
            self._admission,
            self._admission.hosts,
        )
        forward = settings.mode == "forward"
        login = f"bedtape:{self._secret}"
        region = self._signer.region if self._signer else DEFAULT_REGION
        mode = "regular" if forward else f"reverse:https://{render_host(RUNTIME, region)}"
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
            self._files.discard()
            raise RecorderError(
                f"the proxy did not start: {'; '.join(self.errors) or self._failure}"
            )
        port = self._proxy.port()
        self.url = (
            f"http://{login}@127.0.0.1:{port}"
            if forward
            else f"http://127.0.0.1:{port}/{self._secret}"
        )
        self.ca = confdir / "mitmproxy-ca-cert.pem"
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

    def stop(self, *, failed: bool = False) -> finish.WriteResult:
        """Stops the proxy and turns the journal into cassettes. failed: the program
        failed, so nothing is pruned.

        Raises CassetteError or OSError. If it raises, the journal stays.
        """
        began = time.monotonic()
        while self.capture.live and time.monotonic() - began < max(
            _DRAIN, self._count_seconds_to_read()
        ):
            time.sleep(0.02)
        self._ending.set()
        self._proxy.shutdown()
        self._thread.join()
        self.written = self._files.write(prune=self.settings.prune and not failed)
        if self.settings.prune and failed:
            unpruned = "the program failed, so it may not have made all its requests"
            self.written = replace(self.written, unpruned=unpruned)
        return self.written

    def _count_seconds_to_read(self) -> float:
        """Returns how long answers are read whose clients have gone; 0 without such an answer."""
        return self.settings.read_on if reading_on.gone else 0

    def explain_nothing(self, code: int) -> str | None:
        """Return why a program recorded and played nothing; None if there was a call.

        code: the program's exit code.
        """
        if (
            self.existing.played
            or self.existing.missed
            or (self.written is not None and self.written.interactions)
        ):
            return None
        counts = self.capture.counts
        if counts.refusals:
            return f"{format_count(len(counts.refusals), 'request')} refused: {counts.refusals[-1]}"
        if counts.requests:
            return f"no answer came to {format_count(counts.requests, 'request')}"
        if code:
            return f"no call came here before the program ended with exit code {code}"
        if self.settings.mode == "forward":
            return (
                "no call to Bedrock came through the proxy; a client must use HTTPS_PROXY and trust"
                " the CA bundle. Node's AWS SDK ignores HTTPS_PROXY: record it with --mode reverse"
            )
        return (
            "no call reached the recorder; a client with its own endpoint (endpoint_url) ignores"
            " the endpoint variables: remove its endpoint, or record with --mode forward"
        )

    # -- environment -------------------------------------------------------------------------------

    def make_environment(self) -> dict[str, str]:
        """Return a recorded program's variables: the caller's, with the recorder as endpoint."""
        return make_child_environment(self.environ, self.url, self.settings, self.ca)

    def make_exports(self) -> dict[str, str]:
        """Return the variables to set for a program that is started elsewhere."""
        return {
            name: value
            for name, value in self.make_environment().items()
            if self.environ.get(name) != value
        }


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
