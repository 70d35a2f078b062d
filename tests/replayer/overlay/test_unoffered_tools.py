"""A rule whose answer calls a tool that the request does not offer, in each API; and conditions
on models and documents.
"""

import json
from typing import Any

import pytest

from bedtape_replayer import Replayer
from support.boto import boto3_client
from support.calls import model_path
from support.client import Http1

CLAUDE = "anthropic.claude-haiku-4-5"
USER: Any = {"role": "user", "content": "Weather?"}
SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"name": "weather", "parameters": SCHEMA}
ANTHROPIC_TOOL = {"name": "weather", "input_schema": SCHEMA}
# For each API: the path, the request, and the member with the offered tool.
APIS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Converse": (
        model_path("converse"),
        {"messages": [{"role": "user", "content": [{"text": "Weather?"}]}]},
        {
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]
            }
        },
    ),
    "InvokeModel": (
        model_path("invoke"),
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [USER]},
        {"tools": [ANTHROPIC_TOOL]},
    ),
    "ChatCompletions": (
        "/openai/v1/chat/completions",
        {"model": "openai.gpt-oss-120b-1:0", "messages": [USER]},
        {"tools": [{"type": "function", "function": FUNCTION}]},
    ),
    "Responses": (
        "/openai/v1/responses",
        {"model": "openai.gpt-oss-120b-1:0", "input": "Weather?"},
        {"tools": [{"type": "function", **FUNCTION}]},
    ),
    "Messages": (
        "/anthropic/v1/messages",
        {"model": CLAUDE, "max_tokens": 9, "messages": [USER]},
        {"tools": [ANTHROPIC_TOOL]},
    ),
}
HEADERS = [("content-type", "application/json"), ("anthropic-version", "2023-06-01")]


@pytest.mark.parametrize("api", APIS)
def test_a_tool_that_the_request_does_not_offer_is_refused_unless_allowed(api: str) -> None:
    path, request, tools = APIS[api]
    with Replayer() as server, Http1(server.session("s").url) as connection:
        session = server.session("s")

        def send(body: dict[str, Any]) -> tuple[int, str]:
            answer = connection.request("POST", path, HEADERS, json.dumps(body).encode())
            return answer.status, answer.body.decode()

        session.respond(tool={"name": "weather"}, name="offered")
        status, text = send({**request, **tools})
        assert (status, '"weather"' in text) == (200, True), text
        status, text = send(request)  # an equal rule, whose kept answer must not be sent
        assert status == 400
        assert "offered cannot answer" in text
        assert "does not offer the tool 'weather' (it offers no tools)" in text
        session.remove("offered")
        session.respond(tool={"name": "wether"}, name="misspelled")
        status, text = send({**request, **tools})
        assert "does not offer the tool 'wether' (it offers weather)" in text
        assert "allow_unoffered_tools: true" in text
        session.remove("misspelled")
        session.respond(tool={"name": "wether"}, allow_unoffered_tools=True)
        status, text = send({**request, **tools})
        assert (status, '"wether"' in text) == (200, True), text
        assert session.calls[-1].operation == api


@pytest.mark.parametrize(
    "tools",
    [
        {"additionalModelRequestFields": {"tools": [{"type": "bash_20250124", "name": "bash"}]}},
        {"toolConfig": {"tools": [{"systemTool": {"name": "bash"}}]}},
    ],
)
def test_tools_that_the_model_or_bedrock_defines_are_offered(tools: dict[str, Any]) -> None:
    path, request, _ = APIS["Converse"]
    with Replayer() as server, Http1(server.session("s").url) as connection:
        server.session("s").respond(tool={"name": "bash", "input": {"command": "ls"}})
        assert (
            connection.request(
                "POST", path, HEADERS, json.dumps({**request, **tools}).encode()
            ).status
            == 200
        )


def test_a_script_can_allow_unoffered_tools() -> None:
    path, request, _ = APIS["Converse"]
    with Replayer() as server, Http1(server.session("s").url) as connection:
        server.session("s").script([("", {"tool": {"name": "bash"}})], allow_unoffered_tools=True)
        assert connection.request("POST", path, HEADERS, json.dumps(request).encode()).status == 200


def test_a_function_cannot_call_a_tool_that_is_not_offered() -> None:
    path, request, _ = APIS["Converse"]
    with Replayer() as server, Http1(server.session("s").url) as connection:
        server.session("s").respond(lambda call: {"tool": {"name": call.prompt.last}})
        answer = connection.request("POST", path, HEADERS, json.dumps(request).encode())
        assert "does not offer the tool 'Weather?'" in answer.body.decode()


def test_conditions_on_documents_and_on_models_in_bodies() -> None:
    with Replayer() as server:
        session = server.session("s")
        session.respond(document_contains="4 euros", text="cheap")
        session.respond(document_regex="(?im)^TERMS$", text="terms")
        session.respond(model="*rerank*", ranking="auto", name="rerank")
        session.respond(text="nothing")
        client: Any = boto3_client(session.url)

        def ask(name: str, text: str) -> str:
            document = {"name": name, "format": "txt", "source": {"bytes": text.encode()}}
            content = [{"text": "What does it cost?"}, {"document": document}]
            answer = client.converse(
                modelId=CLAUDE, messages=[{"role": "user", "content": content}]
            )
            return str(answer["output"]["message"]["content"][0]["text"])

        assert [ask("a", "It is 4 euros."), ask("terms", "none"), ask("a", "b")] == [
            "cheap",
            "terms",
            "nothing",
        ]
        # The body is so large that its base64 is replaced by a digest before it is parsed.
        assert ask("a", "x" * 400_000 + "4 euros") == "cheap"
        assert len(session.calls.filter(document_contains="4 euros")) == 2
        with Http1(session.url) as connection:
            models = (
                "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0",
                "arn:aws:bedrock:us-west-2::foundation-model/x",
            )
            for model in models:
                source = {
                    "type": "INLINE",
                    "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "b"}},
                }
                configuration = {"modelConfiguration": {"modelArn": model}}
                body = {
                    "queries": [{"type": "TEXT", "textQuery": {"text": "a"}}],
                    "sources": [source],
                    "rerankingConfiguration": {
                        "type": "BEDROCK_RERANKING_MODEL",
                        "bedrockRerankingConfiguration": configuration,
                    },
                }
                connection.request("POST", "/rerank", HEADERS, json.dumps(body).encode())
        assert [call.model for call in session.calls[-2:]] == list(models)
        assert [(call.by, call.source) for call in session.calls[-2:]] == [
            ("rerank", "rule"),
            (None, "miss"),
        ]
        assert f"Rerank {models[0].rpartition('/')[2]}" in next(iter(_list(session)))


def _list(session: Any) -> Any:
    from bedtape_replayer.history.listing import list_calls

    return list(list_calls(session.calls[-2:]))
