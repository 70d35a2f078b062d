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
    """Who answers at an address of this machine. http: something else; silent: it speaks no HTTP, or does not answer."""

    kind: Kind
    says: str = ""


@dataclass(frozen=True, slots=True)
class Python:
    """The Python that bedtape runs in. prefix: its environment's folder. uvloop: whether there is one for it at all."""

    version: tuple[int, int, int] = (3, 11, 0)
    implementation: str = "cpython"
    prefix: str = "/venv"
    uvloop: bool = True


@dataclass(frozen=True, slots=True)
class CassetteFolder:
    """A folder that cassettes are looked for in. problems: what keeps them from loading, a line each."""

    folder: str
    cassettes: int = 0
    interactions: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """What settings say. file: where they are kept. port: of bedtape replay. problems, warnings: a line each."""

    file: str | None = None
    port: int = DEFAULT_PORT
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment.

    packages: versions by the names of distributions that are installed. profile: what the AWS files say of the profile
    that is in force. listeners: who answers, for every address of this machine that the environment names, and the
    port of bedtape replay. missing: variables that name a file that is not there. shelves: folders that exist. cache: the load cache's
    folder, None for none. cache_problem: why it cannot be written. npm: versions of JavaScript packages, "" where a
    package.json names one that is not installed. settings: where options are kept.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    python: Python = Python()
    packages: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    listeners: Mapping[Address, Listener] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    settings: ChosenSettings = ChosenSettings()
    shelves: tuple[CassetteFolder, ...] = ()
    cache: str | None = None
    cache_problem: str = ""
    open_files: int | None = None
    npm: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint | None:
        """Where calls to bedrock-runtime go, if not to AWS."""
        return runtime_endpoint(self.environ, self.profile)
