"""What is refused, in which words.

The oracles are botocore's models and validator, and what Bedrock answered.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import pytest
from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.shared.service_models import load_service
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.operations import OPERATIONS, identify
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.engine import checks
from bedtape_replayer.engine.validation import find_refusal
from bedtape_replayer.overlay.faults.error_response import Failure
from support.corpus import ROOT, Exchange, every, needs_corpus
from support.examples import examples

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
CLAUDE_4 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation"
    " alternates between user and assistant roles and try again."
)
MALFORMED = "Malformed input request, please reformat your input and try again."
TOOLS = {"tools": [{"toolSpec": {"name": "clock", "inputSchema": {"json": {"type": "object"}}}}]}


def _input(operation: str) -> StructureShape:
    model = load_service("bedrock-runtime")
    try:
        shape = model.operation_model(operation).input_shape
    except OperationNotFoundError:
        pytest.skip(f"this botocore has no {operation} yet")
    assert shape is not None
    return shape


_CONVERSE = _input("Converse")
_MESSAGE = _CONVERSE.members["messages"].member
ROLES = ", ".join(_MESSAGE.members["role"].enum)
BLOCKS = ", ".join(_MESSAGE.members["content"].member.members)


def _said(operation: str, model: str | None, body: JsonValue) -> str | None:
    refusal = find_refusal(operation, model, orjson.dumps(body))
    return refusal and refusal.message


def _turn(role: str, *blocks: JsonValue) -> JsonValue:
    return {"role": role, "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}


def _use(*ids: str, **more: JsonValue) -> list[JsonValue]:
    return [{"toolUse": {"toolUseId": i, "name": "clock", "input": {}, **more}} for i in ids]


def _result(*ids: str) -> list[JsonValue]:
    return [{"toolResult": {"toolUseId": i, "content": [{"text": "noon"}]}} for i in ids]


def _converse(*messages: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return {"messages": list(messages or [_turn("user", "Hello")]), **more}


# -- one mistake each ------------------------------------------------------------------------------


def _failed(*constraints: tuple[str, str, str]) -> str:
    """Bedrock's text for constraints that are not kept: each the value as it is told,
    its place, and the rule.
    """
    told = "; ".join(
        f"{value} at '{at}' failed to satisfy constraint: {rule}" for value, at, rule in constraints
    )
    return f"{len(constraints)} validation error{'s' * (len(constraints) > 1)} detected: {told}"


HI, HELLO = _turn("user", "a"), _turn("user", "b")
NAME = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
NOT_EMPTY = "Member must have length greater than or equal to 1"
NOT_NULL = "Member must not be null"
AT_MOST_1 = "Member must have value less than or equal to 1"
SPEC = "toolConfig.tools.1.member.toolSpec"
ROLE = f"Member must satisfy enum value set: [{ROLES}]"
KEYS = (
    r"Map keys must satisfy constraint: [Member must satisfy regular expression pattern:"
    r" [a-zA-Z0-9\s:_@$#=/+,-.]{1,256}]"
)


def _named(name: str) -> JsonValue:
    return {"toolUse": {"toolUseId": "t", "name": name, "input": {}}}


def _offering(**spec: JsonValue) -> dict[str, JsonValue]:
    return _converse(toolConfig={"tools": [{"toolSpec": {**spec, "inputSchema": {"json": {}}}}]})


# The texts of bounds, unions and documents as users of Bedrock quote them in their reports.
SHAPE_MISTAKES: dict[str, tuple[JsonValue, str]] = {
    "a role there is not": (
        _converse(HI, _turn("robot", "b")),
        _failed(("Value", "messages.2.member.role", ROLE)),
    ),
    "a name that the model made up": (
        _converse(HI, _turn("assistant", "b", _named("a b"))),
        _failed(("Value", "messages.2.member.content.2.member.toolUse.name", NAME)),
    ),
    "a name too long and with a dot": (
        _converse(_turn("assistant", _named("x." * 33))),
        _failed(
            (
                "Value",
                "messages.1.member.content.1.member.toolUse.name",
                "Member must have length less than or equal to 64",
            ),
            ("Value", "messages.1.member.content.1.member.toolUse.name", NAME),
        ),
    ),
    "empty names of a tool": (
        _offering(name="", description=""),
        _failed(
            ("Value ''", f"{SPEC}.name", NAME),
            ("Value ''", f"{SPEC}.name", NOT_EMPTY),
            ("Value ''", f"{SPEC}.description", NOT_EMPTY),
        ),
    ),
    "a tool without a name": (_offering(), _failed(("Value null", f"{SPEC}.name", NOT_NULL))),
    "reasoning without text": (
        _converse(HI, _turn("assistant", {"reasoningContent": {"reasoningText": {"text": None}}})),
        _failed(
            (
                "Value",
                "messages.2.member.content.1.member.reasoningContent.reasoningText.text",
                NOT_NULL,
            )
        ),
    ),
    "too warm": (
        _converse(inferenceConfig={"temperature": 1.5}),
        _failed(("Value '1.5'", "inferenceConfig.temperature", AT_MOST_1)),
    ),
    "much too warm": (
        _converse(inferenceConfig={"temperature": 99}),
        _failed(("Value '99.0'", "inferenceConfig.temperature", AT_MOST_1)),
    ),
    "no tokens": (
        _converse(inferenceConfig={"maxTokens": 0}),
        _failed(
            (
                "Value '0'",
                "inferenceConfig.maxTokens",
                "Member must have value greater than or equal to 1",
            )
        ),
    ),
    "no tools": (
        _converse(toolConfig={"tools": []}),
        _failed(("Value '[]'", "toolConfig.tools", NOT_EMPTY)),
    ),
    "nothing said of a request": (
        _converse(requestMetadata={}),
        _failed(("Value", "requestMetadata", NOT_EMPTY)),
    ),
    "a key that is none": (
        _converse(requestMetadata={"é": "x"}),
        _failed(("Value", "requestMetadata", KEYS)),
    ),
    "a block of another API": (
        _converse(HI, _turn("assistant", {"type": "thinking", "thinking": "…"})),
        (
            "ContentBlock object at messages.1.content.0 must set one of the following keys:"
            f" {BLOCKS}."
        ),
    ),
    "two blocks in one": (
        _converse(_turn("user", {"text": "a", "cachePoint": {"type": "default"}})),
        (
            "ContentBlock object at messages.0.content.0 must set only one of the following keys:"
            f" {BLOCKS}."
        ),
    ),
    "a result that is a list": (
        _converse(_turn("user", {"toolResult": {"toolUseId": "t", "content": [{"json": [1]}]}})),
        (
            "The format of the value at messages.0.content.0.toolResult.content.0.json is invalid."
            " Provide a json object for the field and try again."
        ),
    ),
}


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
@pytest.mark.parametrize(("body", "message"), SHAPE_MISTAKES.values(), ids=SHAPE_MISTAKES)
def test_a_mistake_in_a_shape_is_told_as_bedrock_tells_it(
    operation: str, body: JsonValue, message: str
) -> None:
    assert find_refusal(operation, CLAUDE, orjson.dumps(body)) == Failure(
        "ValidationException", message, 400
    )


MISTYPED: dict[str, tuple[JsonValue, str]] = {
    "text as a number": (
        _converse(_turn("user", {"text": 1})),
        "NUMBER_VALUE can not be converted to a String",
    ),
    "text as an object": (
        _converse(_turn("user", {"text": {"text": "a"}})),
        "Start of structure or map found where not expected.",
    ),
    "content as text": (_converse({"role": "user", "content": "Hello"}), "Expected list or null"),
    "a block as text": (_converse({"role": "user", "content": ["Hello"]}), "Expected null"),
    "a number as text": (
        _converse(inferenceConfig={"maxTokens": "9"}),
        "STRING_VALUE can not be converted to an Integer",
    ),
    "a number as truth": (
        _converse(inferenceConfig={"topP": True}),
        "TRUE_VALUE can not be converted to a Float",
    ),
    "bytes that are not base64": (
        _converse(_turn("user", {"image": {"format": "png", "source": {"bytes": "%"}}})),
        "STRING_VALUE can not be converted to a Blob",
    ),
    "a list for a body": ([], "Start of list found where not expected"),
}


@pytest.mark.parametrize(("body", "message"), MISTYPED.values(), ids=MISTYPED)
def test_json_of_another_type_cannot_be_read_and_nothing_else_is_said_of_it(
    body: JsonValue, message: str
) -> None:
    assert find_refusal("Converse", CLAUDE, orjson.dumps(body)) == Failure(
        "SerializationException", message, 400
    )


def _using(*turns: JsonValue) -> dict[str, JsonValue]:
    """A question, and these turns, with a tool on offer."""
    return _converse(HI, *turns, toolConfig=TOOLS)


ONE_USE, TWO_USES = _turn("assistant", *_use("t1")), _turn("assistant", *_use("t1", "t2"))
ONE_RESULT = _turn("user", *_result("t1"))
AN_ERROR = {"toolResult": {"toolUseId": "t1", "status": "error", "content": []}}
MISSING = "Expected toolResult blocks at messages.2.content for the following Ids: "
EXCEEDS = (
    "The number of toolResult blocks at messages.{}.content exceeds the number of toolUse blocks of"
    " previous turn."
)
START = (
    "A conversation must start with a user message. Try again with a conversation that starts with"
    " a user message."
)
DUPLICATE = (
    "Messages can't contain duplicate document names. Rename the document and retry your request."
)
FILE_NAME = (
    "The document file name can only contain alphanumeric characters, whitespace characters,"
    " hyphens, parentheses, and square brackets. The name can't contain more than one consecutive"
    " whitespace character. Check that the file name conforms to these restrictions and retry your"
    " request."
)
ANSWER = _turn("assistant", {"text": "Hello."})


def _document(name: str) -> dict[str, JsonValue]:
    return {"document": {"format": "pdf", "name": name, "source": {"bytes": "eA=="}}}


def _documents(*names: str) -> JsonValue:
    return _turn("user", {"text": "Sum it up."}, *map(_document, names))


# The texts of the wire contract's table; where a model is named, others are not asked for it.
CONVERSATION_MISTAKES: dict[str, tuple[str, JsonValue, str]] = {
    "users in a row": (LLAMA, _converse(HI, HELLO), ALTERNATE),
    "nothing at all": (CLAUDE, {}, START),
    "an assistant's message first": (NOVA, _converse(ANSWER, HI), START),
    "an empty text": (
        CLAUDE,
        _converse({"role": "user", "content": [{"text": ""}]}),
        "messages: text content blocks must be non-empty",
    ),
    "a text of blanks": (
        NOVA,
        _converse({"role": "user", "content": [{"text": "a"}, {"text": " "}]}),
        (
            "The text field in the ContentBlock object at messages.0.content.1 is blank. Add text"
            " to the text field, and try again."
        ),
    ),
    "a file name with a dot": (NOVA, _converse(_documents("report.pdf")), FILE_NAME),
    "two blanks in a file name": (CLAUDE, _converse(_documents("a  b")), FILE_NAME),
    "equal names in two messages": (
        NOVA,
        _converse(_documents("a"), ANSWER, _documents("a")),
        DUPLICATE,
    ),
    "a document's name in a tool result": (
        NOVA,
        _converse(
            {
                "role": "user",
                "content": [
                    {"text": "x"},
                    {"toolResult": {"toolUseId": "t", "content": [_document("a/b")]}},
                ],
            }
        ),
        FILE_NAME,
    ),
    "assistants in a row": (
        LLAMA,
        _converse(HI, _turn("assistant", "b"), _turn("assistant", "c"), _turn("user", "d")),
        ALTERNATE,
    ),
    "no result": (CLAUDE, _using(TWO_USES, HELLO), MISSING + "t1, t2"),
    "results in two turns": (
        CLAUDE,
        _using(TWO_USES, ONE_RESULT, _turn("user", *_result("t2"))),
        MISSING + "t2",
    ),
    "results of nothing": (CLAUDE, _converse(ONE_RESULT, toolConfig=TOOLS), EXCEEDS.format(0)),
    "too many results": (
        CLAUDE,
        _using(ONE_USE, _turn("user", *_result("t1", "t2"))),
        EXCEEDS.format(2),
    ),
    "results beside text": (
        LLAMA,
        _using(ONE_USE, _turn("user", *_result("t1"), "b")),
        (
            "messages.2.content: Conversation blocks and tool result blocks cannot be provided in"
            " the same turn."
        ),
    ),
    "tools that are not offered": (
        CLAUDE,
        _converse(HI, ONE_USE, ONE_RESULT),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ),
    "an error that says nothing": (
        CLAUDE,
        _using(ONE_USE, _turn("user", AN_ERROR)),
        (
            "The content field at messages.2.content.0.toolResult cannot be empty when status value"
            " is error."
        ),
    ),
    "an empty message": (
        CLAUDE,
        _converse(_turn("user"), _turn("assistant", "b")),
        (
            "messages.0: all messages must have non-empty content except for the optional final"
            " assistant message"
        ),
    ),
}


@pytest.mark.parametrize(
    ("model", "body", "message"), CONVERSATION_MISTAKES.values(), ids=CONVERSATION_MISTAKES
)
def test_a_mistake_in_a_conversation(model: str, body: JsonValue, message: str) -> None:
    assert find_refusal("Converse", model, orjson.dumps(body)) == Failure(
        "ValidationException", message, 400
    )


FINE: dict[str, tuple[str, JsonValue]] = {
    "nothing at all, for a model that nobody knows": ("my-model", {}),
    "an assistant's message first, for Claude": (CLAUDE, _converse(ANSWER, HI)),
    "a text of blanks, for Claude": (
        CLAUDE,
        _converse({"role": "user", "content": [{"text": " "}]}),
    ),
    "documents with good names": (NOVA, _converse(_documents("mem_1-x (2) [a]", "b"))),
    "members that the model does not know": (CLAUDE, _converse(future={"x": 1})),
    "users in a row, merged": (CLAUDE, _converse(HI, HELLO)),
    "users in a row, for Nova": (NOVA, _converse(HI, HELLO)),
    "users in a row, for Titan": ("amazon.titan-text-express-v1", _converse(HI, HELLO)),
    "users in a row, for a model that nobody knows": ("my-model", _converse(HI, HELLO)),
    "text beside tools": (
        CLAUDE,
        _using(_turn("assistant", "b", *_use("t")), _turn("user", "c", *_result("t"))),
    ),
    "a server's tool, which the server answers": (
        NOVA,
        _using(_turn("assistant", *_use("t", type="server_tool_use"), *_result("t"), "b"), HELLO),
    ),
    "a use with the type that Claude gives it": (
        CLAUDE,
        _using(_turn("assistant", *_use("t1", type="tool_use")), ONE_RESULT),
    ),
    "an empty last message of the assistant": (CLAUDE, _converse(HI, _turn("assistant"))),
    "a whole number as a fraction": (
        CLAUDE,
        _converse(inferenceConfig={"maxTokens": 5.0, "temperature": 1}),
    ),
    "members that are null": (
        CLAUDE,
        _converse(system=None, toolConfig=None, inferenceConfig={"topP": None}),
    ),
}


@pytest.mark.parametrize(("model", "body"), FINE.values(), ids=FINE)
def test_what_bedrock_lets_pass(model: str, body: JsonValue) -> None:
    assert find_refusal("Converse", model, orjson.dumps(body)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 3000, b'{"a":NaN}'], ids=repr)
def test_a_native_body_that_is_not_json(data: bytes) -> None:
    for operation in ("InvokeModel", "InvokeModelWithResponseStream"):
        assert find_refusal(operation, CLAUDE, data) == Failure(
            "ValidationException", MALFORMED, 400
        )


def _malformed(problems: str) -> str:
    return f"Malformed input request: {problems}, please reformat your input and try again."


_HI: list[JsonValue] = [{"role": "user", "content": "hi"}]
_TITAN = "amazon.titan-embed-text-v2:0"
_VERSION = {"anthropic_version": "bedrock-2023-05-31"}
_NOT_A_PROMPT = '#: subject must not be valid against schema {"required":["messages"]}'
NATIVE_MISTAKES: dict[str, tuple[str, JsonValue, str]] = {
    "Claude 3 without a limit": (
        CLAUDE,
        {**_VERSION, "messages": _HI},
        _malformed(_NOT_A_PROMPT + "#: required key [max_tokens] not found"),
    ),
    "Claude 4 without a limit": (
        CLAUDE_4,
        {**_VERSION, "messages": _HI},
        "max_tokens: Field required",
    ),
    "Claude 4 without messages": (
        CLAUDE_4,
        {"anthropic_version": "x", "max_tokens": 9},
        "messages: Field required",
    ),
    "Claude 4 with an empty message": (
        CLAUDE_4,
        {
            "anthropic_version": "x",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": ""}, *_HI],
        },
        (
            "messages.0: all messages must have non-empty content except for the optional final"
            " assistant message"
        ),
    ),
    "Claude 2 with messages, without a limit": (
        "anthropic.claude-v2",
        {"anthropic_version": "x", "messages": _HI},
        _malformed(_NOT_A_PROMPT + "#: required key [max_tokens] not found"),
    ),
    "Nova with two blocks that are none": (
        NOVA,
        {
            "messages": [
                {"role": "user", "content": [{"inputText": "hi"}, {"text": "hi", "type": "text"}]}
            ]
        },
        _malformed(
            "#/messages/0/content/0: required key [toolUse] not found"
            "#/messages/0/content/1: extraneous key [type] is not permitted"
        ),
    ),
    "Titan without text": (
        _TITAN,
        {"dimensions": 256},
        _malformed("#: required key [inputText] not found"),
    ),
    "Titan with a list": (_TITAN, [], _malformed("#: expected type: JSONObject, found: JSONArray")),
}


@pytest.mark.parametrize("operation", ["InvokeModel", "InvokeModelWithResponseStream"])
@pytest.mark.parametrize(
    ("model", "body", "message"), NATIVE_MISTAKES.values(), ids=NATIVE_MISTAKES
)
def test_a_mistake_in_a_native_body(
    operation: str, model: str, body: JsonValue, message: str
) -> None:
    assert find_refusal(operation, model, orjson.dumps(body)) == Failure(
        "ValidationException", message, 400
    )


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            "anthropic.claude-v2",
            {"prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": 9},
        ),
        ("anthropic.claude-v2", {"anthropic_version": "x", "max_tokens": 9, "messages": _HI}),
        (
            CLAUDE_4,
            {"anthropic_version": "2026-10-21", "max_tokens": 9, "messages": _HI, "future": 1},
        ),
        ("my-model", {"anything": 1}),
        ("my-model", ["even", "a", "list"]),
        ("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghij12", {"prompt": "hi"}),
    ],
)
def test_native_bodies_that_pass(model: str, body: JsonValue) -> None:
    assert _said("InvokeModel", model, body) is None


def test_a_stream_that_is_opened_before_the_model_looks_is_not_refused() -> None:
    body: JsonValue = {"messages": _HI}
    assert _said("InvokeModelWithResponseStream", "mistral.mistral-7b-instruct-v0:2", body) is None
    message = _malformed("#: required key [prompt] not found")
    assert _said("InvokeModel", "mistral.mistral-7b-instruct-v0:2", body) == message


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream", "InvokeModel", "CountTokens"])
@pytest.mark.parametrize("model", ["", None, "no spaces!", "ümlaut", "x" * 2049])
def test_a_model_id_that_cannot_be_one(operation: str, model: str | None) -> None:
    refusal = find_refusal(operation, model, b"{}")
    assert refusal == Failure(
        "ValidationException", "The provided model identifier is invalid.", 400
    )


@pytest.mark.parametrize(
    "model",
    [
        "my-model",
        "does-not-exist",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2",
    ],
)
def test_a_model_id_that_somebody_made_up_is_none_of_ours(model: str) -> None:
    assert find_refusal("Converse", model, orjson.dumps(_converse())) is None


def test_headers_are_checked_by_their_own_shapes() -> None:
    traced = {"x-amzn-bedrock-trace": "on"}
    assert find_refusal("InvokeModel", "my-model", b"{}", header=traced.get) == Failure(
        "ValidationException",
        "1 validation error detected: Value 'on' at 'trace' failed to satisfy constraint: Member"
        " must satisfy enum value set: [ENABLED, DISABLED, ENABLED_FULL]",
        400,
    )
    assert (
        find_refusal(
            "InvokeModel", "my-model", b"{}", header={"x-amzn-bedrock-trace": "ENABLED"}.get
        )
        is None
    )


@pytest.mark.parametrize("operation", ["ListModels", "", "Nonsense"])
def test_of_what_no_service_model_describes_nothing_is_known(operation: str) -> None:
    assert find_refusal(operation, None, b"not JSON") is None


# -- every place of the model ----------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A place in an operation's body: how messages name it, its shape, and
    how to put a value there.
    """

    path: str
    shape: Shape
    body: Callable[[JsonValue], JsonValue]


_WORDS = (
    "a",
    "1",
    "s3://bucket",
    "123456789012",
    "DRAFT",
    "A1B2C3D4E5",
    "arn:aws:kms:us-east-1:123456789012:key/" + "a" * 36,
)


def _sample(shape: Shape) -> JsonValue:
    """The least value that botocore's model allows."""
    if isinstance(shape, StructureShape):
        if shape.is_document_type:
            return {}
        names = list(shape.members)[:1] if shape.is_tagged_union else shape.required_members
        return {name: _sample(shape.members[name]) for name in names}
    if isinstance(shape, ListShape):
        return [_sample(shape.member)] * (shape.metadata.get("min") or 0)
    if isinstance(shape, MapShape):
        return {"a": _sample(shape.value)}
    match shape.type_name:
        case "string":
            return _word(shape)
        case "blob":
            return "AAAA"
        case "boolean":
            return True
    return shape.metadata.get("min", 0)


def _word(shape: Shape) -> str:
    metadata = shape.metadata
    if "enum" in metadata:
        return str(metadata["enum"][0])
    pattern = metadata.get("pattern", ".*")
    return next(
        word
        for word in _WORDS
        if re.fullmatch(pattern, word) and len(word) <= metadata.get("max", 99)
    )


def _places(shape: Shape, path: str, body: Callable[[JsonValue], JsonValue]) -> Iterator[Place]:
    yield Place(path, shape, body)
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        beside = (
            {}
            if shape.is_tagged_union
            else {name: _sample(shape.members[name]) for name in shape.required_members}
        )
        for name, member in shape.members.items():
            if "location" not in member.serialization:
                yield from _places(
                    member, f"{path}.{name}".lstrip("."), _within(body, beside, name)
                )
    elif isinstance(shape, ListShape):
        least = [_sample(shape.member)] * (shape.metadata.get("min", 1) - 1)
        yield from _places(shape.member, f"{path}.1.member", lambda value: body([value, *least]))


def _within(
    body: Callable[[JsonValue], JsonValue], beside: dict[str, JsonValue], name: str
) -> Callable[[JsonValue], JsonValue]:
    return lambda value: body({**beside, name: value})


def _mistakes(shape: Shape) -> Iterator[tuple[JsonValue, str, str]]:
    """Wrong values for the shape: each with what is after the path, and what is after the place."""
    bounds = shape.metadata
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        for name in [] if shape.is_tagged_union else shape.required_members:
            rest = {
                other: _sample(shape.members[other])
                for other in shape.required_members
                if other != name
            }
            yield rest, f".{name}", "Member must not be null"
        return
    if "enum" in bounds:
        yield "no such", "", f"Member must satisfy enum value set: [{', '.join(bounds['enum'])}]"
        return
    if shape.type_name in ("integer", "float"):
        for name, by, which in (("min", -1, "greater"), ("max", 1, "less")):
            if name in bounds:
                yield (
                    bounds[name] + by,
                    "",
                    f"Member must have value {which} than or equal to {bounds[name]}",
                )
    if (
        shape.type_name == "string"
        and "pattern" in bounds
        and not re.fullmatch(bounds["pattern"], "\n")
    ):
        yield "\n", "", f"Member must satisfy regular expression pattern: {bounds['pattern']}"
    one: JsonValue = _sample(shape.member) if isinstance(shape, ListShape) else "a"
    many = {"string": lambda n: "a" * n, "list": lambda n: [one] * n}.get(shape.type_name)
    if many and bounds.get("max", 10**6) < 10**6:
        yield (
            many(bounds["max"] + 1),
            "",
            f"Member must have length less than or equal to {bounds['max']}",
        )
    if many and bounds.get("min"):
        yield (
            many(bounds["min"] - 1),
            "",
            f"Member must have length greater than or equal to {bounds['min']}",
        )


BODIES = {
    "Converse": 150,
    "ConverseStream": 150,
    "CountTokens": 120,
    "ApplyGuardrail": 7,
    "InvokeGuardrailChecks": 20,
    "StartAsyncInvoke": 10,
}


@pytest.mark.parametrize(("operation", "least"), BODIES.items())
def test_every_bound_of_every_member_of_the_model_is_held(operation: str, least: int) -> None:
    model = "anything" if operation.startswith(("Converse", "Count")) else None
    wrong, seen = [], 0
    for place in _places(_input(operation), "", lambda value: value):
        for value, member, text in _mistakes(place.shape):
            if member == ".modelId" and place.path == "" and operation != "StartAsyncInvoke":
                continue  # is in the path
            if place.path == "" and member[1:] in ("guardrailIdentifier", "guardrailVersion"):
                continue
            if place.path == "modelId" and operation != "StartAsyncInvoke":
                continue
            seen += 1
            said = _said(operation, model, place.body(value)) or ""
            at = f" at '{(place.path + member).lstrip('.')}' failed to satisfy constraint: "
            if at not in said or text not in said:
                wrong.append((place.path, value, text, said))
    assert wrong == []
    assert seen >= least


@pytest.mark.parametrize("operation", BODIES)
def test_every_member_of_the_model_may_be_there(operation: str) -> None:
    model = "anything" if operation.startswith(("Converse", "Count")) else None
    for place in _places(_input(operation), "", lambda value: value):
        said = _said(operation, model, place.body(_sample(place.shape))) or ""
        # What Converse then says of the conversation is no matter of shapes.
        assert "constraint" not in said, (place.path, said)
        assert "following keys" not in said, (place.path, said)


# -- botocore's validator as the oracle ------------------------------------------------------------

_SCALARS = st.sampled_from(
    [None, True, 0, 1, -1, 0.5, 2.5, "", "user", "auto", "a b", "AAAA", "x" * 65]
)


def _bent(value: JsonValue, data: st.DataObject) -> JsonValue:
    """The value with one thing changed somewhere: another scalar, a member
    less, a list for an object.
    """
    if isinstance(value, dict) and value:
        name = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 3)) == 0:
            return {key: member for key, member in value.items() if key != name}
        return {**value, name: _bent(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        return [*value[:-1], _bent(value[-1], data)]
    return data.draw(st.one_of(_SCALARS, st.just([]), st.just({}), st.just([{}])))


_WHOLE = _converse(
    _turn("user", "a", {"image": {"format": "png", "source": {"bytes": "AAAA"}}}),
    _turn("assistant", *_use("t")),
    _turn("user", *_result("t")),
    system=[{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    inferenceConfig={"maxTokens": 5, "temperature": 0.5, "topP": 0.5, "stopSequences": ["x"]},
    toolConfig={**TOOLS, "toolChoice": {"auto": {}}},
    guardrailConfig={"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"},
    requestMetadata={"team": "a"},
    performanceConfig={"latency": "standard"},
    additionalModelRequestFields={"top_k": 5},
)


def _botocore_refuses(body: dict[str, JsonValue]) -> bool:
    """Whether botocore would not send it, less what a client may know better: null
    members and unknown ones.
    """
    report = ParamValidator().validate({"modelId": "m", **body}, _CONVERSE).generate_report()
    lines = [line for line in report.splitlines() if line and "Unknown parameter" not in line]
    return any(
        "None" not in line and not re.search(r"value: -?\d+\.\d+, type: <class 'float'>", line)
        for line in lines
    )


@settings(derandomize=True, deadline=None, max_examples=examples(400))
@given(st.data())
def test_what_botocore_would_not_send_is_refused(data: st.DataObject) -> None:
    body = _bent(_WHOLE, data)
    assert _said("Converse", CLAUDE, _WHOLE) is None
    if isinstance(body, dict) and _botocore_refuses(body):
        assert find_refusal("Converse", CLAUDE, orjson.dumps(body)) is not None


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(
                ["messages", "content", "role", "text", "toolUse", "toolResult", "system", "prompt"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(derandomize=True, deadline=None, max_examples=examples(500))
@given(
    st.sampled_from([operation.name for operation in OPERATIONS]),
    st.sampled_from([CLAUDE, NOVA, "x"]),
    _JSON,
)
def test_no_json_makes_it_fail(operation: str, model: str, value: JsonValue) -> None:
    refusal = find_refusal(operation, model, json.dumps(value).encode())
    assert refusal is None or (refusal.status == 400 and refusal.message)


@settings(derandomize=True, deadline=None, max_examples=examples(300))
@given(st.sampled_from(["Converse", "InvokeModel", "Retrieve", "CountTokens"]), st.data())
def test_no_change_to_a_good_body_makes_it_fail(operation: str, data: st.DataObject) -> None:
    body = json.dumps(_bent(_bent(_WHOLE, data), data)).encode()
    find_refusal(operation, CLAUDE, body)
    find_refusal(operation, NOVA, body[: data.draw(st.integers(0, len(body)))])


def _filtered(depth: int) -> bytes:
    empty_key = b'{"equals":{"key":"","value":{}}}'
    filters = b'{"andAll":[' * depth + empty_key + (b"," + empty_key + b"]}") * depth
    return (
        b'{"retrievalQuery":{},"retrievalConfiguration":{"vectorSearchConfiguration":{"filter":%b}}}'
        % filters
    )


def test_filters_within_filters_are_read_while_python_can() -> None:
    refusal = find_refusal("Retrieve", None, _filtered(100))
    assert refusal is not None
    assert refusal.message.startswith("101 validation errors detected: ")
    # The JSON can still be parsed at this depth, but not walked.
    assert find_refusal("Retrieve", None, _filtered(500)) == Failure(
        "ValidationException", MALFORMED, 400
    )


# -- what Bedrock answered -------------------------------------------------------------------------

# Recorded refusals that are not for a request's shape: the account, which models exist, what one of
# them can do or hold, and what a model says of a turn that it should continue (the same request
# passed a second later).
_NOT_OF_SHAPE = (
    "The provided model identifier is invalid.",
    "Invocation of model ID ",
    "Input is too long for requested model.",
    "too many total text bytes: ",
    "The model returned the following errors: ",
)


def _recorded(exchange: Exchange) -> Failure | None:
    target = identify(exchange.method, exchange.path)
    headers = {name.lower(): value for name, value in exchange.request_headers}
    return find_refusal(target.name or "", target.model, exchange.request_body, header=headers.get)


@pytest.mark.corpus
@needs_corpus
def test_everything_that_bedrock_answered_passes() -> None:
    answered = [exchange for exchange in every() if exchange.status == 200]
    assert [(str(e), refusal) for e in answered if (refusal := _recorded(e))] == []
    assert len(answered) > 1000


@pytest.mark.corpus
@needs_corpus
def test_observed_chat_completions_are_answered_or_refused_as_by_the_service() -> None:
    with gzip.open(ROOT.parent / "observations" / "openai-doors.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    asked = [row for row in rows if row["request_body"]]
    for row in asked:
        head = Head.of([(b"host", row["host"].encode())])
        body = json.dumps(row["request_body"]).encode()
        call = Call("default", "POST", row["path"], head, body)
        assert (checks.find_refusal(call) is None) == (row["status"] == 200), row["request_body"]
    assert len(asked) > 50


@pytest.mark.corpus
@needs_corpus
def test_everything_that_bedrock_refused_for_its_shape_is_refused_in_its_words() -> None:
    seen = 0
    for exchange in every():
        message = json.loads(exchange.response_body)["message"] if exchange.status == 400 else ""
        if not message or message.startswith(_NOT_OF_SHAPE):
            continue
        seen += 1
        refusal = _recorded(exchange)
        assert refusal is not None, exchange
        error = {name.lower(): value for name, value in exchange.response_headers}[
            "x-amzn-errortype"
        ]
        assert (refusal.status, refusal.error) == (400, error.partition(":")[0])
        # The schema's checker names the two types that a content may have in either order.
        assert sorted(re.split("#|, please", refusal.message)) == sorted(
            re.split("#|, please", message)
        )
    assert seen >= 7


@pytest.mark.parametrize("value", ["red", 3, 2.5, True, [2024, 2025], {"a": 1}], ids=repr)
def test_documents_of_other_services_are_any_json(value: JsonValue) -> None:
    search = {"vectorSearchConfiguration": {"filter": {"equals": {"key": "team", "value": value}}}}
    retrieve = {"retrievalQuery": {"text": "q"}, "retrievalConfiguration": search}
    flow = {
        "inputs": [{"nodeName": "in", "nodeOutputName": "document", "content": {"document": value}}]
    }
    for operation, body in (("Retrieve", retrieve), ("InvokeFlow", flow)):
        assert find_refusal(operation, None, orjson.dumps(body)) is None, operation
