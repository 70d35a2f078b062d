"""Default answers: one for every operation and every family, marked in the history.

The oracle is boto3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from random import Random
from typing import Any, get_args

import boto3
import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.families.shared.service_models import load_operation
from bedtape_cassettes.families.table import FAMILIES
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.cli.play_options import DefaultChoice
from bedtape_replayer.engine.defaults import DefaultAnswer, Defaults
from bedtape_replayer.overlay.outputs.shapes import make_default

KINDS: tuple[DefaultAnswer, ...] = ("canned", "echo", "schema")
NOVA = "amazon.nova-lite-v1:0"
QUESTION: Any = [{"role": "user", "content": [{"text": "Where is Lyon?"}]}]


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Replayer, Callable[[str], Any]]]]:
    with ExitStack() as stack:

        def start(kind: DefaultAnswer) -> tuple[Replayer, Callable[[str], Any]]:
            server = stack.enter_context(Replayer((), default=kind))

            def client(service: str) -> Any:
                url = (
                    server.url
                    if service == "bedrock-runtime"
                    else f"{server.url}/service/{service}"
                )
                keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
                options: Any = {"endpoint_url": url, "region_name": "us-east-1", **keys}
                return stack.enter_context(closing(boto3.client(service, **options)))

            return server, client

        yield start


def test_the_kinds_are_those_of_the_command_line() -> None:
    assert get_args(DefaultAnswer) == tuple(DefaultChoice)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("canned", "This is a canned answer"), ("echo", "Where is Lyon?"), ("schema", "")],
)
def test_a_default_answers_and_the_history_marks_it(
    start: Any, kind: DefaultAnswer, text: str
) -> None:
    server, client = start(kind)
    runtime = client("bedrock-runtime")
    message = runtime.converse(modelId=NOVA, messages=QUESTION)["output"]["message"]
    assert "".join(block["text"] for block in message["content"]).startswith(text)
    events = list(runtime.converse_stream(modelId=NOVA, messages=QUESTION)["stream"])
    deltas = [
        event["contentBlockDelta"]["delta"]["text"]
        for event in events
        if "contentBlockDelta" in event
    ]
    assert "".join(deltas).startswith(text)
    body = json.dumps({"inputText": "Where is Lyon?"})
    answer = runtime.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=body)
    assert len(json.loads(answer["body"].read())["embedding"]) == 1024
    agents = client("bedrock-agent-runtime")
    answer = agents.invoke_agent(
        agentId="ABCDEFGHIJ",
        agentAliasId="TSTALIASID",
        sessionId="session",
        inputText="Where is Lyon?",
    )
    assert (
        b"".join(event["chunk"]["bytes"] for event in answer["completion"])
        .decode()
        .startswith(text)
    )
    assert client("bedrock").list_guardrails()["guardrails"] == []
    assert (
        client("bedrock-agent").get_agent(agentId="ABCDEFGHIJ")["agent"]["agentId"] == "ABCDEFGHIJ"
    )
    assert {(call.source, call.by) for call in server.calls} == {("default", kind)}
    server.respond("Lyon", "In France.")
    message = runtime.converse(modelId=NOVA, messages=QUESTION)["output"]["message"]
    assert message["content"] == [{"text": "In France."}]
    server.assert_called(source="rule", times=1)


def test_models_and_inference_profiles_come_from_a_table(start: Any) -> None:
    bedrock = start("canned")[1]("bedrock")
    models = bedrock.list_foundation_models()["modelSummaries"]
    assert {each["modelId"] for each in models} > {NOVA, "amazon.titan-embed-text-v2:0"}
    assert all(each["modelArn"].endswith(each["modelId"]) for each in models)
    embedding = bedrock.list_foundation_models(byOutputModality="EMBEDDING", byProvider="cohere")[
        "modelSummaries"
    ]
    assert [each["modelId"] for each in embedding] == ["cohere.embed-v4:0"]
    assert (
        bedrock.get_foundation_model(modelIdentifier=NOVA)["modelDetails"]["modelName"]
        == "Nova Lite"
    )
    profiles = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    assert f"us.{NOVA}" in [each["inferenceProfileId"] for each in profiles]
    profile = bedrock.get_inference_profile(inferenceProfileIdentifier=f"us.{NOVA}")
    assert profile["models"] == [
        {"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"}
    ]
    with pytest.raises(ClientError, match="No recording answers"):
        start("strict")[1]("bedrock").list_foundation_models()


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_has_a_default(kind: DefaultAnswer) -> None:
    defaults, missing = Defaults(kind), []
    for known in SERVICE_OPERATIONS:
        model = load_operation(known.service, known.name)
        assert model is not None
        sent = (
            make_default(model.input_shape, known.name, known.service) if model.input_shape else {}
        )
        path = known.path.replace("{", "a").replace("}", "").replace("amodelId", NOVA)
        # the operation, where all operations of a service have one path
        named = f"{model.service_model.metadata.get('targetPrefix', '')}.{known.name}"
        head = Head(f"\r\nhost: 127.0.0.1\r\nx-amz-target: {named}\r\n".encode())
        if known.path != "/":
            head = Head(b"\r\nhost: 127.0.0.1\r\n")
        call = Call(
            "default", known.method, path, head, json.dumps(sent).encode(), prefix=known.service
        )
        assert call.operation == known.name
        if defaults.answer(call, b"key") is None:
            missing.append(known.name)
    assert missing == []


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.models], ids=lambda family: family.name
)
def test_every_family_has_a_default(family: Any) -> None:
    model = family.models[0].replace("*", f"x{Random(1).randint(1, 9)}")
    body = json.dumps(
        {"prompt": "a", "inputText": "a", "texts": ["a"], "query": "a", "documents": ["a"]}
    ).encode()
    call = Call("default", "POST", f"/model/{model}/invoke", Head(b"\r\nhost: 127.0.0.1\r\n"), body)
    response = Defaults("canned").answer(call, b"key")
    assert response is not None
    assert response.body.data  # type: ignore[union-attr]
