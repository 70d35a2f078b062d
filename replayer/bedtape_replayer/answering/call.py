"""A call: one request that the server received, as most packages use it. No sockets, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import orjson

from bedtape_cassettes.addresses import MANTLE, RUNTIME, read_host, read_scope
from bedtape_cassettes.families.content import Prompt
from bedtape_cassettes.families.documents import read_document_texts
from bedtape_cassettes.families.reading import prompt_of, read_prompt
from bedtape_cassettes.families.service_apis import MODELS, find_service_model
from bedtape_cassettes.format.bodies import is_shallow, parse_request
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.matching.key import ANSWERING, TARGET_HEADER, AnswerHeaders, answer_headers
from bedtape_cassettes.matching.outline import LARGE, Outline, read_outline
from bedtape_cassettes.model import JsonValue, Response
from bedtape_cassettes.operations import Dialect, Operation, Target, find_body_model, identify
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.service_operations import find_service_operation

if TYPE_CHECKING:
    from bedtape_replayer.answering.siblings import Siblings

# The service in the prefix of the path, and in the host.
Services: TypeAlias = tuple[str | None, str | None]
# The method, the path, the services (several operations may have one path), the headers that change
# an answer, and the outline of the body.
RequestParts: TypeAlias = tuple[str, str, Services, AnswerHeaders, bytes]


class AddressFindings(TypedDict):
    """The properties of a call that depend on its address alone, by their names."""

    target: Target
    known: Operation | None
    operation: str | None
    dialect: Dialect


# Tests send requests to the same few addresses again and again.
@lru_cache(maxsize=4096)
def _read_address(method: str, path: str, services: Services, header: str) -> AddressFindings:
    target = identify(method, path)
    known = _find_operation(method, path, target, services, header)
    name = None if known is None else known.name
    return {"target": target, "known": known, "operation": name, "dialect": target.dialect}


def _find_operation(
    method: str, path: str, target: Target, services: Services, header: str
) -> Operation | None:
    operation, (prefix, host) = target.operation, services
    if operation is not None and (
        prefix in (None, RUNTIME, operation.service) or operation.dialect != "aws"
    ):
        return operation
    service = prefix or host
    return (
        find_service_operation(None if service == RUNTIME else service, method, path, header)
        or operation
    )


def _find_target_header(headers: AnswerHeaders) -> str:
    """Return X-Amz-Target, which is the last of the headers, or an empty text."""
    return headers[-1][1] if headers and headers[-1][0] == TARGET_HEADER else ""


class Findings:
    """What was found out about a request, once for all equal requests.

    body: the object that all equal bodies use; empty if it is large. address: the properties that
    depend on the address of the request. key, candidates: each with the object that found it.
    refusal: the error that Bedrock would answer, in a tuple, because it may be None. prompt: None
    if nothing has read it. siblings: requests that differ from this request in one text; None if
    they have not been looked for. text: that text, if the siblings are known. model: in the body.
    answer: what a rule answered, with what else the answer depends on, and its size. seen: whether
    another request was equal.
    """

    __slots__ = (
        "address",
        "answer",
        "body",
        "candidates",
        "key",
        "model",
        "prompt",
        "refusal",
        "seen",
        "siblings",
        "text",
    )

    def __init__(self, body: bytes, address: AddressFindings) -> None:
        self.body = body
        self.address = address
        self.key: tuple[object, bytes] = _NO_KEY
        self.candidates: tuple[object, object] = _NOTHING
        self.refusal: tuple[Response | None] | None = None
        self.prompt: Prompt | None = None
        self.siblings: Siblings | None = None
        self.text: str | None = None
        self.model: str | None = _UNREAD
        self.answer: tuple[object, tuple[object, ...], object, int] | None = None
        self.seen = False


# Equal to no model id, which has no control characters.
_UNREAD = "\0"
_NO_KEY: tuple[object, bytes] = (None, b"")
_NOTHING: tuple[object, object] = (None, None)


# Nothing assigns a call's fields. It is not `frozen`, because a frozen call takes five
# times as long to make.
@dataclass(eq=False)
class Call:
    """One request that the server received. The body is parsed on first use.

    path: percent-encoded with its query, without prefixes. number: the number of the call in its
    session, from 1. generation: the generation of the session. A session that is reset, or made
    anew under the same name, has another generation, and so another history. 0 for a call that no
    history keeps. prefix: the service in the prefix of the path. earlier: the conversation that the
    call continues by an id (`previous_response_id`). namespace: of the engine.
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
    namespace: str = ""

    @lazy_property
    def target(self) -> Target:
        return self._address["target"]

    @lazy_property
    def outline(self) -> Outline:
        """The body, with digests in place of large binary data."""
        return read_outline(self.body)

    @lazy_property
    def request(self) -> RequestParts:
        """The parts of the request that an answer may depend on: the key of caches."""
        data = self.body if len(self.body) < LARGE else self.outline.data
        return self.method, self.path, *self._read_services_and_headers(), data

    def _read_services_and_headers(self) -> tuple[Services, AnswerHeaders]:
        head = self.head
        headers = answer_headers(head.get) if ANSWERING.search(head.lowercase) else ()
        host = (head.known_sender or head.sender)[0]
        return (self.prefix, _read_service(host or b"")), headers

    @property
    def _address(self) -> AddressFindings:
        services, headers = self._read_services_and_headers()
        return _read_address(self.method, self.path, services, _find_target_header(headers))

    @property
    def request_size(self) -> int:
        """The size of `request`, in bytes."""
        return len(self.path) + len(self.request[4])

    @lazy_property
    def findings(self) -> Findings:
        """What was found out about the request. See `share`."""
        method, path, services, headers, _ = self.request
        address = _read_address(method, path, services, _find_target_header(headers))
        self.__dict__.update(address)
        body = self.body
        return Findings(b"" if len(body) >= LARGE and self.outline.blobs else body, address)

    @lazy_property
    def known(self) -> Operation | None:
        """The operation of any Bedrock service, or `None` if the path is not a Bedrock operation.

        Two services may have one path. Then the prefix of the path or the host
        decides, if it names a service.
        """
        return self._address["known"]

    @lazy_property
    def operation(self) -> str | None:
        """The operation's name in botocore, or `None` if the path is not a Bedrock operation."""
        return self._address["operation"]

    @lazy_property
    def model(self) -> str | None:
        """The model id in the path, percent-decoded, or in the body. ARNs are whole."""
        target = self.target
        if target.model is not None:
            return target.model
        if target.dialect == "aws":
            return (
                find_service_model(self.operation, self.outline_json)
                if self.operation in MODELS
                else None
            )
        findings = self.findings
        if findings.model is _UNREAD:
            findings.model = self._read_body_model(target)
        return findings.model

    def _read_body_model(self, target: Target) -> str | None:
        if isinstance(self.loaded, dict):
            model = self.loaded.get("model")
            return model if isinstance(model, str) else None
        return find_body_model(target, self.outline.data)

    @lazy_property
    def dialect(self) -> Dialect:
        """The form of errors and streams: that of AWS, of OpenAI or of Anthropic."""
        return self._address["dialect"]

    @lazy_property
    def named_service(self) -> str | None:
        """The service in the path's prefix or in the host of the request, or None."""
        return self.prefix or _read_service(self.head.sender[0] or b"")

    @property
    def service(self) -> str:
        """bedrock-runtime or bedrock-mantle: both have OpenAI's and Anthropic's APIs.

        If the request names neither, the path decides: only bedrock-mantle has
        paths that begin with `/v1/`.
        """
        return self.named_service or (MANTLE if self.path.startswith("/v1/") else RUNTIME)

    @property
    def is_streamed(self) -> bool:
        """Whether the client expects a stream: by the operation or, in other APIs, by the body."""
        operation = self.known
        if operation is None or self.dialect == "aws":
            return operation is not None and operation.streaming
        return isinstance(self.outline_json, dict) and self.outline_json.get("stream") is True

    @lazy_property
    def json(self) -> JsonValue:
        """The parsed body, or `None` if the body is not JSON."""
        return _parse(self.body) if self.outline.blobs else self.outline_json

    @lazy_property
    def loaded(self) -> JsonValue:
        """The parsed outline, or `None` if orjson cannot parse it. See `outline_json`."""
        try:
            value: JsonValue = orjson.loads(self.outline.data)
        except orjson.JSONDecodeError:
            return None
        return value

    @lazy_property
    def outline_json(self) -> JsonValue:
        """The parsed outline, or `None` if the body is not JSON."""
        data = self.outline.data
        return _parse(data) if self.loaded is None or not is_shallow(data) else self.loaded

    @lazy_property
    def is_literal(self) -> bool:
        """Whether the body contains the prompt's texts literally, except for
        characters that JSON must escape.

        The texts of these operations are joined by line breaks. InvokeModel has texts in
        templates and in base64.
        """
        return (
            self.operation in _LITERAL and b"\\u" not in self.outline.data and self.earlier is None
        )

    @lazy_property
    def documents(self) -> str:
        """The names and texts of all documents in the request, joined by line breaks.

        PDF and Word files have no text here.
        """
        return "\n".join(read_document_texts(self.json))

    @lazy_property
    def prompt(self) -> Prompt:
        """The prompt in a form without a model family: system, messages, tools, parameters."""
        findings = self.findings
        prompt = findings.prompt
        if prompt is None and findings.text is not None and findings.siblings is not None:
            # not kept, because it is quickly made again
            prompt = findings.siblings.read_prompt(findings.text)
        elif prompt is None:
            body = self.outline_json
            if isinstance(body, dict):
                prompt = read_prompt(self.operation, self.model, body)
            else:
                prompt = prompt_of(self.operation, self.model, self.outline.data)
            if len(self.outline.data) <= _LARGEST_CACHED:
                findings.prompt = prompt
        return (
            replace(prompt, turns=(*self.earlier.turns, *prompt.turns)) if self.earlier else prompt
        )

    def share(self, findings: Findings) -> None:
        """Use what was found out about an equal request, and its body."""
        self.findings = findings
        self.body = findings.body or self.body
        self.__dict__.update(findings.address)

    def repeat(self, head: Head, number: int) -> Call:
        """Return the call of an equal request of the same session."""
        call = replace(self, head=head, number=number)
        if "model" in self.__dict__:
            call.__dict__["model"] = self.model
        return call

    def pack(self) -> None:
        """Free what was read from the request, because a history keeps ten thousand calls.

        It is read again on access.
        """
        values = self.__dict__
        if self.target.model is None:  # logs and lists read it, and the body is not parsed for it
            values["model"] = self.model
        self.head.pack()
        values.pop("request", None)
        values.pop("findings", None)
        unread = _UNREAD_ENTRIES + ("model" in values)
        if len(values) > unread:  # most calls whose recording was found are not read
            for name in _PACKED:
                values.pop(name, None)

    @lazy_property
    def attempt(self) -> int:
        """The number of the attempt in its invocation, from 1, from the SDK's headers."""
        if match := _ATTEMPT.search(self.head.get("amz-sdk-request") or ""):
            return int(match[1])
        retried = self.head.get("x-stainless-retry-count") or ""
        return int(retried) + 1 if _SMALL.fullmatch(retried) else 1

    @property
    def invocation_id(self) -> str | None:
        """The id that all attempts of one SDK call share, or `None` if the SDK sends none."""
        return self.head.get("amz-sdk-invocation-id")

    @lazy_property
    def scope(self) -> tuple[str | None, str | None]:
        """Access key id and region of the signature; None for a part that is not there."""
        scope = read_scope(self.head.get("authorization") or "")
        return (scope.access_key, scope.region or None) if scope else (None, None)


@lru_cache(maxsize=1024)
def _read_service(host: bytes) -> str | None:
    """The service of a Host header."""
    read = read_host(host.decode("latin-1").partition(":")[0])
    return read.service if read else None


def _parse(body: bytes) -> JsonValue:
    try:
        return parse_request(body)
    except ValueError:
        return None


# Tests send the same request again and again, and reading it costs more than answering it.
_LARGEST_CACHED = 16_384
_PACKED = ("documents", "json", "outline_json", "loaded", "prompt", "outline")
# The fields of a call, and what its address decides.
_UNREAD_ENTRIES = len(fields(Call)) + len(AddressFindings.__annotations__)

_LITERAL = ("Converse", "ConverseStream", "ChatCompletions", "Messages", "Responses")

_ATTEMPT = re.compile(r"\battempt=([0-9]{1,4})\b")
_SMALL = re.compile(r"[0-9]{1,4}")
