"""Neutral words for knowledge bases, agents and flows, through the real server.

The oracles are boto3 and the models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, TypeAlias

import boto3
import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Events
from bedtape_cassettes.suites.service_model import find_answer_drift, find_event_drift
from bedtape_replayer import Replayer
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.overlay.document import OverlayInvalid

Clients: TypeAlias = Callable[[str], Any]
SERVICE = "bedrock-agent-runtime"
AGENT = {"agentId": "ABCDEFGHIJ", "agentAliasId": "TSTALIASID", "sessionId": "one"}
FLOW = {"flowIdentifier": "ABCDEFGHIJ", "flowAliasIdentifier": "TSTALIASID"}
CONFIGURATION = {
    "type": "KNOWLEDGE_BASE",
    "knowledgeBaseConfiguration": {
        "knowledgeBaseId": "KB00000001",
        "modelArn": "amazon.nova-lite-v1:0",
    },
}
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/abc-1234567890"


@pytest.fixture
def server() -> Iterator[Replayer]:
    """A server whose answers all have the form of the service models."""
    with Replayer() as replayer:
        yield replayer
        for call in replayer.calls:
            response, operation = call.outcome.answer.response, call.operation
            if (
                call.source != "rule"
                or response is None
                or operation is None
                or operation == "InvokeAgentRuntime"
            ):
                continue
            service = next(known.service for known in SERVICE_OPERATIONS if known.name == operation)
            if isinstance(response.body, Events):
                for event in response.body.events:
                    assert (
                        find_event_drift(
                            service, operation, str(event.type), bodies.parse(event.payload)
                        )
                        == []
                    )
            else:
                assert find_answer_drift(service, operation, bodies.parse(response.body.data)) == []


@pytest.fixture
def client(server: Replayer) -> Iterator[Clients]:
    with ExitStack() as stack:

        def make(service: str) -> Any:
            keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
            options: Any = {
                "endpoint_url": f"{server.url}/service/{service}",
                "region_name": "us-east-1",
                **keys,
            }
            return stack.enter_context(closing(boto3.client(service, **options)))

        yield make


@pytest.fixture
def agents(client: Clients) -> Any:
    return client(SERVICE)


def retrieve(agents: Any, query: str, limit: int | None = None) -> Any:
    settings: Any = {"vectorSearchConfiguration": {"numberOfResults": limit}} if limit else {}
    answer = agents.retrieve(
        knowledgeBaseId="KB00000001",
        retrievalQuery={"text": query},
        retrievalConfiguration=settings,
    )
    return answer["retrievalResults"]


def test_passages_are_ranked_by_score_or_shared_words(server: Replayer, agents: Any) -> None:
    server.respond(
        "archive",
        passages=[
            {"text": "The sea."},
            {
                "text": "The archive opens at nine.",
                "source": "s3://a/hours.txt",
                "metadata": {"page": 1},
            },
            {"text": "Anything", "source": "https://example.com/a", "score": 0.3},
            {"text": "Own", "source": "row-7", "score": 0.25},
        ],
    )
    first, web, own, last = retrieve(agents, "When does the archive open?")
    assert (first["content"], first["metadata"]) == (
        {"text": "The archive opens at nine.", "type": "TEXT"},
        {"page": 1},
    )
    assert first["location"] == {"type": "S3", "s3Location": {"uri": "s3://a/hours.txt"}}
    assert web["location"] == {"type": "WEB", "webLocation": {"url": "https://example.com/a"}}
    assert own["location"] == {"type": "CUSTOM", "customDocumentLocation": {"id": "row-7"}}
    assert first["score"] > web["score"] > own["score"] > 0
    assert last["content"]["text"] == "The sea."
    assert len(retrieve(agents, "archive", 2)) == 2
    server.respond("whales", passages="auto")
    assert [each["content"]["text"] for each in retrieve(agents, "blue whales sing")] == [
        "blue whales sing",
        "blue whales",
        "blue",
    ]
    server.assert_called("blue whales", operation="Retrieve", times=1)


def test_generated_text_cites_its_sources(server: Replayer, agents: Any) -> None:
    server.respond(
        "hours",
        blocks=[
            {"text": "It opens "},
            {
                "text": "at nine.",
                "citations": [{"source": "Nine to five.", "title": "s3://a/hours.txt"}],
            },
        ],
    )
    request = {
        "input": {"text": "What are the hours?"},
        "retrieveAndGenerateConfiguration": CONFIGURATION,
    }
    answer = agents.retrieve_and_generate(**request)
    assert answer["output"] == {"text": "It opens at nine."}
    (citation,) = answer["citations"]
    part = citation["generatedResponsePart"]["textResponsePart"]
    assert (
        answer["output"]["text"][part["span"]["start"] : part["span"]["end"] + 1]
        == part["text"]
        == "at nine."
    )
    (reference,) = citation["retrievedReferences"]
    assert reference["content"]["text"] == "Nine to five."
    assert reference["location"]["s3Location"] == {"uri": "s3://a/hours.txt"}
    streamed = agents.retrieve_and_generate_stream(**request, sessionId="session-1")
    assert streamed["sessionId"] == "session-1"
    events = list(streamed["stream"])
    texts = [event["output"]["text"] for event in events if "output" in event]
    assert ("".join(texts), len(texts) > 1) == ("It opens at nine.", True)
    assert [event["citation"]["citation"] for event in events if "citation" in event] == [citation]
    assert [call.text for call in server.calls] == ["It opens at nine."] * 2


def test_documents_are_ranked(server: Replayer, agents: Any) -> None:
    texts = ["red cat", "a blue whale", "blue sky"]
    request: dict[str, Any] = {
        "queries": [{"type": "TEXT", "textQuery": {"text": "blue whale"}}],
        "sources": [
            *(
                {
                    "type": "INLINE",
                    "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": t}},
                }
                for t in texts
            ),
            {
                "type": "INLINE",
                "inlineDocumentSource": {"type": "JSON", "jsonDocument": {"whale": "blue"}},
            },
        ],
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": {
                "modelConfiguration": {
                    "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
                },
                "numberOfResults": 3,
            },
        },
    }
    server.respond("blue", ranking="auto", times=1)
    assert [each["index"] for each in agents.rerank(**request)["results"]] == [1, 3, 2]
    server.respond("blue", ranking=[{"index": 0, "score": 0.2}, {"index": 2, "score": 0.9}])
    scores = [
        (each["index"], round(each["relevanceScore"], 2))
        for each in agents.rerank(**request)["results"]
    ]
    assert scores == [(2, 0.9), (0, 0.2)]


def test_an_agent_speaks_and_traces(server: Replayer, agents: Any) -> None:
    trace = {"orchestrationTrace": {"rationale": {"text": "Look outside.", "traceId": "t1"}}}
    server.respond(
        "weather", text="Sunny all day.", trace=[trace], citations=[{"source": "The sky."}]
    )
    answer = agents.invoke_agent(**AGENT, inputText="weather?", enableTrace=True)
    traced, spoken = list(answer["completion"])
    assert (answer["sessionId"], traced["trace"]["trace"], traced["trace"]["agentId"]) == (
        "one",
        trace,
        AGENT["agentId"],
    )
    assert spoken["chunk"]["bytes"] == b"Sunny all day."
    (citation,) = spoken["chunk"]["attribution"]["citations"]
    assert citation["retrievedReferences"][0]["content"]["text"] == "The sky."
    streaming = {"streamFinalResponse": True}
    answer = agents.invoke_agent(**AGENT, inputText="weather?", streamingConfigurations=streaming)
    chunks = [event["chunk"]["bytes"] for event in answer["completion"]]
    assert (b"".join(chunks), len(chunks) > 1) == (b"Sunny all day.", True)
    assert [call.text for call in server.calls] == ["Sunny all day."] * 2


def test_an_agent_returns_control_and_reads_the_result(server: Replayer, agents: Any) -> None:
    server.respond("weather", tool={"name": "get_weather", "input": {"city": "Lyon", "days": 2}})
    server.respond(tool_result="get_weather", text="It rains.")
    request: dict[str, Any] = {
        "sessionId": "two",
        "foundationModel": "amazon.nova-lite-v1:0",
        "instruction": "You help people with the weather of the day.",
        "actionGroups": [
            {
                "actionGroupName": "Weather",
                "actionGroupExecutor": {"customControl": "RETURN_CONTROL"},
                "functionSchema": {"functions": [{"name": "get_weather"}]},
            }
        ],
    }
    (event,) = list(agents.invoke_inline_agent(**request, inputText="weather?")["completion"])
    (wanted,) = event["returnControl"]["invocationInputs"]
    function = wanted["functionInvocationInput"]
    assert (function["actionGroup"], function["function"]) == ("Weather", "get_weather")
    assert [(each["name"], each["type"], each["value"]) for each in function["parameters"]] == [
        ("city", "string", "Lyon"),
        ("days", "integer", "2"),
    ]
    result = {
        "actionGroup": "Weather",
        "function": "get_weather",
        "responseBody": {"TEXT": {"body": "rain"}},
    }
    state = {
        "invocationId": event["returnControl"]["invocationId"],
        "returnControlInvocationResults": [{"functionResult": result}],
    }
    (event,) = list(agents.invoke_inline_agent(**request, inlineSessionState=state)["completion"])
    assert event["chunk"]["bytes"] == b"It rains."
    server.assert_called(system_contains="the weather", tool_offered="get_weather", times=2)
    server.respond("forecast", tool={"name": "Weather.GET /forecast", "input": {}})
    (event,) = list(agents.invoke_agent(**AGENT, inputText="forecast")["completion"])
    api = event["returnControl"]["invocationInputs"][0]["apiInvocationInput"]
    assert (api["actionGroup"], api["httpMethod"], api["apiPath"]) == (
        "Weather",
        "GET",
        "/forecast",
    )


def test_a_flow_has_an_output_of_each_node(server: Replayer, agents: Any) -> None:
    def run(document: Any) -> list[Any]:
        inputs = [
            {"nodeName": "In", "nodeOutputName": "document", "content": {"document": document}}
        ]
        events = list(agents.invoke_flow(**FLOW, inputs=inputs)["responseStream"])
        assert events.pop() == {"flowCompletionEvent": {"completionReason": "SUCCESS"}}
        return [
            (event["flowOutputEvent"]["nodeName"], event["flowOutputEvent"]["content"]["document"])
            for event in events
        ]

    server.respond("summarise", nodes={"Summary": "Short.", "Score": {"value": 3}})
    server.respond("text", text="Hello.")
    server.respond('{"kind":"json"}', json=[1, 2])
    assert run("summarise this") == [("Summary", "Short."), ("Score", {"value": 3})]
    assert run("text") == [("FlowOutputNode", "Hello.")]
    assert run({"kind": "json"}) == [("FlowOutputNode", [1, 2])]
    assert [call.text for call in server.calls] == ['Short.{"value":3}', "Hello.", "[1,2]"]


def test_a_runtime_answers_text_json_and_server_sent_events(
    server: Replayer, client: Clients
) -> None:
    runtime = client("bedrock-agentcore")

    def run(payload: Any) -> tuple[str, bytes]:
        answer = runtime.invoke_agent_runtime(
            agentRuntimeArn=RUNTIME, payload=json.dumps(payload).encode()
        )
        return answer["contentType"], answer["response"].read()

    server.respond("plain", text="Hello.")
    server.respond("object", json={"a": 1})
    server.respond("stream", server_sent=["one", {"two": 2}])
    assert run({"prompt": "plain"}) == ("text/plain", b"Hello.")
    assert run({"input": {"prompt": "object"}}) == ("application/json", b'{"a":1}')
    assert run("stream") == ("text/event-stream", b'data: "one"\n\ndata: {"two":2}\n\n')
    assert [call.last_prompt for call in server.calls] == ["plain", "object", "stream"]


HARNESS = "arn:aws:bedrock-agentcore:us-east-1:123456789012:harness/abc-1234567890"


def test_a_harness_answers_text_json_and_tool_calls_as_converse_streams(
    server: Replayer, client: Clients
) -> None:
    core = client("bedrock-agentcore")

    def ask(text: str) -> list[Any]:
        messages = [{"role": "user", "content": [{"text": text}]}]
        answer = core.invoke_harness(
            harnessArn=HARNESS, runtimeSessionId="s" * 36, messages=messages
        )
        return list(answer["stream"])

    server.respond("hours", text="The archive opens at nine.")
    server.respond("weather", tool={"name": "weather", "input": {"city": "Oslo"}})
    server.respond("label", json={"label": "späm", "scores": [0.5, 1]})
    server.respond("secrets", refusal="I cannot.")

    def ask_for_text(text: str) -> str:
        deltas = [
            event["contentBlockDelta"]["delta"]
            for event in ask(text)
            if "contentBlockDelta" in event
        ]
        return "".join(delta["text"] for delta in deltas)

    assert ask_for_text("hours") == "The archive opens at nine."
    assert json.loads(ask_for_text("label")) == {"label": "späm", "scores": [0.5, 1]}
    assert ask_for_text("secrets") == "I cannot."
    events = ask("weather")
    starts = [
        event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event
    ]
    assert [start["toolUse"]["name"] for start in starts] == ["weather"]
    assert {"messageStop": {"stopReason": "tool_use"}} in events
    assert [(call.last_prompt, call.text) for call in server.calls] == [
        ("hours", "The archive opens at nine."),
        ("label", '{"label":"späm","scores":[0.5,1]}'),
        ("secrets", "I cannot."),
        ("weather", ""),
    ]


def test_a_runtime_repeats_the_session_id_of_the_request(server: Replayer, client: Clients) -> None:
    """Equal requests share a rendered answer, but not the session id, which is in a header."""
    runtime = client("bedrock-agentcore")
    server.respond(text="Hello.", operation="InvokeAgentRuntime")
    server.respond(output={}, operation="InvokeAgentRuntimeCommand")
    for session in ("a" * 36, "b" * 36):
        names = {"agentRuntimeArn": RUNTIME, "runtimeSessionId": session}
        assert runtime.invoke_agent_runtime(**names, payload=b"{}")["runtimeSessionId"] == session


def test_words_of_another_operation_are_refused(server: Replayer, agents: Any) -> None:
    server.respond(text="hi", operation="Retrieve")
    with pytest.raises(
        ClientError, match=r"Retrieve answers with passages \(Passages\), found Message"
    ):
        retrieve(agents, "anything")
    server.reset()
    server.respond(passages="auto", operation="InvokeFlow")
    with pytest.raises(
        ClientError, match=r"InvokeFlow answers with text \(Message\), found Passages"
    ):
        agents.invoke_flow(
            **FLOW,
            inputs=[{"nodeName": "In", "nodeOutputName": "document", "content": {"document": "a"}}],
        )


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            {"text": "a", "trace": [{"orchTrace": {}}]},
            "answer.trace[0].orchTrace: expected a member of Trace",
        ),
        ({"passages": [{"txt": "a"}]}, "did you mean text?"),
        ({"passages": "auto", "text": "a"}, "expected one kind of answer"),
        ({"nodes": {}}, "answer.nodes"),
        ({"passages": "auto", "trace": [{}]}, "trace only with a message"),
    ],
)
def test_wrong_words_are_refused_when_the_rule_is_added(
    server: Replayer, rule: Any, problem: str
) -> None:
    with pytest.raises(OverlayInvalid) as error:
        server.respond(**rule)
    assert problem in str(error.value)
