"""A call: one request that the server received. Most packages use this form. No sockets, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from bedtape_cassettes.addresses import MANTLE, RUNTIME, read_host, read_scope
from bedtape_cassettes.families.content import Prompt
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.format.bodies import parse_request
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.matching.key import ANSWERING, AnswerHeaders, answer_headers
from bedtape_cassettes.matching.outline import Outline, read_outline
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import Dialect, Target, find_body_model, identify
from bedtape_replayer.answering.head import Head


# Nothing assigns a call's fields. It is not `frozen`, because a frozen call takes five times as long to make.
@dataclass(eq=False)
class Call:
    """One request that the server received. The body is parsed on first use.

    path: percent-encoded with its query, without prefixes. number: the number of the call in its session, from 1.
    generation: the generation of the session. A session that is reset, or made anew under the same name, has another
    generation, and so another history. 0 for a call that no history keeps. prefix: the service in the prefix of the path.
    earlier: the conversation that the call continues by an id (`previous_response_id`).
    """

    session: str
    method: str
    path: str
    head: Head
    body: bytes
    number: int = 1
    generation: int = 0
    prefix: str | None = None
    earlier: Prompt | None = None

    @lazy_property
    def target(self) -> Target:
        return identify(self.method, self.path)

    @lazy_property
    def outline(self) -> Outline:
        """The body, with digests in place of large binary data."""
        return read_outline(self.body)

    @lazy_property
    def request(self) -> tuple[str, str, AnswerHeaders, bytes]:
        """The parts of the request that an answer may depend on: the key of caches. The method includes the service."""
        headers = answer_headers(self.head.get) if ANSWERING.search(self.head.lowercase) else ()
        method = self.method if self.dialect == "aws" else f"{self.method} {self.service}"
        return method, self.path, headers, self.outline.data

    @property
    def request_size(self) -> int:
        """The size of `request`, in bytes."""
        return len(self.path) + len(self.outline.data)

    @lazy_property
    def operation(self) -> str | None:
        """The operation's name in botocore, or `None` if the path is not a Bedrock operation."""
        return self.target.name

    @lazy_property
    def model(self) -> str | None:
        """The model id in the path, percent-decoded, ARNs whole, or in the body of OpenAI's and Anthropic's APIs."""
        return self.target.model or find_body_model(self.target, self.outline.data)

    @property
    def dialect(self) -> Dialect:
        """The form of errors and streams: that of AWS, of OpenAI or of Anthropic."""
        return self.target.dialect

    @lazy_property
    def named_service(self) -> str | None:
        """The service that the prefix of the path or the host of the request names; None if neither does."""
        host = read_host((self.head.get("host") or "").partition(":")[0])
        return self.prefix or (host.service if host else None)

    @property
    def service(self) -> str:
        """bedrock-runtime or bedrock-mantle: both have OpenAI's and Anthropic's APIs.

        If the request names neither, the path decides: only bedrock-mantle has paths that begin with `/v1/`.
        """
        return self.named_service or (MANTLE if self.path.startswith("/v1/") else RUNTIME)

    @property
    def is_streamed(self) -> bool:
        """Whether the client expects a stream: by the operation or, in OpenAI's and Anthropic's APIs, by the body."""
        operation = self.target.operation
        if operation is None or self.dialect == "aws":
            return operation is not None and operation.streaming
        return isinstance(self.outline_json, dict) and self.outline_json.get("stream") is True

    @lazy_property
    def json(self) -> JsonValue:
        """The parsed body, or `None` if the body is not JSON."""
        return _parse(self.body) if self.outline.blobs else self.outline_json

    @lazy_property
    def outline_json(self) -> JsonValue:
        """The parsed outline, or `None` if the body is not JSON."""
        return _parse(self.outline.data)

    @lazy_property
    def is_literal(self) -> bool:
        """Whether the body contains the prompt's texts literally, except for characters that JSON must escape.

        Converse's texts are joined by line breaks. Other formats contain texts in templates or in base64.
        """
        return self.operation in ("Converse", "ConverseStream") and b"\\u" not in self.outline.data

    @lazy_property
    def prompt(self) -> Prompt:
        """The prompt in a form independent of the model family: system, messages, tools, parameters."""
        body = self.outline.data
        read = _read_cached_prompt if len(body) <= _LARGEST_CACHED else prompt_of
        prompt = read(self.operation, self.model, body)
        return replace(prompt, turns=(*self.earlier.turns, *prompt.turns)) if self.earlier else prompt

    def pack(self) -> None:
        """Free what was read from the request, because a history keeps ten thousand calls. It is read again on access."""
        self.head.pack()
        for name in ("json", "outline_json", "prompt", "outline"):
            self.__dict__.pop(name, None)

    @lazy_property
    def attempt(self) -> int:
        """The number of the attempt in its invocation, from 1, from the SDK's headers."""
        if match := _ATTEMPT.search(self.head.get("amz-sdk-request") or ""):
            return int(match[1])
        retried = self.head.get("x-stainless-retry-count") or ""
        return int(retried) + 1 if _SMALL.fullmatch(retried) else 1

    @property
    def invocation_id(self) -> str | None:
        """The id that the attempts of one SDK call share, or `None` if the SDK does not send an id."""
        return self.head.get("amz-sdk-invocation-id")

    @lazy_property
    def scope(self) -> tuple[str | None, str | None]:
        """Access key id and region of the signature; None for each that the request does not contain."""
        scope = read_scope(self.head.get("authorization") or "")
        return (scope.access_key, scope.region or None) if scope else (None, None)


def _parse(body: bytes) -> JsonValue:
    try:
        return parse_request(body)
    except ValueError:
        return None


# Tests send the same request again and again, and reading it costs more than answering it. Bounded by count and size.
_LARGEST_CACHED = 16_384
_read_cached_prompt = lru_cache(maxsize=2048)(prompt_of)

_ATTEMPT = re.compile(r"\battempt=([0-9]{1,4})\b")
_SMALL = re.compile(r"[0-9]{1,4}")
