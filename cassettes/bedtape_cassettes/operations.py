"""Bedrock's operations, and the operation and model of a request's method and path.

A test compares the table with botocore's service models. The `mantle` rows are the
OpenAI-compatible and Anthropic-compatible endpoints, which no service model describes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import unquote

# Whose JSON an operation speaks. It decides the form of errors and of streams.
Dialect: TypeAlias = Literal["aws", "openai", "anthropic"]


# Each operation is one object, so that caches by operation need not hash its fields.
@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation. path: botocore's request URI. streaming: the answer is always an event stream.
    duplex: the request is an event stream too.

    The operations of the dialects openai and anthropic have the model id in the body. Their answers
    are server-sent events if the body has `"stream": true`.
    """

    service: str
    name: str
    method: str
    path: str
    streaming: bool = False
    dialect: Dialect = "aws"
    duplex: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The operation and model that a request addresses.

    operation: None if the path is not a path of Bedrock. model: percent-decoded, a model id or a
    whole ARN; None if the path contains no model. path: the canonical path, decoded once except for
    `%25` and `%3F`, without a prefix of the endpoint and without repeated slashes, with a sorted
    query. prefixed: whether the request's path has such a prefix. agent_session: the id of an
    agent's session in the path, percent-decoded, or None. plain_slash: whether the model in the
    path contains a `/` that is not percent-encoded.
    """

    operation: Operation | None
    model: str | None
    path: str
    prefixed: bool = field(default=False, compare=False)
    agent_session: str | None = field(default=None, compare=False)
    plain_slash: bool = field(default=False, compare=False)

    @property
    def name(self) -> str | None:
        return self.operation.name if self.operation else None

    @property
    def dialect(self) -> Dialect:
        return self.operation.dialect if self.operation else "aws"


_RUNTIME = "bedrock-runtime"
_AGENTS = "bedrock-agent-runtime"
_CONTROL = "bedrock"
_AGENTCORE = "bedrock-agentcore"
_MANTLE = "bedrock-mantle"

OPERATIONS = (
    Operation(_RUNTIME, "Converse", "POST", "/model/{modelId}/converse"),
    Operation(_RUNTIME, "ConverseStream", "POST", "/model/{modelId}/converse-stream", True),
    Operation(_RUNTIME, "InvokeModel", "POST", "/model/{modelId}/invoke"),
    Operation(
        _RUNTIME,
        "InvokeModelWithResponseStream",
        "POST",
        "/model/{modelId}/invoke-with-response-stream",
        True,
    ),
    Operation(
        _RUNTIME,
        "InvokeModelWithBidirectionalStream",
        "POST",
        "/model/{modelId}/invoke-with-bidirectional-stream",
        True,
        duplex=True,
    ),
    Operation(_RUNTIME, "CountTokens", "POST", "/model/{modelId}/count-tokens"),
    Operation(
        _RUNTIME,
        "ApplyGuardrail",
        "POST",
        "/guardrail/{guardrailIdentifier}/version/{guardrailVersion}/apply",
    ),
    Operation(_RUNTIME, "InvokeGuardrailChecks", "POST", "/guardrail-checks/invoke"),
    Operation(_RUNTIME, "StartAsyncInvoke", "POST", "/async-invoke"),
    Operation(_RUNTIME, "ListAsyncInvokes", "GET", "/async-invoke"),
    Operation(_RUNTIME, "GetAsyncInvoke", "GET", "/async-invoke/{invocationArn}"),
    Operation(
        _AGENTS,
        "InvokeAgent",
        "POST",
        "/agents/{agentId}/agentAliases/{agentAliasId}/sessions/{sessionId}/text",
        True,
    ),
    Operation(_AGENTS, "InvokeInlineAgent", "POST", "/agents/{sessionId}", True),
    Operation(
        _AGENTS, "InvokeFlow", "POST", "/flows/{flowIdentifier}/aliases/{flowAliasIdentifier}", True
    ),
    Operation(_AGENTS, "Retrieve", "POST", "/knowledgebases/{knowledgeBaseId}/retrieve"),
    Operation(_AGENTS, "RetrieveAndGenerate", "POST", "/retrieveAndGenerate"),
    Operation(_AGENTS, "RetrieveAndGenerateStream", "POST", "/retrieveAndGenerateStream", True),
    Operation(_AGENTS, "AgenticRetrieveStream", "POST", "/agenticRetrieveStream", True),
    Operation(_AGENTS, "Rerank", "POST", "/rerank"),
    Operation(_AGENTS, "GenerateQuery", "POST", "/generateQuery"),
    Operation(_AGENTS, "OptimizePrompt", "POST", "/optimize-prompt", True),
    Operation(_CONTROL, "ListFoundationModels", "GET", "/foundation-models"),
    Operation(_CONTROL, "GetFoundationModel", "GET", "/foundation-models/{modelIdentifier}"),
    Operation(
        _CONTROL,
        "GetFoundationModelAvailability",
        "GET",
        "/foundation-model-availability/{modelId}",
    ),
    Operation(_CONTROL, "ListInferenceProfiles", "GET", "/inference-profiles"),
    Operation(
        _CONTROL, "GetInferenceProfile", "GET", "/inference-profiles/{inferenceProfileIdentifier}"
    ),
    Operation(_CONTROL, "ListGuardrails", "GET", "/guardrails"),
    Operation(_CONTROL, "GetGuardrail", "GET", "/guardrails/{guardrailIdentifier}"),
    Operation(_CONTROL, "ListCustomModels", "GET", "/custom-models"),
    Operation(_CONTROL, "GetCustomModel", "GET", "/custom-models/{modelIdentifier}"),
    Operation(_CONTROL, "ListImportedModels", "GET", "/imported-models"),
    Operation(_CONTROL, "GetImportedModel", "GET", "/imported-models/{modelIdentifier}"),
    Operation(_CONTROL, "GetPromptRouter", "GET", "/prompt-routers/{promptRouterArn}"),
    Operation(
        _CONTROL,
        "GetProvisionedModelThroughput",
        "GET",
        "/provisioned-model-throughput/{provisionedModelId}",
    ),
    Operation(_AGENTCORE, "InvokeAgentRuntime", "POST", "/runtimes/{agentRuntimeArn}/invocations"),
    *(
        Operation(_MANTLE, name, method, f"{route}{path}", dialect="openai")
        for route in ("/v1", "/openai/v1")
        for name, method, path in (
            ("ChatCompletions", "POST", "/chat/completions"),
            ("Responses", "POST", "/responses"),
            ("GetResponse", "GET", "/responses/{responseId}"),
            ("DeleteResponse", "DELETE", "/responses/{responseId}"),
            ("CancelResponse", "POST", "/responses/{responseId}/cancel"),
            ("ListInputItems", "GET", "/responses/{responseId}/input_items"),
            ("Embeddings", "POST", "/embeddings"),
            ("ListModels", "GET", "/models"),
            ("GetModel", "GET", "/models/{modelId}"),
        )
    ),
    Operation(_MANTLE, "Messages", "POST", "/anthropic/v1/messages", dialect="anthropic"),
    Operation(
        _MANTLE,
        "CountMessageTokens",
        "POST",
        "/anthropic/v1/messages/count_tokens",
        dialect="anthropic",
    ),
)

# The members and parameters of queries that SDKs fill with a random token for each call. A test
# compares them with the trait `idempotencyToken` in the models of all services of Bedrock.
IDEMPOTENCY_TOKENS = ("clientRequestToken", "clientToken")

# The operations of OpenAI's and Anthropic's APIs that answer with server-sent
# events if the body says so.
SERVER_SENT = ("ChatCompletions", "Responses", "Messages")
# The operations whose answer is the number of tokens of the request.
TOKEN_COUNTS = ("CountTokens", "CountMessageTokens")
# The operations whose request is an event stream too.
DUPLEX = frozenset(operation.name for operation in OPERATIONS if operation.duplex)

# An endpoint may have any path before an operation's, except these, because
# they select another API.
_OTHER_API = "(?<!/openai)(?<!/anthropic)"
_LABEL = re.compile(r"\{(\w+)\}")
_MODEL_LABELS = ("modelId", "modelIdentifier", "inferenceProfileIdentifier")
_SESSION_LABEL = "sessionId"


def _pattern(template: str) -> re.Pattern[str]:
    """Returns the pattern of a template for the end of a path.

    A model id may span segments, because an ARN that the client did not encode contains slashes.
    """
    parts = _LABEL.split(template)
    for i in range(1, len(parts), 2):
        label = parts[i]
        parts[i] = f"(?P<{label}>{'.+' if label in _MODEL_LABELS else '[^/]+'})"
        parts[i - 1] = re.escape(parts[i - 1])
    parts[-1] = re.escape(parts[-1])
    return re.compile(_OTHER_API + "".join(parts) + r"\Z", re.DOTALL)


# The longest literal is first, so that `/openai/v1/responses` does not match `/v1/responses` after
# a prefix. The literal end is compared first, because searching with all patterns took 13 s on 64
# KB of `/model/a`.
_PATTERNS = sorted(
    ((op, _LABEL.split(op.path)[-1], _pattern(op.path)) for op in OPERATIONS),
    key=lambda row: -len(_LABEL.sub("", row[0].path)),
)
_SLASHES = re.compile("//+")
# Characters that would otherwise make two different paths equal after decoding.
_ESCAPED = {ord("%"): "%25", ord("?"): "%3F"}


@lru_cache(maxsize=4096)
def identify(method: str, target: str) -> Target:
    """Returns the target of a method and a percent-encoded path, which may contain a query."""
    raw, _, query = target.partition("?")
    path = _SLASHES.sub("/", raw)
    suffix = "?" + "&".join(sorted(query.split("&"))) if query else ""
    bare = path.rstrip("/")
    for operation, end, pattern in _PATTERNS:
        if operation.method == method and bare.endswith(end) and (match := pattern.search(bare)):
            labels = match.groupdict()
            named = next((v for k, v in labels.items() if k in _MODEL_LABELS), None)
            model = None if named is None else unquote(named)
            canonical = _decode(bare[match.start() :]) + suffix
            session = unquote(labels[_SESSION_LABEL]) if _SESSION_LABEL in labels else None
            split = named is not None and "/" in named
            return Target(operation, model, canonical, match.start() > 0, session, split)
    return Target(None, None, _decode(path) + suffix)


def _decode(path: str) -> str:
    return unquote(path).translate(_ESCAPED)


def choose_service(method: str, target: str, service: str | None) -> str:
    """Returns the service of a request that was sent to `service`. None: not known.

    Only the APIs of OpenAI and Anthropic have two services. A cassette comes with a branch, so that
    the service of every other operation is in the table.
    """
    operation = identify(method, target).operation
    if operation is None:
        return _RUNTIME
    return (
        service
        if service in (_RUNTIME, _MANTLE) and operation.dialect != "aws"
        else operation.service
    )


def find_other_service(method: str, target: str, service: str | None) -> str | None:
    """Return the service that a recording must name, because it is not the operation's own; None
    for every other recording. service: that answered the request; None if it is not known.
    """
    chosen = choose_service(method, target, service)
    return None if chosen == choose_service(method, target, None) else chosen


def find_operation(service: str, method: str, target: str) -> Operation | None:
    """Return the operation that a service runs for a path, or `None` if the
    table does not contain it.

    `identify` accepts every prefix, and this does not, because a prefix can make a path of another
    operation: `POST /agents/ID` of the service `bedrock-agent` changes an agent. The service of a
    client that names none is bedrock-runtime, which has no operation that changes anything.
    """
    identified = identify(method, target)
    operation = identified.operation
    if operation is None or identified.prefixed or service not in (_RUNTIME, operation.service):
        return None
    segments = identified.path.partition("?")[0].split("/")
    return None if "." in segments or ".." in segments else operation


def read_labels(operation: Operation, target: str) -> dict[str, str]:
    """Return the percent-decoded labels of an operation's path: an agent's id, a job's ARN."""
    segments = _SLASHES.sub("/", target.partition("?")[0]).strip("/").split("/")
    template = operation.path.strip("/").split("/")
    pairs = zip(template, segments[-len(template) :], strict=False)
    return {part[1:-1]: unquote(segment) for part, segment in pairs if part.startswith("{")}


def find_model(target: Target, body: bytes) -> str | None:
    """Returns the model id of a request: from its path or, for OpenAI and Anthropic, its body."""
    return target.model or find_body_model(target, body)


def find_body_model(target: Target, body: bytes) -> str | None:
    """Returns the model id in the body of an OpenAI or Anthropic request; None for others."""
    if target.dialect == "aws" or target.model is not None:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    model = value.get("model") if isinstance(value, dict) else None
    return model.encode(errors="replace").decode() if isinstance(model, str) else None


def kebab(name: str) -> str:
    """Returns a name for file names: `converse-stream` for `ConverseStream`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
