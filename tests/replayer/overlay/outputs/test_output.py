"""Answers in the words of the service models, for every operation.

The oracle is botocore's own parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from random import Random
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError
from botocore.model import Shape, StructureShape
from botocore.parsers import ResponseParserFactory, create_parser
from botocore.validate import ParamValidator

from bedtape_cassettes.families.shared.service_models import load_operation, load_service
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Events, Response
from bedtape_cassettes.operations import Operation
from bedtape_replayer import Replayer
from bedtape_replayer.answering.service_operations import (
    SERVICE_OPERATIONS,
    SERVICES,
    find_service_operation,
)
from bedtape_replayer.overlay.document import OverlayInvalid, parse_rule
from bedtape_replayer.overlay.outputs.building import prepare
from bedtape_replayer.overlay.outputs.shapes import find_stream, make_default

MODELS = {service: load_service(service) for service in SERVICES}


def encode(known: Operation, answer: dict[str, Any]) -> Response:
    prepared, problems = prepare(known, answer)
    assert prepared is not None, problems
    return prepared.response


def read_body(response: Response) -> bytes:
    if isinstance(response.body, Events):
        return b"".join(
            bodies.wire(event, response.body.padded, Random(1)) for event in response.body.events
        )
    return response.body.data


def decode(known: Operation, response: Response) -> Any:
    """What botocore reads of a response that does not stream."""
    model = MODELS[known.service]
    answered = {
        "status_code": response.status,
        "headers": HeadersDict(dict(response.headers)),
        "body": read_body(response),
    }
    return create_parser(model.protocol).parse(
        answered, model.operation_model(known.name).output_shape
    )


def find_missing(shape: Shape | None, value: Any, place: str = "") -> Iterator[str]:
    """Places of required members that a parsed value lacks, to any depth."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if name in value:
                yield from find_missing(member, value[name], f"{place}.{name}")
            elif name in shape.required_members:
                yield f"{place}.{name}"


def test_the_table_has_every_operation_of_botocore() -> None:
    theirs = {
        (
            service,
            name,
            operation.http["method"],
            operation.http["requestUri"],
            operation.has_event_stream_output,
            operation.has_event_stream_input,
        )
        for service, model in MODELS.items()
        for name in model.operation_names
        for operation in [model.operation_model(name)]
    }
    assert {
        (o.service, o.name, o.method, o.path, o.streaming, o.duplex) for o in SERVICE_OPERATIONS
    } == theirs


every_service = pytest.mark.parametrize("service", SERVICES)


def list_operations(service: str) -> list[Operation]:
    return [known for known in SERVICE_OPERATIONS if known.service == service]


@every_service
def test_every_operation_is_found_at_its_path(service: str) -> None:
    for known in list_operations(service):
        path = known.path.replace("{", "a%2F").replace("}", "")
        target = MODELS[known.service].metadata.get("targetPrefix")
        header = f"{target}.{known.name}" if known.path == "/" and target else ""
        assert find_service_operation(known.service, known.method, path, header) == known
        assert find_service_operation(known.service, "OPTIONS", path, header) is None


@every_service
def test_every_default_output_is_complete_for_botocore(service: str) -> None:
    for known in list_operations(service):
        shape = MODELS[service].operation_model(known.name).output_shape
        response = encode(known, {"output": {}})
        assert response.status < 300
        if known.streaming or shape is None:
            continue
        value = decode(known, response)
        value.pop("ResponseMetadata")
        assert list(find_missing(shape, value)) == [], known
        errors = ParamValidator().validate(value, shape)._errors
        assert not [error for error in errors if error[0] == "invalid type"], known


@every_service
def test_every_event_of_every_stream_is_read_by_botocore(service: str) -> None:
    for known in list_operations(service):
        model = load_operation(service, known.name)
        stream = find_stream(model) if model else None
        for event, shape in stream[1].members.items() if stream else ():
            assert stream is not None
            payload = make_default(shape, event, service)
            buffer = EventStreamBuffer()
            buffer.add_data(read_body(encode(known, {"events": [{event: payload}]})))
            (message,) = list(buffer)
            parser = ResponseParserFactory().create_parser("rest-json")._event_stream_parser
            parsed = parser.parse(message.to_response_dict(), stream[1])
            if shape.metadata.get("exception"):
                assert parsed["Error"]["Code"] == event
            else:
                assert list(find_missing(shape, parsed[event])) == [], (known, event)


@pytest.fixture
def server() -> Iterator[Replayer]:
    with Replayer() as replayer:
        yield replayer


Clients: TypeAlias = Callable[[str], Any]


@pytest.fixture
def client(server: Replayer) -> Iterator[Clients]:
    """Makes clients of services at the server's address, as `bedtape run` sets it."""
    with ExitStack() as stack:

        def make(service: str) -> Any:
            prefix = "" if service == "bedrock-runtime" else f"/service/{service}"
            keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
            options: Any = {"endpoint_url": server.url + prefix, "region_name": "us-east-1", **keys}
            return stack.enter_context(closing(boto3.client(service, **options)))

        yield make


# Of every service, the same operations in each run.
SAMPLE = [
    known
    for service in SERVICES
    for known in Random(19).sample(
        [
            each
            for each in SERVICE_OPERATIONS
            if each.service == service and "Bidirectional" not in each.name
        ],
        4,
    )
]


@pytest.mark.parametrize("known", SAMPLE, ids=lambda known: f"{known.service}-{known.name}")
def test_boto3_gets_the_default_of_a_rule(
    server: Replayer, client: Clients, known: Operation
) -> None:
    from botocore import xform_name

    model = MODELS[known.service].operation_model(known.name)
    sent = make_default(model.input_shape, known.name, known.service) if model.input_shape else {}
    server.respond(operation=known.name, output={})  # type: ignore[arg-type]  # any name
    answer = getattr(client(known.service), xform_name(known.name))(**sent)
    stream = find_stream(model)
    if stream:
        assert list(answer.pop(stream[0])) == []
        answer[stream[0]] = {}
    assert list(find_missing(model.output_shape, answer)) == []
    for value in answer.values():
        if hasattr(value, "close"):  # a body that the client streams
            value.close()
    server.assert_called(operation=known.name, times=1)  # type: ignore[arg-type]


def test_members_get_the_values_of_the_request(server: Replayer, client: Clients) -> None:
    server.respond(operation=["GetAgent", "PrepareAgent"], output={})
    agents = client("bedrock-agent")
    assert agents.get_agent(agentId="ABCDEFGHIJ")["agent"]["agentId"] == "ABCDEFGHIJ"
    assert agents.prepare_agent(agentId="BCDEFGHIJK")["agentId"] == "BCDEFGHIJK"
    server.respond(operation="InvokeAgent", output={}, events=[{"chunk": {"bytes": b"hello"}}])
    runtime = client("bedrock-agent-runtime")
    answer = runtime.invoke_agent(
        agentId="ABCDEFGHIJ", agentAliasId="TSTALIASID", sessionId="one", inputText="hi"
    )
    assert (answer["sessionId"], list(answer["completion"])) == (
        "one",
        [{"chunk": {"bytes": b"hello"}}],
    )


def test_states_follow_each_other(server: Replayer, client: Clients) -> None:
    server.respond(operation="StartAsyncInvoke", output={})
    server.respond(
        operation="GetAsyncInvoke", answers=[{"state": "InProgress"}, {"state": "Completed"}]
    )
    server.respond(operation="GetModelInvocationJob", state="PartiallyCompleted")
    server.respond(operation="GetAgent", state="PREPARED")
    runtime = client("bedrock-runtime")
    arn = runtime.start_async_invoke(
        modelId="amazon.nova-reel-v1:0",
        modelInput={},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bucket/key"}},
    )["invocationArn"]
    seen = [runtime.get_async_invoke(invocationArn=arn) for _ in range(3)]
    assert [each["status"] for each in seen] == ["InProgress", "Completed", "Completed"]
    assert {each["invocationArn"] for each in seen} == {arn}
    job = client("bedrock").get_model_invocation_job(jobIdentifier="abcdefghijkl")
    assert job["status"] == "PartiallyCompleted"
    assert (
        client("bedrock-agent").get_agent(agentId="ABCDEFGHIJ")["agent"]["agentStatus"]
        == "PREPARED"
    )


def test_an_exception_in_a_stream_is_raised_by_the_client(
    server: Replayer, client: Clients
) -> None:
    server.respond(
        operation="InvokeFlow",
        events=[
            {
                "flowOutputEvent": {
                    "nodeName": "Out",
                    "nodeType": "FlowOutputNode",
                    "content": {"document": [1, "a"]},
                }
            },
            {"throttlingException": {"message": "Too fast."}},
        ],
    )
    runtime = client("bedrock-agent-runtime")
    inputs = [{"nodeName": "In", "nodeOutputName": "document", "content": {"document": "hello"}}]
    answer = runtime.invoke_flow(
        flowIdentifier="ABCDEFGHIJ", flowAliasIdentifier="TSTALIASID", inputs=inputs
    )
    events = iter(answer["responseStream"])
    assert next(events)["flowOutputEvent"]["content"] == {"document": [1, "a"]}
    with pytest.raises(EventStreamError, match=r"throttlingException.*Too fast\."):
        next(events)
    answer["responseStream"].close()


def test_a_rule_answers_the_operation_of_each_service_that_has_the_name(
    server: Replayer, client: Clients
) -> None:
    server.respond(operation="ListTagsForResource", output={"tags": {"team": "a"}})
    arn = "arn:aws:bedrock:us-east-1:123456789012:agent/ABCDEFGHIJ"
    for service in ("bedrock-agent", "bedrock-agentcore-control"):
        assert client(service).list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a"}
    with pytest.raises(ClientError, match="name the operation in a rule of its own"):
        client("bedrock").list_tags_for_resource(resourceARN=arn)


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        (
            {
                "when": {"operation": "GetAgent"},
                "answer": {
                    "output": {
                        "agnt": 1,
                        "agent": {"agentName": 3, "agentStatus": "prepared", "createdAt": "x"},
                    }
                },
            },
            [
                (
                    "answer.output.agnt: expected a member of GetAgentResponse: agent, found agnt;"
                    " did you mean agent?"
                ),
                "answer.output.agent.agentName: expected text, found 3",
                "one of CREATING, PREPARING, PREPARED",
                'found "prepared"; did you mean PREPARED?',
                "answer.output.agent.createdAt: expected a time",
            ],
        ),
        ({"answer": {"output": {}}}, ["answer.output: expected the operation whose answer it is"]),
        (
            {"when": {"operation": "Retrieve"}, "answer": {"events": []}},
            ["Retrieve does not stream"],
        ),
        (
            {
                "when": {"operation": "InvokeAgent"},
                "answers": [{"events": [{"chnk": {}}, {"chunk": {"bytes": "hello!"}}]}],
            },
            [
                "answers[0].events[0].chnk",
                "did you mean chunk?",
                'write {text: "hello!"} for these words',
            ],
        ),
        (
            {"when": {"operation": "InvokeAgent"}, "answer": {"output": {"completion": []}}},
            ["give the events of completion as events"],
        ),
        (
            {"when": {"operation": "GetAsyncInvoke"}, "answer": {"state": "Complete"}},
            [
                'answer.state: expected one of InProgress, Completed, Failed, found "Complete"; did'
                " you mean Completed?"
            ],
        ),
        (
            {"when": {"operation": "StartAsyncInvoke"}, "answer": {"state": "x"}},
            ["whose answer has a status"],
        ),
        (
            {"when": {"operation": "Messages"}, "answer": {"output": {}}},
            ["use text, json, tool, error or raw"],
        ),
        ({"when": {"operation": "ListModels"}, "answer": {"output": {}}}, ["use raw or error"]),
        ({"when": {"operation": "GetAgnt"}, "answer": {"output": {}}}, ["did you mean GetAgent?"]),
        (
            {"when": {"operation": "GetAgent"}, "answer": {"output": {}, "text": "a"}},
            ["expected one kind of answer"],
        ),
        (
            {
                "when": {"operation": "Retrieve"},
                "answer": {"output": {"retrievalResults": [{"content": []}]}},
            },
            ["answer.output.retrievalResults[0].content: expected an object with"],
        ),
        (
            {
                "when": {"operation": "InvokeAgentRuntime"},
                "answer": {"output": {"response": {"text": "a"}, "traceId": "a\nb"}},
            },
            ["answer.output.traceId: expected text that a header can hold"],
        ),
    ],
)
def test_every_problem_is_found_when_the_rule_is_loaded(
    rule: dict[str, Any], problems: list[str]
) -> None:
    with pytest.raises(OverlayInvalid) as error:
        parse_rule(rule, lambda kind: f"{kind}-1")
    for problem in problems:
        assert problem in str(error.value)
