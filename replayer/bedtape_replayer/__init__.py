"""Replaying cassettes: a local server that speaks Bedrock's wire protocol and answers from recordings.

A request goes one way: `http1` or `http2` reads it, `call` is what it becomes, `session` says whose it is, `match`
finds the recording, `reply` puts Bedrock's answer together, `steps` says what goes over the wire when, and `server`
does it. `engine` is that line; `Replayer` runs it all in a background thread:

    with Replayer("cassettes/") as bedrock:
        client = boto3.client("bedrock-runtime", endpoint_url=bedrock.url, ...)
"""

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing
from bedtape_cassettes.key import MatchRules
from bedtape_replayer.thread import Replayer

__all__ = ["CassetteError", "CassetteInvalid", "CassetteMissing", "MatchRules", "Replayer"]
