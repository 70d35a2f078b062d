"""A `bedtape record` process beside the test, and its files."""

import http.client
import os
import shlex
import signal
import ssl
import subprocess
from base64 import b64encode
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Self
from urllib.parse import urlsplit

from support import WAIT
from support.upstream import Upstream


def environment(upstream: Upstream, home: Path, **more: str) -> dict[str, str]:
    """Returns an environment for recording: the gate is open, and its credentials are not those of
    the person who runs the tests.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "BEDTAPE_", "XDG_"))
    }
    credentials = upstream.credentials
    return {
        **kept,
        "HOME": str(home),
        "RUN_REAL_BEDROCK_TESTS": "1",
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_CA_BUNDLE": str(upstream.ca),
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


def command(recorder: Path, upstream: Upstream, to: Path, *options: str) -> list[str]:
    return [
        str(recorder / "bedtape"),
        "record",
        "--to",
        str(to),
        "--upstream",
        upstream.url,
        *options,
    ]


class Running:
    """A recorder without a command: it prints the variables to set, and
    records until it is stopped.
    """

    def __init__(
        self, recorder: Path, upstream: Upstream, to: Path, home: Path, *options: str, **more: str
    ) -> None:
        self.recorder = recorder
        self.to = to
        self.environment = environment(upstream, home, **more)
        self.process = subprocess.Popen(
            command(recorder, upstream, to, *options),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: Queue[str | None] = Queue()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._pump = Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._pump.start()
        self.told = self._until_ready()
        self.exports = dict(shlex.split(line)[1].split("=", 1) for line in self._read_exports())

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _until_ready(self) -> list[str]:
        lines = []
        while (line := self._lines.get(timeout=WAIT)) is not None:
            lines.append(line)
            if "recording; Ctrl-C" in line:
                return lines
        self.process.wait(WAIT)
        self._close()
        raise AssertionError(f"the recorder ended: {lines}")

    def _read_exports(self) -> list[str]:
        assert self.process.stdout is not None
        # The recorder has flushed all lines before it reported that it records.
        return os.read(self.process.stdout.fileno(), 1 << 20).decode().splitlines()

    @property
    def url(self) -> str:
        """The reverse port."""
        return self.exports["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].partition("/")[0])

    def tunnel(
        self, host: str, port: int = 443, ca: str | None = None, login: str | None = ""
    ) -> http.client.HTTPSConnection:
        """A connection through the forward proxy, of a client that trusts one authority: the
        recorder's, if no other.

        login: the login in the proxy's URL, if no other; None for none.
        """
        trusting = ssl.create_default_context(cafile=ca or self.exports["NODE_EXTRA_CA_CERTS"])
        proxy = urlsplit(self.exports["HTTPS_PROXY"])
        sent = b64encode((login or f"{proxy.username}:{proxy.password}").encode()).decode()
        client = http.client.HTTPSConnection(
            "127.0.0.1", proxy.port, context=trusting, timeout=WAIT
        )
        client.set_tunnel(
            host, port, {} if login is None else {"Proxy-Authorization": f"Basic {sent}"}
        )
        return client

    def stop(self, number: int = signal.SIGINT) -> str:
        """Ends it as Ctrl-C does; what it said at the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> str:
        """What it said at the end, once it has ended."""
        self.process.wait(WAIT)
        return self._rest()

    def kill(self) -> None:
        """As the kernel does it when memory is out."""
        self.process.kill()
        self.process.wait(WAIT)
        self._rest()

    def recover(self, *options: str) -> str:
        """What `bedtape recover` says."""
        arguments = [str(self.recorder / "bedtape"), "recover", "--to", str(self.to), *options]
        done = subprocess.run(
            arguments, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def _rest(self) -> str:
        lines = list(iter(lambda: self._lines.get(timeout=WAIT), None))
        self._close()
        return "\n".join(lines)

    def _close(self) -> None:
        self._pump.join(WAIT)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
