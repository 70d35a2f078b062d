"""A stand-in for AWS on loopback: it checks every signature as AWS does, answers as
told, and keeps what it saw.

    with Upstream([answer_of(row, delays=0.01)]) as upstream:
        ...  # clients that trust upstream.ca and sign with upstream.credentials call upstream.url
        assert not upstream.failures

It never guesses: what it was not told to answer is refused, and so is what
is not signed to the byte.
"""

from support.upstream.answers import Answer, answer_of, frames_of
from support.upstream.log import Failure, Request, SentAnswer
from support.upstream.server import BEARER_TOKEN, CREDENTIALS, Upstream
from support.upstream.sigv4 import Credentials, Keys, SignatureError, verify
from support.upstream.tls import HOSTS, VPC_ENDPOINT

__all__ = [
    "BEARER_TOKEN",
    "CREDENTIALS",
    "HOSTS",
    "VPC_ENDPOINT",
    "Answer",
    "Credentials",
    "Failure",
    "Keys",
    "Request",
    "SentAnswer",
    "SignatureError",
    "Upstream",
    "answer_of",
    "frames_of",
    "verify",
]
