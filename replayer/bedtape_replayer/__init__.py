"""Replaying cassettes: a local server that speaks Bedrock's wire protocol and
answers from recordings.

A request goes one way: `http1` or `http2` reads it, `call` is what it becomes, `session` says whose
it is, `match` finds the recording, `reply` puts Bedrock's answer together, `steps` says what goes
over the wire when, and `server` does it. `engine` is that line; `Replayer` runs it all in a
background thread:

    with Replayer("cassettes/") as bedrock:
        client = boto3.client("bedrock-runtime", endpoint_url=bedrock.url, ...)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing
    from bedtape_cassettes.families.content import (
        Embeddings,
        Message,
        Reasoning,
        Text,
        ToolUse,
        Usage,
    )
    from bedtape_cassettes.matching.key import MatchRules
    from bedtape_replayer.answering.call import Call
    from bedtape_replayer.engine.session import Session
    from bedtape_replayer.overlay.document import OverlayInvalid
    from bedtape_replayer.overlay.faults.error_response import Failure
    from bedtape_replayer.overlay.outputs.raw import Raw
    from bedtape_replayer.plugin.bedrock import Bedrock
    from bedtape_replayer.plugin.sharing import BedrockFactory
    from bedtape_replayer.server.thread import Replayer

__all__ = [
    "Bedrock",
    "BedrockFactory",
    "Call",
    "CassetteError",
    "CassetteInvalid",
    "CassetteMissing",
    "Embeddings",
    "Failure",
    "MatchRules",
    "Message",
    "OverlayInvalid",
    "Raw",
    "Reasoning",
    "Replayer",
    "Session",
    "Text",
    "ToolUse",
    "Usage",
]

# Loaded when they are asked for: a test run that has bedtape installed and does not use it
# should not pay for it.
_HOMES = {
    **dict.fromkeys(
        ("Embeddings", "Message", "Reasoning", "Text", "ToolUse", "Usage"),
        "bedtape_cassettes.families.content",
    ),
    "Bedrock": "bedtape_replayer.plugin.bedrock",
    "BedrockFactory": "bedtape_replayer.plugin.sharing",
    "Call": "bedtape_replayer.answering.call",
    "CassetteError": "bedtape_cassettes.errors",
    "CassetteInvalid": "bedtape_cassettes.errors",
    "CassetteMissing": "bedtape_cassettes.errors",
    "Failure": "bedtape_replayer.overlay.faults.error_response",
    "MatchRules": "bedtape_cassettes.matching.key",
    "OverlayInvalid": "bedtape_replayer.overlay.document",
    "Raw": "bedtape_replayer.overlay.outputs.raw",
    "Session": "bedtape_replayer.engine.session",
    "Replayer": "bedtape_replayer.server.thread",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
