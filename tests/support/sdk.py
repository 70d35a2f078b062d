"""A recorded exchange as AWS's own code sees it: the input that sends it again, and what its
parser makes of the answer.

Botocore's service models and parsers are the oracle here; bedtape's code is not used.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser

from bedtape_cassettes.format.bodies import wire
from bedtape_cassettes.model import Events, Headers, Interaction
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support.corpus import Exchange

_SERVICES = ("bedrock-runtime", "bedrock-agentcore", "bedrock-agent-runtime", "bedrock")


@dataclass(frozen=True)
class RecordedCall:
    """One recorded exchange, from the corpus or from a cassette; `session` is
    the cassette that holds it.
    """

    session: str
    operation: str
    path: str
    request_headers: Headers
    request_body: bytes
    status: int
    response_headers: Headers
    response_body: bytes

    def __str__(self) -> str:
        return f"{self.session} {self.operation} {self.path}"


def of_exchange(exchange: Exchange) -> RecordedCall:
    """An exchange of the corpus."""
    return RecordedCall(
        exchange.cassette,
        exchange.operation,
        exchange.path,
        exchange.request_headers,
        exchange.request_body,
        exchange.status,
        exchange.response_headers,
        exchange.response_body,
    )


def of_interaction(session: str, interaction: Interaction) -> RecordedCall:
    """An interaction of a cassette."""
    request, response = interaction.request, interaction.response
    return RecordedCall(
        session,
        interaction.operation or "",
        request.path,
        request.headers,
        request.body.data,
        response.status,
        response.headers,
        b"".join(_pieces(response.body))
        if isinstance(response.body, Events)
        else response.body.data,
    )


def of_samples() -> list[RecordedCall]:
    """The interactions that ship with bedtape."""
    cassettes = store.read([store.samples()])
    return [of_interaction(c.name, i) for c in cassettes for i in c.interactions if not i.partial]


def endpoint(bedrock: Replayer, session: str) -> str:
    """The endpoint of a session, whatever its name is made of."""
    return bedrock.session_url(session)


def _pieces(body: Events) -> Iterator[bytes]:
    return (wire(event, padded=False, chance=Random(0)) for event in body.events)


# -- the service models ----------------------------------------------------------------------------


@lru_cache
def _models() -> tuple[ServiceModel, ...]:
    session = botocore.session.get_session()
    return tuple(session.get_service_model(name) for name in _SERVICES)


@lru_cache
def service_of(operation: str) -> str | None:
    """The service that has the operation; None where no service model does
    (the OpenAI front door).
    """
    return next(
        (model.service_name for model in _models() if operation in model.operation_names), None
    )


@lru_cache
def _operation(name: str) -> OperationModel:
    return next(model for model in _models() if name in model.operation_names).operation_model(name)


# -- the input -------------------------------------------------------------------------------------


class InexpressibleError(Exception):
    """No SDK can be asked to send this request; its text says why."""


def arguments(recorded: RecordedCall) -> dict[str, Any]:
    """The input members that make an SDK send the recorded request. Raises InexpressibleError."""
    if service_of(recorded.operation) is None:
        raise InexpressibleError(f"{recorded.operation}: no operation of a service model")
    operation = _operation(recorded.operation)
    shape = operation.input_shape
    assert isinstance(shape, StructureShape)
    return {
        **_labels(operation, recorded.path),
        **_query(shape, recorded.path),
        **_headers(shape, (*_list_session_ids(recorded), *recorded.request_headers)),
        **_body(shape, recorded.request_body),
    }


def _labels(operation: OperationModel, path: str) -> dict[str, str]:
    template = operation.http["requestUri"].partition("?")[0].rstrip("/")
    pattern = re.sub(r"\\\{(\w+)(?:\\\+)?\\\}", r"(?P<\1>.+)", re.escape(template))
    match = re.search(pattern + "/?$", path.partition("?")[0])
    if match is None:
        raise InexpressibleError("path: not one of the operation")
    return {name: unquote(value) for name, value in match.groupdict().items()}


def _query(shape: StructureShape, path: str) -> dict[str, str]:
    members = {m.serialization["name"]: name for name, m in _list_located(shape, "querystring")}
    return {members[name]: value for name, value in parse_qsl(path.partition("?")[2])}


def _list_session_ids(recorded: RecordedCall) -> Headers:
    """The session ids of the answer.

    A replayed answer has those of the request, and an SDK invents those it lacks.
    """
    return tuple(
        (name, value)
        for name, value in recorded.response_headers
        if name.lower().endswith("session-id")
    )


def _headers(shape: StructureShape, headers: Headers) -> dict[str, str]:
    sent = {name.lower(): value for name, value in headers}
    members = {m.serialization["name"].lower(): name for name, m in _list_located(shape, "header")}
    return {member: sent[name] for name, member in members.items() if name in sent}


def _list_located(shape: StructureShape, where: str | None) -> list[tuple[str, Shape]]:
    return [(n, m) for n, m in shape.members.items() if m.serialization.get("location") == where]


def _body(shape: StructureShape, body: bytes) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None:
        return {payload: body}
    if not body:
        return {}
    members = dict(_list_located(shape, None))
    return _members(members, json.loads(body), "")


def _members(members: dict[str, Shape], value: Any, where: str) -> dict[str, Any]:
    names = {member.serialization.get("name", name): name for name, member in members.items()}
    if not isinstance(value, dict):
        raise InexpressibleError(f"{where}: {type(value).__name__} where the model has a structure")
    values = {}
    for key, item in value.items():
        path = f"{where}.{key}".lstrip(".")
        if key not in names:
            raise InexpressibleError(f"{path}: not in the model")
        values[names[key]] = _value(members[names[key]], item, path)
    return values


def _value(shape: Shape, value: Any, where: str) -> Any:
    """A JSON value as the SDKs take it: bytes for blobs, and otherwise as it stands."""
    if getattr(shape, "is_document_type", False):
        return value
    if value is None:
        raise InexpressibleError(f"{where}: null")
    match shape:
        case StructureShape():
            return _members(dict(shape.members), value, where)
        case ListShape():
            return [_value(shape.member, item, where) for item in value]
        case MapShape():
            return {key: _value(shape.value, item, f"{where}.*") for key, item in value.items()}
    match shape.type_name:
        case "blob":
            return _blob(value, where)
        case "integer" | "long":
            return int(value) if value == int(value) else value
        case _:
            return value


def _blob(value: str, where: str) -> bytes:
    try:
        data = b64decode(value, validate=True)
    except Base64Error:
        raise InexpressibleError(f"{where}: not base64") from None
    if b64encode(data).decode() != value:
        raise InexpressibleError(f"{where}: base64 that no encoder writes")
    return data


# -- the output ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """An error that an SDK raises; `status` is None in the middle of a stream."""

    code: str
    message: str
    status: int | None


@dataclass(frozen=True)
class Outcome:
    """All that a caller gets of an operation: its output members, then a stream's
    events, then perhaps an error.
    """

    output: dict[str, Any]
    events: tuple[dict[str, Any], ...] = ()
    failure: Failure | None = None


def parse_recorded(recorded: RecordedCall) -> Outcome:
    """What botocore's own parser makes of the recorded response, less what no cassette keeps."""
    operation = _operation(recorded.operation)
    shape = operation.output_shape
    assert shape is not None
    parser = create_parser(operation.service_model.protocol)
    streamed = operation.has_streaming_output or operation.has_event_stream_output
    whole = recorded.status >= 300 or not streamed
    response = {
        "status_code": recorded.status,
        "headers": HeadersDict(recorded.response_headers),
        "body": recorded.response_body if whole else _Body(recorded.response_body),
        "context": {"operation_name": recorded.operation},
    }
    outcome = collect(recorded.operation, lambda: _raise_error(parser.parse(response, shape)))
    return Outcome(
        _replace_accounts(outcome.output), _replace_accounts(outcome.events), outcome.failure
    )


def _replace_accounts(value: Any) -> Any:
    """The value with the account ids in its ARNs replaced: the one thing of an answer
    that a cassette changes.
    """
    match value:
        case str():
            return _ACCOUNT.sub("123456789012", value)
        case list() | tuple():
            return type(value)(_replace_accounts(item) for item in value)
        case dict():
            return {name: _replace_accounts(item) for name, item in value.items()}
    return value


_ACCOUNT = re.compile(r"(?<=:)\d{12}(?=:)")


class _Body:
    """A streamed response body as botocore's client has it: whole, for cutting
    it is the wire's business.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None:
        pass


def _raise_error(response: Any) -> dict[str, Any]:
    """The parsed response, unless it is an error's: botocore's client raises
    those, not its parser.
    """
    if response["ResponseMetadata"]["HTTPStatusCode"] >= 300:
        raise ClientError(response, "")
    return dict(response)


def collect(operation: str, call: Callable[[], dict[str, Any]]) -> Outcome:
    """What a call to botocore gives, its stream or body read to the end."""
    try:
        response = call()
    except ClientError as error:
        return Outcome({}, failure=_failure(error))
    output = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    shape = _operation(operation).output_shape
    if shape is not None and _operation(operation).has_event_stream_output:
        events, failure = _drain(output.pop(shape.serialization["payload"]))
        return Outcome(output, events, failure)
    return Outcome(
        {name: value.read() if hasattr(value, "read") else value for name, value in output.items()}
    )


def _drain(stream: Any) -> tuple[tuple[dict[str, Any], ...], Failure | None]:
    events: list[dict[str, Any]] = []
    with closing(stream):  # after an error in it, its connection would stay open
        try:
            for event in stream:
                events.append(event)
        except ClientError as error:
            return tuple(events), _failure(error)
    return tuple(events), None


def _failure(error: ClientError) -> Failure:
    details = error.response["Error"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return Failure(details["Code"], details["Message"], status)
