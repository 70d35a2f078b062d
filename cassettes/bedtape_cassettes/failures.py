"""Bedrock's errors by name: status, message, members of the body, and streams.

A test compares the table with botocore's service models. Messages are from recorded responses, or
from the documentation of the models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bedtape_cassettes.model import Body, Headers, JsonValue
from bedtape_cassettes.operations import Dialect


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """An error that Bedrock is known to return.

    status: the status of bedrock-runtime if it has the error (its conflicts are 400, conflicts of
    agents are 409). members: the members of the body other than `message`. unmodelled: AWS returns
    the error before the request reaches the service. streams: the operations whose event streams
    can contain the error as an exception.
    """

    status: int
    message: str
    members: tuple[str, ...] = ()
    unmodelled: bool = False
    streams: tuple[str, ...] = ()


_CHUNKS = ("InvokeModelWithResponseStream", "InvokeModelWithBidirectionalStream")
_RUNTIME = ("ConverseStream", *_CHUNKS)
_AGENTS = (
    "AgenticRetrieveStream",
    "InvokeAgent",
    "InvokeFlow",
    "InvokeInlineAgent",
    "RetrieveAndGenerateStream",
)
_PROMPTS = (*_AGENTS, "OptimizePrompt")
_ALL = (*_RUNTIME, *_PROMPTS)

FAILURES = {
    "AccessDeniedException": KnownFailure(
        403, "You don't have access to the model with the specified model ID.", streams=_PROMPTS
    ),
    "BadGatewayException": KnownFailure(
        502,
        "There was an issue with a dependency due to a server issue. Retry your request.",
        ("resourceName",),
        streams=_PROMPTS,
    ),
    "ConflictException": KnownFailure(
        400, "Error occurred because of a conflict while performing an operation.", streams=_AGENTS
    ),
    "DependencyFailedException": KnownFailure(
        424,
        "There was an issue with a dependency. Check the resource configurations and retry the"
        " request.",
        ("resourceName",),
        streams=_PROMPTS,
    ),
    "InternalServerException": KnownFailure(
        500,
        "The system encountered an unexpected error during processing. Try your request again.",
        streams=_ALL,
    ),
    "ModelErrorException": KnownFailure(
        424,
        "The request failed due to an error while processing the model.",
        ("originalStatusCode", "resourceName"),
    ),
    "ModelNotReadyException": KnownFailure(
        429,
        "Model is not ready for inference. Wait and try your request again.",
        streams=("InvokeAgent",),
    ),
    "ModelStreamErrorException": KnownFailure(
        424,
        "An error occurred while streaming the response. Retry your request.",
        ("originalMessage", "originalStatusCode"),
        streams=_RUNTIME,
    ),
    "ModelTimeoutException": KnownFailure(
        408,
        "Model has timed out in processing the request. Try your request again.",
        streams=_CHUNKS,
    ),
    "ResourceNotFoundException": KnownFailure(
        404,
        "This model version has reached the end of its life. Please refer to the AWS documentation"
        " for more details.",
        streams=_AGENTS,
    ),
    "ServiceQuotaExceededException": KnownFailure(
        400, "Your request exceeds the service quota for your account.", streams=_AGENTS
    ),
    "ServiceUnavailableException": KnownFailure(
        503, "Bedrock is unable to process your request.", streams=_RUNTIME
    ),
    "ThrottlingException": KnownFailure(
        429, "Too many requests, please wait before trying again.", streams=_ALL
    ),
    "ValidationException": KnownFailure(
        400, "The provided model identifier is invalid.", streams=_ALL
    ),
    "ExpiredTokenException": KnownFailure(
        403, "The security token included in the request is expired", unmodelled=True
    ),
    "IncompleteSignature": KnownFailure(
        400, "The request signature does not conform to AWS standards.", unmodelled=True
    ),
    "InvalidSignatureException": KnownFailure(
        403,
        "The request signature we calculated does not match the signature you provided."
        " Check your AWS Secret Access Key and signing method.",
        unmodelled=True,
    ),
    "UnrecognizedClientException": KnownFailure(
        403, "The security token included in the request is invalid.", unmodelled=True
    ),
}


def get_namespace(error: str) -> str:
    """Returns the namespace after the name in `x-amzn-ErrorType`."""
    known = FAILURES.get(error)
    layer = "com.amazon.coral.service" if known and known.unmodelled else "com.amazon.bedrock"
    return f":http://internal.amazon.com/coral/{layer}/"


def stream_member(error: str) -> str:
    """Returns the name that the error has in an event stream: throttlingException."""
    return error[:1].lower() + error[1:]


# -- the errors of OpenAI's and Anthropic's APIs ---------------------------------------------------

# The code and type of OpenAI's API, and the type of Anthropic's, by status. 400 is recorded; the
# others are from the documentation of both providers.
_BY_STATUS = {
    400: ("validation_error", "invalid_request_error", "invalid_request_error"),
    401: ("invalid_api_key", "authentication_error", "authentication_error"),
    403: ("permission_denied", "permission_error", "permission_error"),
    404: ("not_found", "not_found_error", "not_found_error"),
    408: ("request_timeout", "timeout_error", "timeout_error"),
    409: ("conflict", "conflict_error", "conflict_error"),
    413: ("request_too_large", "invalid_request_error", "request_too_large"),
    424: ("model_error", "model_error", "api_error"),
    429: ("rate_limit_exceeded", "rate_limit_error", "rate_limit_error"),
    500: ("server_error", "server_error", "api_error"),
    503: ("service_unavailable", "service_unavailable_error", "overloaded_error"),
    529: ("overloaded", "overloaded_error", "overloaded_error"),
}
# Bedrock's names of the errors above, for histories: one name for one error in all APIs.
_BY_WORD = {
    word: name
    for name, status in (
        ("ValidationException", 400),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
        ("ModelTimeoutException", 408),
        ("ConflictException", 409),
        ("ModelErrorException", 424),
        ("ThrottlingException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    )
    for word in (_BY_STATUS[status][2], _BY_STATUS[status][0])
}
# Stands where Anthropic's errors repeat the request id, which the reply knows.
REQUEST_ID = "req_of_the_header"


def _words(error: str | None, status: int) -> tuple[str, str, str]:
    """The code and type of OpenAI's API, and the type of Anthropic's.

    An error that Bedrock does not have keeps its name.
    """
    code, kind, anthropic = _BY_STATUS.get(status) or _BY_STATUS[500 if status >= 500 else 400]
    if error is None or error in FAILURES:
        return code, kind, anthropic
    return error, kind, anthropic


def render_error(
    dialect: Dialect,
    error: str | None,
    status: int,
    message: str,
    request_id: str = REQUEST_ID,
    *,
    doubled: bool = False,
    members: Mapping[str, JsonValue] | None = None,
) -> dict[str, JsonValue]:
    """Returns the body of an error.

    error: the name, None for a status alone. doubled: the message of OpenAI's error is the JSON of
    the same error, as bedrock-runtime sends it (recorded). members: further members beside the
    message.
    """
    more = dict(members or {})
    code, kind, anthropic = _words(error, status)
    if dialect == "aws":
        return {"message": message, **more}
    if dialect == "anthropic":
        return {
            "type": "error",
            "error": {"type": anthropic, "message": message, **more},
            "request_id": request_id,
        }
    inner: dict[str, JsonValue] = {
        "code": code,
        "message": message,
        "param": None,
        "type": kind,
        **more,
    }
    if not doubled:
        return {"error": inner}
    text = json.dumps({"error": inner}, separators=(",", ":"), ensure_ascii=False)
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


# The error that clients most often receive with a status.
_ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
# In errors of Anthropic's API.
_REQUEST_ID = f"req_{'0' * 24}"


def build_error(status: int, dialect: Dialect) -> tuple[Headers, Body] | None:
    """Returns headers and body of the error that clients most often receive with a status.

    Returns `None` if Bedrock has no such error.
    """
    name = _ERRORS.get(status)
    if name is None:
        return None
    headers: Headers = (("content-type", "application/json"),)
    if dialect == "aws":
        headers = (*headers, ("x-amzn-errortype", name + get_namespace(name)))
    value = render_error(dialect, name, status, FAILURES[name].message, _REQUEST_ID)
    return headers, Body(
        "json", json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    )


def render_retry_after(dialect: Dialect, milliseconds: int) -> dict[str, str]:
    """Returns the headers that make the clients of an API wait before the next attempt."""
    if dialect == "aws":
        return {"x-amz-retry-after": str(milliseconds)}
    return {"retry-after-ms": str(milliseconds), "retry-after": str(-(-milliseconds // 1000))}


def read_error(body: JsonValue) -> tuple[str | None, str | None]:
    """Returns name and message of an error of OpenAI's or Anthropic's API, with Bedrock's name."""
    match body:
        case {"error": {"message": str(message), "code": str(word)}} | {
            "error": {"message": str(message), "type": str(word)}
        }:
            if message.startswith('{"error":'):
                with suppress(ValueError):
                    return read_error(json.loads(message))
            return _BY_WORD.get(word, word), message
    return None, None
