"""Renders answers of agents and flows: InvokeAgent, InvokeInlineAgent, InvokeFlow, and AgentCore's
InvokeAgentRuntime and InvokeHarness.

The forms are those of botocore's service models; a test reads every answer with them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from bedtape_cassettes.families.content import (
    CitedText,
    Content,
    Json,
    Message,
    NodeOutputs,
    ServerSentEvents,
    ToolUse,
)
from bedtape_cassettes.families.family import JsonObject, ModelRequest, resolve
from bedtape_cassettes.families.knowledge_bases import read_cited
from bedtape_cassettes.families.models.converse import CONVERSE
from bedtape_cassettes.families.requests.service_request import ServiceRequest, render_events
from bedtape_cassettes.families.shared import json_access, synthesis
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Event, Events, Headers, JsonValue, Response

_DELTA = (10, 40)
# A tool of an API: `Weather.GET /forecast`.
_API = re.compile(
    r"(?:(?P<group>[^.\s]+)\.)?(?P<method>GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (?P<path>/.*)"
)
_FLOW_NODE = "FlowOutputNode"


def render_agent(content: Content, request: ServiceRequest) -> Response:
    """InvokeAgent and InvokeInlineAgent: traces if enabled, then text or a return of control."""
    if not isinstance(content, Message):
        raise request.refuse(content, "text, tool and trace (Message)")
    session = request.labels.get("sessionId", "")
    headers: Headers = (
        ("x-amzn-bedrock-agent-content-type", "application/json"),
        ("x-amz-bedrock-agent-session-id", session),
    )
    return render_events((*_trace(content, request, session), *_speak(content, request)), headers)


def _trace(
    content: Message, request: ServiceRequest, session: str
) -> Iterator[tuple[str, JsonValue]]:
    if request.body.get("enableTrace") is not True:
        return
    known: JsonObject = {
        key: request.labels[key] for key in ("agentId", "agentAliasId") if key in request.labels
    }
    for trace in content.trace:
        yield "trace", {**known, "sessionId": session, "trace": trace}


def _speak(content: Message, request: ServiceRequest) -> Iterator[tuple[str, JsonValue]]:
    calls: list[ToolUse] = [block for block in content.blocks if isinstance(block, ToolUse)]
    spoken = Message(
        tuple(block for block in content.blocks if not isinstance(block, ToolUse)), content.stop
    )
    text, citations = read_cited(spoken, request)
    if text or not calls:
        streams = (
            json_access.member(request.body, "streamingConfigurations", "streamFinalResponse")
            is True
        )
        pieces = list(synthesis.deltas(text, request.chance, *_DELTA)) if streams else [text]
        for piece in pieces[:-1]:
            yield "chunk", {"bytes": _encode(piece)}
        last: JsonObject = {"bytes": _encode(pieces[-1] if pieces else "")}
        if citations:
            last["attribution"] = {"citations": [*citations]}
        yield "chunk", last
    if calls:
        invocation = next((call.id for call in calls if call.id), None) or request.id
        yield (
            "returnControl",
            {
                "invocationId": invocation,
                "invocationInputs": [_return_control(call, request.body) for call in calls],
            },
        )


def _encode(text: str) -> str:
    return b64encode(text.encode()).decode()


def _return_control(call: ToolUse, body: JsonObject) -> JsonObject:
    """The name is `group.function`, or `group.METHOD /path` for an action group of an API.

    The group of a name alone is the one in the request that has the function,
    else the function's name.
    """
    given = call.input if isinstance(call.input, dict) else {}
    parameters: list[JsonValue] = [
        {
            "name": name,
            "type": _name_type(value),
            "value": value if isinstance(value, str) else _write(value),
        }
        for name, value in given.items()
    ]
    if api := _API.fullmatch(call.name):
        inner: JsonObject = {
            "actionGroup": api["group"] or "Actions",
            "httpMethod": api["method"],
            "apiPath": api["path"],
            "parameters": parameters,
        }
        return {"apiInvocationInput": {**inner, "actionInvocationType": "RESULT"}}
    group, _, function = call.name.partition(".")
    if not function:
        group, function = _find_group(call.name, body), call.name
    inner = {"actionGroup": group, "function": function, "parameters": parameters}
    return {"functionInvocationInput": {**inner, "actionInvocationType": "RESULT"}}


def _find_group(function: str, body: JsonObject) -> str:
    for group in json_access.items(body, "actionGroups"):
        functions = json_access.items(group, "functionSchema", "functions")
        if any(json_access.text(each, "name") == function for each in functions):
            return json_access.text(group, "actionGroupName")
    return function


def _name_type(value: JsonValue) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "string")


def _write(value: JsonValue) -> str:
    return bodies.compact(value).decode()


def render_flow(content: Content, request: ServiceRequest) -> Response:
    """InvokeFlow: the output of each node, or of one node for text and JSON, then the end."""
    if isinstance(content, NodeOutputs):
        outputs = content.outputs
    elif (
        isinstance(content, Message)
        and len(content.blocks) == 1
        and isinstance(content.blocks[0], Json)
    ):
        outputs = ((_FLOW_NODE, content.blocks[0].value),)
    else:
        if isinstance(content, Message) and any(
            isinstance(block, CitedText) for block in content.blocks
        ):
            raise request.refuse(content, "text without citations, json or nodes")
        outputs = ((_FLOW_NODE, read_cited(content, request)[0]),)
    events: list[tuple[str, JsonValue]] = [
        (
            "flowOutputEvent",
            {"nodeName": node, "nodeType": "FlowOutputNode", "content": {"document": document}},
        )
        for node, document in outputs
    ]
    events.append(("flowCompletionEvent", {"completionReason": "SUCCESS"}))
    execution = json_access.text(request.body, "executionId") or request.id
    return render_events(events, (("x-amz-bedrock-flow-execution-id", execution),))


def render_harness(content: Content, request: ServiceRequest) -> Response:
    """InvokeHarness: the events of ConverseStream, as far as the harness has them."""
    if not isinstance(content, Message):
        raise request.refuse(content, "text, json and tool (Message)")
    assert CONVERSE.stream is not None
    model = ModelRequest("", request.body, request.prompt, request.chance)
    message = resolve(content, request.prompt, CONVERSE)
    events = [
        event
        for each in CONVERSE.stream(message, model)
        if isinstance(each, dict)
        for event in each.items()
    ]
    return render_events(event for event in map(_adapt_harness, events) if event)


def _adapt_harness(event: tuple[str, JsonValue]) -> tuple[str, JsonValue] | None:
    """Return an event of ConverseStream as the harness's model has it, or None if it lacks it."""
    name, payload = event
    if json_access.member(payload, "delta", "toolUse", "input") == "":
        return None
    usage = json_access.member(payload, "usage")
    if isinstance(payload, dict) and isinstance(usage, dict):
        payload = {
            **payload,
            "usage": {key: count for key, count in usage.items() if key != "serverToolUsage"},
        }
    return name, payload


def render_runtime(content: Content, request: ServiceRequest) -> Response:
    """InvokeAgentRuntime: text as plain text, JSON as JSON, and server-sent events."""
    session: Headers = (("x-amzn-bedrock-agentcore-runtime-session-id", request.id),)
    if isinstance(content, ServerSentEvents):
        pieces = [bodies.seal_data(value) for value in content.values]
        events = [Event(0, (), piece, bodies.choose_form(piece, framed=False)) for piece in pieces]
        head: Headers = (("content-type", bodies.SERVER_SENT), ("cache-control", "no-cache"))
        return Response(200, (*head, *session), Events.of(events, padded=False))
    if (
        isinstance(content, Message)
        and len(content.blocks) == 1
        and isinstance(content.blocks[0], Json)
    ):
        data, kind = bodies.compact(content.blocks[0].value), "application/json"
    else:
        data, kind = read_cited(content, request)[0].encode(), "text/plain"
    return Response(200, (("content-type", kind), *session), bodies.read_body(data))
