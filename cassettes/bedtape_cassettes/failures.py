"""Bedrock's errors by name: status, message, members of the body, and streams.

A test compares the table with botocore's service models. Messages are from recorded responses, or
from the documentation of the models.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """An error that Bedrock is known to return.

    status: the status of bedrock-runtime if it has the error (its conflicts are 400, conflicts of agents are 409).
    members: the members of the body other than `message`. unmodelled: AWS returns the error before the request reaches
    the service. streams: the operations whose event streams can contain the error as an exception.
    """

    status: int
    message: str
    members: tuple[str, ...] = ()
    unmodelled: bool = False
    streams: tuple[str, ...] = ()


_CHUNKS = ("InvokeModelWithResponseStream", "InvokeModelWithBidirectionalStream")
_RUNTIME = ("ConverseStream", *_CHUNKS)
_AGENTS = ("AgenticRetrieveStream", "InvokeAgent", "InvokeFlow", "InvokeInlineAgent", "RetrieveAndGenerateStream")
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
        "There was an issue with a dependency. Check the resource configurations and retry the request.",
        ("resourceName",),
        streams=_PROMPTS,
    ),
    "InternalServerException": KnownFailure(
        500, "The system encountered an unexpected error during processing. Try your request again.", streams=_ALL
    ),
    "ModelErrorException": KnownFailure(
        424, "The request failed due to an error while processing the model.", ("originalStatusCode", "resourceName")
    ),
    "ModelNotReadyException": KnownFailure(
        429, "Model is not ready for inference. Wait and try your request again.", streams=("InvokeAgent",)
    ),
    "ModelStreamErrorException": KnownFailure(
        424,
        "An error occurred while streaming the response. Retry your request.",
        ("originalMessage", "originalStatusCode"),
        streams=_RUNTIME,
    ),
    "ModelTimeoutException": KnownFailure(
        408, "Model has timed out in processing the request. Try your request again.", streams=_CHUNKS
    ),
    "ResourceNotFoundException": KnownFailure(
        404,
        "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
        streams=_AGENTS,
    ),
    "ServiceQuotaExceededException": KnownFailure(
        400, "Your request exceeds the service quota for your account.", streams=_AGENTS
    ),
    "ServiceUnavailableException": KnownFailure(503, "Bedrock is unable to process your request.", streams=_RUNTIME),
    "ThrottlingException": KnownFailure(429, "Too many requests, please wait before trying again.", streams=_ALL),
    "ValidationException": KnownFailure(400, "The provided model identifier is invalid.", streams=_ALL),
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
