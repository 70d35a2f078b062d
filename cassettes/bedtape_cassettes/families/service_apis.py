"""The operations around the models that rules answer in neutral words, and those
whose requests have a prompt.

Two tables: where each request has its texts, and how each answer is written and read. Knowledge
bases, agents and flows are here; model families are in `table`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from bedtape_cassettes.families.agents import (
    render_agent,
    render_flow,
    render_harness,
    render_runtime,
)
from bedtape_cassettes.families.content import Content, Message, Prompt, Text, ToolResult, Turn
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.knowledge_bases import (
    read_documents,
    render_generation,
    render_reranking,
    render_retrieval,
    stream_generation,
)
from bedtape_cassettes.families.requests.service_request import ServiceRequest
from bedtape_cassettes.families.shared import conversation, json_access
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import find
from bedtape_cassettes.model import Body, JsonValue, Response
from bedtape_cassettes.operations import OPERATIONS, read_labels

# Where requests have the text of the user, as JSON paths.
_USER = {
    "Retrieve": "retrievalQuery.text",
    "RetrieveAndGenerate": "input.text",
    "RetrieveAndGenerateStream": "input.text",
    "Rerank": "queries.*.textQuery.text",
    "GenerateQuery": "queryGenerationInput.text",
    "OptimizePrompt": "input.textPrompt.text",
    "InvokeAgent": "inputText",
    "InvokeInlineAgent": "inputText",
    "InvokeFlow": "inputs.*.content.document",
    "RetrieveMemoryRecords": "searchCriteria.searchQuery",
    "StartAsyncInvoke": "modelInput.textToVideoParams.text",
}
# Where they have instructions, and the names of the tools that they offer.
_SYSTEM = {"InvokeInlineAgent": "instruction", "InvokeHarness": "systemPrompt.*.text"}
_TOOLS = {
    "InvokeInlineAgent": "actionGroups.*.functionSchema.functions.*.name",
    "InvokeHarness": "tools.*.name",
}
_RERANKED = "rerankingConfiguration.bedrockRerankingConfiguration.modelConfiguration.modelArn"
_RETRIEVED = ("vectorSearchConfiguration", "managedSearchConfiguration")
_GENERATED = ("knowledgeBaseConfiguration", "externalSourcesConfiguration")
_AGENTIC = ("bedrockFoundationModelConfiguration", "mantleFoundationModelConfiguration")
# Where requests without a model in the path have the model, as JSON paths. The first
# path that exists counts.
MODELS: Mapping[str, tuple[str, ...]] = {
    "AgenticRetrieveStream": tuple(
        f"agenticRetrieveConfiguration.foundationModelConfiguration.{kind}.modelConfiguration.modelArn"
        for kind in _AGENTIC
    ),
    **dict.fromkeys(("CreateAgent", "UpdateAgent", "InvokeInlineAgent"), ("foundationModel",)),
    **dict.fromkeys(("CreateCustomModelDeployment", "UpdateCustomModelDeployment"), ("modelArn",)),
    **dict.fromkeys(
        ("CreateKnowledgeBase", "UpdateKnowledgeBase"),
        tuple(
            f"knowledgeBaseConfiguration.{kind}KnowledgeBaseConfiguration.embeddingModelArn"
            for kind in ("vector", "managed")
        ),
    ),
    "CreateModelCopyJob": ("sourceModelArn",),
    "CreateModelCustomizationJob": ("baseModelIdentifier",),
    "CreatePromptRouter": ("fallbackModel.modelArn",),
    **dict.fromkeys(
        (
            *(
                "CreateFoundationModelAgreement",
                "DeleteFoundationModelAgreement",
                "CreateModelInvocationJob",
            ),
            *("CreateProvisionedModelThroughput", "StartAsyncInvoke"),
        ),
        ("modelId",),
    ),
    "OptimizePrompt": ("targetModelId",),
    "Rerank": (_RERANKED,),
    "Retrieve": tuple(f"retrievalConfiguration.{kind}.{_RERANKED}" for kind in _RETRIEVED),
    **dict.fromkeys(
        ("RetrieveAndGenerate", "RetrieveAndGenerateStream"),
        tuple(f"retrieveAndGenerateConfiguration.{kind}.modelArn" for kind in _GENERATED),
    ),
    "UpdateProvisionedModelThroughput": ("desiredModelId",),
}
# Requests with a conversation, and where it is.
_MESSAGES = {
    "InvokeAgent": "sessionState.conversationHistory.messages",
    "InvokeInlineAgent": "inlineSessionState.conversationHistory.messages",
    "InvokeHarness": "messages",
    "InvokeGuardrailChecks": "messages",
    "AgenticRetrieveStream": "messages",
}
_RETURNED = {
    "InvokeAgent": "sessionState.returnControlInvocationResults",
    "InvokeInlineAgent": "inlineSessionState.returnControlInvocationResults",
}
# Requests whose body is what an agent of the user's gets: JSON with one of these members, or text.
PAYLOADS = ("InvokeAgentRuntime",)
_PAYLOAD_MEMBERS = ("prompt", "input", "message", "query", "question", "text", "inputText")
WITH_PROMPT = frozenset((*_USER, *_MESSAGES))


@dataclass(frozen=True, slots=True)
class ServiceApi:
    """An operation with neutral words.

    words: the keys of a rule's answer, for the reference. render: returns the answer. text: the
    JSON path of the text in the answer or in its events, empty without text; `encoded` if the text
    is base64.
    """

    words: tuple[str, ...]
    render: Callable[[Content, ServiceRequest], Response]
    text: str = ""
    encoded: bool = False


_AGENT = ServiceApi(
    ("text", "json", "citations", "tool", "trace"), render_agent, "chunk.bytes", encoded=True
)
SERVICE_APIS: Mapping[str, ServiceApi] = {
    "Retrieve": ServiceApi(("passages",), render_retrieval),
    "RetrieveAndGenerate": ServiceApi(
        ("text", "json", "citations"), render_generation, "output.text"
    ),
    "RetrieveAndGenerateStream": ServiceApi(
        ("text", "json", "citations"), stream_generation, "output.text"
    ),
    "Rerank": ServiceApi(("ranking",), render_reranking),
    "InvokeAgent": _AGENT,
    "InvokeInlineAgent": _AGENT,
    "InvokeFlow": ServiceApi(
        ("text", "json", "nodes"), render_flow, "flowOutputEvent.content.document"
    ),
    "InvokeAgentRuntime": ServiceApi(("text", "json", "server_sent"), render_runtime),
    "InvokeHarness": ServiceApi(
        ("text", "json", "tool"), render_harness, "contentBlockDelta.delta.text"
    ),
}


def render_service(
    operation: str, content: Content, body: bytes, path: str, chance: Random
) -> Response:
    """Return the answer of one of `SERVICE_APIS`. Raises RenderError for other content."""
    known = next((each for each in OPERATIONS if each.name == operation), None)
    labels = read_labels(known, path) if known else {}
    value = _parse(body)
    parsed = value if isinstance(value, dict) else {}
    prompt = (
        read_payload_prompt(body)
        if operation in PAYLOADS
        else read_service_prompt(operation, parsed)
    )
    request = ServiceRequest(operation, parsed, body, labels, prompt, chance)
    return SERVICE_APIS[operation].render(content, request)


# -- requests --------------------------------------------------------------------------------------


def read_payload_prompt(data: bytes) -> Prompt:
    """Return the content of a request whose body is what an agent of the user's gets."""
    text = _read_payload(_parse(data), data)
    return Prompt(turns=(Turn("user", text),) if text else ())


def read_service_prompt(operation: str, body: JsonObject) -> Prompt:
    """Return the content of a request. Texts that the request lacks are empty."""
    return Prompt(
        system="\n".join(_read_texts(body, _SYSTEM.get(operation))),
        turns=tuple(_read_turns(operation, body)),
        tools=tuple(_read_texts(body, _TOOLS.get(operation))),
    )


def find_service_model(operation: str | None, body: JsonValue) -> str | None:
    """Return the model that the body of one of `MODELS` names, or None."""
    models = (model for path in MODELS.get(operation or "", ()) for model in find(body, path))
    return next(
        (model.encode(errors="replace").decode() for model in models if isinstance(model, str)),
        None,
    )


def _read_turns(operation: str, body: JsonObject) -> list[Turn]:
    turns = (
        [Turn("document", text) for text in read_documents(body)] if operation == "Rerank" else []
    )
    if operation in _MESSAGES:
        for messages in find(body, _MESSAGES[operation]):
            turns += conversation.conversation(
                {"messages": [*map(_as_converse, _as_list(messages))]}
            )
    texts = _read_texts(body, _USER.get(operation))
    results = [
        each for member in find(body, _RETURNED.get(operation, "none")) for each in _as_list(member)
    ]
    if texts or results:
        read = tuple(
            _read_result(json_access.member(body, "sessionState"), each) for each in results
        )
        turns.append(Turn("user", "\n".join(texts), read))
    return turns


def _as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _as_converse(message: JsonValue) -> JsonValue:
    """AgenticRetrieveStream has one block where others have a list."""
    content = json_access.member(message, "content")
    return (
        {**message, "content": [content]}
        if isinstance(message, dict) and isinstance(content, dict)
        else message
    )


def _read_result(state: JsonValue, result: JsonValue) -> ToolResult:
    """Read a result that the client returns to an agent: its function or path, and its texts."""
    inner = json_access.member(result, "functionResult") or json_access.member(result, "apiResult")
    name = json_access.text(inner, "function") or json_access.text(inner, "apiPath")
    texts = find(inner, "responseBody.*.body") if isinstance(inner, dict) else []
    text = "\n".join(each for each in texts if isinstance(each, str))
    return ToolResult(json_access.text(state, "invocationId"), text, name or None)


def _read_texts(body: JsonObject, path: str | None) -> list[str]:
    """Return the texts at a path. JSON in place of a text is read as its compact spelling."""
    values = find(body, path) if path else []
    return [
        json_access.text(value) if isinstance(value, str) else _write(value)
        for value in values
        if value is not None
    ]


def _read_payload(value: JsonValue, data: bytes) -> str:
    """Return the text for an agent: a member of its JSON, else all its texts, else the body."""
    if isinstance(value, dict):
        for name in _PAYLOAD_MEMBERS:
            member = value.get(name)
            if isinstance(member, dict):
                return _read_payload(member, data)
            if isinstance(member, str):
                return json_access.text(member)
        return "\n".join(
            json_access.text(member) for member in value.values() if isinstance(member, str)
        )
    return (
        json_access.text(value)
        if isinstance(value, str)
        else ""
        if value is not None
        else data.decode(errors="replace")
    )


def _write(value: JsonValue) -> str:
    return bodies.compact(value).decode(errors="replace")


def _parse(data: bytes) -> JsonValue:
    try:
        return bodies.parse_request(data)
    except ValueError:
        return None


# -- answers ---------------------------------------------------------------------------------------


def read_service_content(operation: str, response: Response) -> Content | None:
    """Return the text of an answer as a message; None for answers without text."""
    api = SERVICE_APIS[operation]
    if response.status != 200:
        return None
    if operation in PAYLOADS and isinstance(response.body, Body):
        return Message((Text(response.body.data.decode(errors="replace")),))
    if not api.text:
        return None
    if isinstance(response.body, Body):
        values: list[JsonValue] = [_parse(response.body.data)]
    else:
        values = [{event.type or "": _parse(event.payload)} for event in response.body.events]
    texts = [text for value in values if isinstance(value, dict) for text in find(value, api.text)]
    joined = "".join(_read_answer(text, encoded=api.encoded) for text in texts)
    return Message((Text(joined),) if joined else ())


def _read_answer(text: JsonValue, *, encoded: bool) -> str:
    """Return the text of an answer.

    JSON in place of a text, such as a flow's document, is read as its compact spelling.
    """
    if isinstance(text, str):
        return _decode(text) if encoded else text
    return "" if encoded or text is None else _write(text)


def _decode(text: str) -> str:
    try:
        return b64decode(text).decode(errors="replace")
    except ValueError:
        return ""
