"""How the upstream decides: whether a request is signed as it must be, and what it is answered.

No sockets.
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from bedtape_cassettes.format.eventstream import encode_strings
from support.upstream.answers import EVENT_STREAM, Answer, Answers
from support.upstream.log import Failure, Log, Request
from support.upstream.sigv4 import STREAMING, EventChain, Keys, SignatureError, verify
from support.upstream.varying import vary

_CORAL = "http://internal.amazon.com/coral/"
_BIDIRECTIONAL = "/invoke-with-bidirectional-stream"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Service:
    """Bedrock, as far as its clients can tell."""

    keys: Keys
    answers: Answers
    log: Log
    utc_now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = field(default=time.monotonic)
    chance: Random | None = None

    def answer(self, request: Request) -> Answer:
        """What a request that is whole is answered."""
        try:
            verify(request, self.keys, self.utc_now())
        except SignatureError as refused:
            return self.refusal(request, refused)
        answer = self.answers.take(request)
        if answer is None:
            self.log.unmatched.append(request)
            return _error(
                request, 400, "ValidationException", "com.amazon.bedrock", _unknown(request)
            )
        return answer if self.chance is None else vary(answer, self.chance)

    def chain(self, request: Request) -> EventChain:
        """What checks the events that follow this head. Raises Refused."""
        signature = verify(request, self.keys, self.utc_now())
        if signature and request.header("x-amz-content-sha256") != STREAMING:
            raise SignatureError(
                403, "InvalidSignatureException", f"the events are to be signed: {STREAMING}"
            )
        return EventChain(signature)

    def refusal(self, request: Request, refused: SignatureError) -> Answer:
        """What a badly signed request is answered; it is kept as a failure."""
        self.log.failures.append(Failure(request, refused.status, refused.error, refused.message))
        return _error(
            request, refused.status, refused.error, "com.amazon.coral.service", refused.message
        )


def is_bidirectional(target: str) -> bool:
    """Whether the answer of such a request begins before its body ends."""
    return target.partition("?")[0].endswith(_BIDIRECTIONAL)


def echo(request: Request) -> Answer:
    """The head of a bidirectional answer, whose events are those that come."""
    headers = (("x-amzn-RequestId", str(uuid.uuid4())), ("Content-Type", EVENT_STREAM))
    return Answer(request.target, headers=headers, frames=(), streamed=True)


def exception_event(refused: SignatureError) -> bytes:
    """The event that ends a bidirectional answer when one of the client's is badly signed."""
    headers = (
        (":message-type", "exception"),
        (":exception-type", refused.error),
        (":content-type", "application/json"),
    )
    return encode_strings(headers, json.dumps({"message": refused.message}).encode())


def _unknown(request: Request) -> str:
    return f"the upstream was not told to answer {request.method} {request.target} with this body"


def _error(request: Request, status: int, error: str, family: str, message: str) -> Answer:
    headers = (
        ("Content-Type", "application/json"),
        ("x-amzn-RequestId", str(uuid.uuid4())),
        ("x-amzn-ErrorType", f"{error}:{_CORAL}{family}/"),
    )
    # What fails before Bedrock itself says it with a capital letter.
    member = "Message" if error == "AccessDeniedException" else "message"
    frames = (json.dumps({member: message}).encode(),)
    return Answer(request.target, status=status, headers=headers, frames=frames)
