"""Settings of a recording, and the folder of its private files. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import BEARER
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_recorder.errors import RecorderError

# Scheme, host and port.
Upstream: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a recording.

    upstream: (scheme, host, port) in place of Bedrock's own endpoints. match: rules that decide
    which calls are equal. The rules also contain the patterns to redact besides secrets. allow_host:
    names besides loopback, in forward mode besides AWS's hosts. allow_unknown: whether operations
    that bedtape does not know are sent.
    """

    folder: Path
    name: str | None = None
    mode: str = "reverse"
    record: str = "once"
    region: str | None = None
    profile: str | None = None
    port: int = 0
    exact: bool = False
    upstream: Upstream | None = None
    match: MatchRules = DEFAULT
    allow_host: tuple[str, ...] = ()
    allow_unknown: bool = False

    @property
    def redaction(self) -> Redaction:
        return self.match.redaction


def find_state_folder(environ: Mapping[str, str]) -> Path:
    """Returns the private folder of the certificate authority and the journals."""
    if named := environ.get("BEDTAPE_STATE_DIR"):
        return Path(named)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "bedtape"


def read_own_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The credentials that the environment contains."""
    return frozenset(filter(None, map(environ.get, ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", BEARER))))


def parse_upstream(url: str | None) -> Upstream | None:
    """Returns (scheme, host, port) of a URL. Raises RecorderError for an invalid URL."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:  # an invalid port
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise RecorderError(f"--upstream: expected a URL such as https://HOST:PORT, found {url}")
    return scheme, host, port or (443 if scheme == "https" else 80)
