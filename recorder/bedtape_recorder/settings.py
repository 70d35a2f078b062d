"""Settings of a recording, read from options and variables. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import BEARER
from bedtape_cassettes.config.kinds import Unfit
from bedtape_cassettes.config.options import TABLES
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.names import is_safe_name
from bedtape_cassettes.redaction.scrub import Redaction, find_secrets
from bedtape_recorder.errors import GateError, RecorderError

# The recorder calls AWS if the environment sets this variable to 1.
GATE = "RUN_REAL_BEDROCK_TESTS"

# Scheme, host and port.
Upstream: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a recording.

    upstream: (scheme, host, port) in place of Bedrock's own endpoints. match: rules that decide
    which calls are equal. The rules also contain the patterns to redact besides secrets.
    allow_host: names besides loopback, in forward mode besides AWS's hosts. allow_unknown: whether
    operations that bedtape does not know are sent. prune: whether recordings of requests that were
    not made are removed. read_on: seconds to read an answer on after its client has gone.
    audio: whether the audio that a client sends is kept.
    """

    folder: Path = Path("cassettes")
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
    prune: bool = False
    read_on: int = 60
    audio: bool = False

    @property
    def redaction(self) -> Redaction:
        return self.match.redaction


# The settings of a recording that sets nothing.
DEFAULTS = Settings()


def check_gate(environ: Mapping[str, str]) -> None:
    """Raise GateError unless `environ` allows real calls."""
    value = environ.get(GATE)
    if value != "1":
        state = "it is not set" if value is None else f"it is {value!r}"
        raise GateError(
            f"this calls real Amazon Bedrock, which costs money: set {GATE}=1 to allow it ({state})"
        )


def read_own_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The credentials that the environment contains."""
    return frozenset(
        filter(None, map(environ.get, ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", BEARER)))
    )


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


def check_name(name: str | None) -> None:
    """Raises RecorderError for a cassette name that is unsafe or contains a secret."""
    if name is not None and not is_safe_name(name):
        raise RecorderError(f"--name: expected plain parts joined by /, found {name!r}")
    if name is not None and (kinds := find_secrets(name.encode())):
        raise RecorderError(
            f"--name: expected a name without a secret, found {kinds[0]}; choose another name"
        )


def read_script_settings(options: Mapping[str, Any]) -> Settings:
    """Returns the settings in mitmproxy's options. Raises RecorderError or CassetteError."""
    given = dict(options)
    check_name(given["name"])
    if given["record"] not in ("once", "new", "all"):
        raise RecorderError(f"bedtape_record: expected once, new or all, found {given['record']}")
    if given["prune"] and given["record"] != "all":
        raise RecorderError(f"bedtape_prune: expected bedtape_record=all, found {given['record']}")
    try:  # mitmproxy's options have no bounds
        TABLES["record"]["read-on"].kind.of_toml(given["read_on"])
    except Unfit as error:
        actual = given["read_on"]
        raise RecorderError(f"bedtape_read_on: expected {error.expected}, found {actual}") from None
    lists = [given.pop(name) for name in ("ignore", "placeholder", "redact")]
    match = match_rules(*lists, any_profile=given.pop("any_profile"))
    upstream, hosts = parse_upstream(given.pop("upstream")), tuple(given.pop("allow_host"))
    return Settings(
        Path(given.pop("to")), upstream=upstream, match=match, allow_host=hosts, **given
    )
