"""The values that describe an environment. `probe` makes them, and the checks read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bedtape_replayer.cli.doctor.addresses import Address, Endpoint, runtime_endpoint
from bedtape_replayer.cli.doctor.profile import Profile

DEFAULT_PORT = 4566

Kind: TypeAlias = Literal["bedtape", "localstack", "http", "silent", "nobody"]


@dataclass(frozen=True, slots=True)
class Listener:
    """The server at an address of this machine.

    kind: `http` for another HTTP server, `silent` for a server that does not answer HTTP, `nobody`
    for no server. summary: its name and version, for a message. tls: it completes a TLS handshake;
    asked if an endpoint is https.
    """

    kind: Kind
    summary: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Python:
    """The Python of bedtape. prefix: of its environment. uvloop: whether uvloop supports it."""

    version: tuple[int, int, int] = (3, 11, 0)
    implementation: str = "cpython"
    prefix: str = "/venv"
    uvloop: bool = True


@dataclass(frozen=True, slots=True)
class CassetteFolder:
    """A folder of cassettes. problems: one line for each problem that prevents loading."""

    folder: str
    cassettes: int = 0
    interactions: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """The settings. file: contains them. port: of bedtape replay. problems, warnings: lines."""

    file: str | None = None
    port: int = DEFAULT_PORT
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that the checks read.

    environ: environment variables. packages: versions of installed distributions by name. profile:
    the selected AWS profile. listeners: the server at every address of this machine that the
    environment names, and at the port of bedtape replay. missing: variables that name a file that
    does not exist. cassette_folders: the configured folders, or the usual folders that contain
    cassettes. cache: the folder of the load cache, or `None`. cache_problem: why the folder cannot
    be written. open_files: the limit of open files, or `None`. npm: versions of JavaScript
    packages, "" for a package of package.json that is not installed.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    python: Python = Python()
    packages: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    listeners: Mapping[Address, Listener] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    settings: ChosenSettings = ChosenSettings()
    cassette_folders: tuple[CassetteFolder, ...] = ()
    cache: str | None = None
    cache_problem: str = ""
    open_files: int | None = None
    npm: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint of bedrock-runtime, or `None` for AWS's own."""
        return runtime_endpoint(self.environ, self.profile)
