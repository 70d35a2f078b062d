"""Builds calls for the engine without a socket."""

import json
from typing import Any
from urllib.parse import quote

from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential={key}/20261122/{region}/bedrock/aws4_request, SignedHeaders=host,"
    " Signature=00"
)


def model_path(operation: str, model: str = CLAUDE) -> str:
    """The path of a model's operation, encoded as boto3 does."""
    return f"/model/{quote(model, safe='')}/{operation}"


def head(*, key: str = "AKIDEXAMPLE", region: str = "eu-west-1", **headers: str) -> Head:
    """A signed request's headers; underscores in names stand for dashes."""
    named = {"authorization": _SIGNED.format(key=key, region=region)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Head.of(tuple((name.encode(), value.encode()) for name, value in named.items()))


def converse_body(*texts: str, **members: Any) -> bytes:
    """A Converse request: user and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": [{"text": text}]} for n, text in enumerate(texts)]
    return json.dumps({"messages": messages, **members}).encode()


def call(
    *texts: str,
    operation: str = "converse",
    model: str = CLAUDE,
    session: str = "s",
    number: int = 1,
    headers: Head | None = None,
    **members: Any,
) -> Call:
    """Returns a call with a Converse body, also for another operation."""
    body = converse_body(*(texts or ("hello",)), **members)
    return Call(session, "POST", model_path(operation, model), headers or head(), body, number)
