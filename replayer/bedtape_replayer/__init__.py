"""Replaying cassettes: a local server that speaks Bedrock's wire protocol and answers from recordings.

A request goes one way: `http1` or `http2` reads it, `call` is what it becomes, `session` says whose it is, `match`
finds the recording, `reply` puts Bedrock's answer together, `steps` says what goes over the wire when, and `server`
does it. `engine` is that line; `Replayer` runs it all in a background thread:

    with Replayer("cassettes/") as bedrock:
        client = boto3.client("bedrock-runtime", endpoint_url=bedrock.url, ...)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing
    from bedtape_cassettes.key import MatchRules
    from bedtape_replayer.plugin.bedrock import Bedrock
    from bedtape_replayer.thread import Replayer

__all__ = ["Bedrock", "CassetteError", "CassetteInvalid", "CassetteMissing", "MatchRules", "Replayer"]

# Loaded when they are asked for: a test run that has bedtape installed and does not use it should not pay for it.
_HOMES = {
    "Bedrock": "bedtape_replayer.plugin.bedrock",
    "CassetteError": "bedtape_cassettes.errors",
    "CassetteInvalid": "bedtape_cassettes.errors",
    "CassetteMissing": "bedtape_cassettes.errors",
    "MatchRules": "bedtape_cassettes.key",
    "Replayer": "bedtape_replayer.thread",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
