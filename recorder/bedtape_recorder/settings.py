"""What a recording was asked to be, and where its private files are. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_recorder.errors import RecorderError

__all__ = ["Settings", "address_of", "state_folder"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a recording was asked to be.

    upstream: (scheme, host, port) in place of Bedrock's own endpoints. match: what makes a call the same as one that is
    recorded, and so what to take out besides secrets.
    """

    folder: Path
    name: str | None = None
    mode: str = "reverse"
    record: str = "once"
    region: str | None = None
    profile: str | None = None
    port: int = 0
    exact: bool = False
    upstream: tuple[str, str, int] | None = None
    match: MatchRules = DEFAULT

    @property
    def redaction(self) -> Redaction:
        return self.match.redaction


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the certificate authority and the journals are: private, and kept from one recording to the next."""
    if named := environ.get("BEDTAPE_STATE_DIR"):
        return Path(named)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "bedtape"


def address_of(url: str | None) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an upstream's URL. Raises RecorderError where it is none."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:  # a port that is none
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise RecorderError(f"--upstream: expected a URL such as https://HOST:PORT, found {url}")
    return scheme, host, port or (443 if scheme == "https" else 80)
