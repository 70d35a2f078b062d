"""Runs the services of a compose file or a Kubernetes manifest as processes, without containers.

Each service gets a loopback address of its own, so that ports stay as the file has them. Names of
services become these addresses.
"""

import json
import os
import random
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from support import WAIT
from support.client import Http1, until
from support.running import COMMAND

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-deployment"
# The program that the image starts, and the program that has its place here.
PROGRAMS = {"bedtape": COMMAND, "valkey-server": ["redis-server"], "nginx": ["nginx"]}

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None,
    reason="nginx is not installed (Debian: apt-get install nginx-light)",
)

# What the image of nginx has around the files of conf.d.
_NGINX = """
daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  include {work}/default.conf;
}}
"""


def read_block(page: str, name: str) -> list[Any]:
    """The documents of the block of a page that begins with the name of this file."""
    text = (ROOT / "docs" / page).read_text()
    (block,) = re.findall(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", text, re.M | re.S)
    return list(yaml.safe_load_all(block))


def read_entrypoint() -> list[str]:
    """What the image starts, before the arguments of a service."""
    (form,) = re.findall(r"^ENTRYPOINT (.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    entrypoint: list[str] = json.loads(form)
    return entrypoint


class Deployment:
    """The processes of services. work: a folder, in which /cassettes are `cassettes`."""

    def __init__(self, work: Path, services: Sequence[str]) -> None:
        self._work = work
        chance = random.Random(os.urandom(8))
        net = f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}"
        self._addresses = {name: f"{net}.{at}" for at, name in enumerate(services, 1)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, service: str, port: int = 4566) -> str:
        return f"http://{self._addresses[service]}:{port}"

    def place(self, text: str, service: str) -> str:
        """The text with addresses in place of the names of services, and with files of `work`."""
        names = "|".join(map(re.escape, self._addresses))
        text = re.sub(rf"\b({names})(?=:\d)", lambda match: self._addresses[match[1]], text)
        text = re.sub(r"\blisten (?=\d)", f"listen {self._addresses[service]}:", text)
        return text.replace("0.0.0.0", self._addresses[service]).replace(
            "/cassettes", str(self._work / "cassettes")
        )

    def start(
        self, service: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the program of a service, and wait for nothing."""
        program, *arguments = command
        placed = [self.place(each, service) for each in arguments]
        if program == "valkey-server":
            placed += ["--bind", self._addresses[service], "--port", "6379"]
        folder = self._work / service
        folder.mkdir(exist_ok=True)
        with (folder / "log").open("ab") as log:
            self.processes[service] = subprocess.Popen(
                [*PROGRAMS[program], *placed],
                cwd=self._work,
                env={**os.environ, "BEDTAPE_CACHE_DIR": "", **(environment or {})},
                stdout=log,
                stderr=log,
            )

    def start_nginx(self, service: str, config: str) -> None:
        """Start nginx with a file of conf.d."""
        folder = self._work / service
        folder.mkdir()
        (folder / "default.conf").write_text(self.place(config, service))
        (folder / "nginx.conf").write_text(_NGINX.format(work=folder))
        self.start(service, ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)])

    def read_log(self, service: str) -> str:
        return (self._work / service / "log").read_text()

    def get_status(self, service: str, path: str, port: int = 4566) -> int:
        """The status of a probe, which is 0 if nothing listens."""
        try:
            with Http1(self.url(service, port)) as client:
                return client.request("GET", path).status
        except OSError:
            return 0

    def wait_until(self, service: str, path: str, status: int = 200) -> None:
        """Wait for the answer of a probe."""
        process = self.processes[service]
        until(lambda: process.poll() is not None or self.get_status(service, path) == status)
        assert process.poll() is None, self.read_log(service)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(WAIT)


class Compose(Deployment):
    """A compose file, with all its services."""

    def __init__(self, document: Mapping[str, Any], work: Path) -> None:
        super().__init__(work, list(document["services"]))
        self.services = document["services"]
        self._configs = document["configs"]

    def start_all(self) -> None:
        for name in sorted(self.services, key=_count_dependencies):
            self.start_service(name)

    def start_service(self, name: str) -> None:
        """Start a service, and wait until it is healthy if the image has a check."""
        service = self.services[name]
        environment = {
            key: re.sub(r"\$\{BEDTAPE_CONTROL_TOKEN:\?[^}]*\}", TOKEN, value)
            for key, value in service.get("environment", {}).items()
        }
        for config in service.get("configs", ()):
            self.start_nginx(name, self._configs[config["source"]]["content"].replace("$$", "$"))
            self.wait_until(name, "/_bedtape/ready")
            return
        command = shlex.split(service["command"])
        bedtape = read_entrypoint() if service["image"] == "bedtape" else []
        arguments = [*command, "/cassettes"] if bedtape else command
        self.start(name, [*bedtape, *arguments], environment)
        if bedtape:
            self.wait_until(name, "/_bedtape/live")


def _count_dependencies(name: str) -> int:
    return {"valkey": 0, "nginx": 2}.get(name, 1)
