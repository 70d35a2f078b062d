"""Structured output: schemas that are refused, answers that match none, and generated answers."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import jsonschema
import openai
import pytest
from botocore.exceptions import ClientError

from bedtape_replayer import Replayer
from support.boto import boto3_client
from support.five_apis import CLAUDE, FORMS, OSS, Asked, ask, name_form

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
FITTING = {"name": "Ada", "age": 36, "born": "1815-12-10"}
WRONG = {"name": "Ada", "age": "old", "born": "long ago"}
REFUSED: dict[str, type[Exception]] = {
    "Converse": ClientError,
    "InvokeModel": ClientError,
    "Messages": anthropic.BadRequestError,
    "Chat Completions": openai.BadRequestError,
    "Responses": openai.BadRequestError,
}
PLACES = {
    "Chat Completions": "response_format.json_schema.schema",
    "Responses": "text.format.schema",
}


def wrap(api: str, schema: object) -> dict[str, Any]:
    """The members of a request that wants text of a schema."""
    if api == "Converse":
        structure = {"jsonSchema": {"schema": json.dumps(schema)}}
        return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}
    if api == "Chat Completions":
        format_ = {"name": "person", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": format_}}
    if api == "Responses":
        format_ = {"name": "person", "schema": schema, "strict": True}
        return {"text": {"format": {"type": "json_schema", **format_}}}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    server.simulate(structured_output=True)
    return server


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_an_answer_that_matches_is_not_changed(bedrock: Replayer, api: str, stream: bool) -> None:
    bedrock.respond(json=FITTING)
    told = ask(api, bedrock.url, Asked(more=wrap(api, SCHEMA)), stream=stream)
    assert json.loads(told.text) == FITTING
    assert ask(api, bedrock.url, Asked(), stream=stream).text == told.text
    assert {call.simulated for call in bedrock.calls} == {()}


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_an_answer_that_does_not_match_is_an_error_of_bedtape(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(json=WRONG)
    with pytest.raises(REFUSED[api], match="rule-1 cannot answer"):
        ask(api, bedrock.url, Asked(more=wrap(api, SCHEMA)), stream=stream)
    (call,) = bedrock.calls
    assert call.source == "overlay"
    place = PLACES.get(api, "output_config.format.schema")
    for part in (
        f"its text does not match {place}: ",
        'age: expected a whole number, found "old"',
        'born: expected date, found "long ago"',
        "use `schema: auto`",
    ):
        assert part in str(call.by)


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_schema_auto_makes_an_answer_of_the_schema(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(schema="auto")
    asked = [Asked((text,), more=wrap(api, SCHEMA)) for text in ("a", "a", "b", "c", "d")]
    texts = [ask(api, bedrock.url, each, stream=stream).text for each in asked]
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA)
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1  # other requests have other values
    assert {call.simulated for call in bedrock.calls} == {()}


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_schema_that_the_service_does_not_support_is_refused(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(schema="auto", name="only")
    age = {"type": "integer", "minimum": 0, "maximum": 9}
    schema = {**SCHEMA, "properties": {"age": age}, "required": ["age"]}
    place = PLACES.get(api, "output_config.format.schema")
    text = f"{place}: For 'integer' type, properties maximum, minimum are not supported"
    prefix = "The model returned the following errors: " if api == "Converse" else ""
    with pytest.raises(REFUSED[api], match=prefix + text):
        ask(api, bedrock.url, Asked(more=wrap(api, schema)), stream=stream)
    (call,) = bedrock.calls
    assert (call.source, call.error) == ("simulation", "ValidationException")
    assert call.simulated == (f"structured_output: refused: {text}",)


def test_other_forms_of_a_schema(bedrock: Replayer) -> None:
    bedrock.respond(text="Hello.")
    format_ = {"type": "json_schema", "schema": SCHEMA}
    for api, more in (
        ("Converse", {"additionalModelRequestFields": {"output_config": {"format": format_}}}),
        ("InvokeModel", {"output_format": format_}),
        ("Chat Completions", {"response_format": {"type": "json_object"}}),
        ("Responses", {"text": {"format": {"type": "json_object"}}}),
    ):
        with pytest.raises(REFUSED[api], match=r'its text must be JSON .*, found "Hello\."'):
            ask(api, bedrock.url, Asked(more=more), stream=False)
    loose = wrap("Chat Completions", SCHEMA)
    loose["response_format"]["json_schema"]["strict"] = False
    assert ask("Chat Completions", bedrock.url, Asked(more=loose), stream=False).text == "Hello."


@pytest.mark.parametrize(
    "answer",
    [
        {"text": '{"na', "stop_reason": "max_tokens"},
        {"text": "No.", "stop_reason": "content_filtered"},
        {"refusal": "No."},
        {"guardrail": "No."},
    ],
)
def test_an_answer_that_ends_early_need_not_match(
    bedrock: Replayer, answer: dict[str, Any]
) -> None:
    bedrock.respond(**answer)
    ask("Converse", bedrock.url, Asked(more=wrap("Converse", SCHEMA)), stream=False)
    assert bedrock.calls[0].source == "rule"


def test_max_tokens_cuts_an_answer_after_the_check(bedrock: Replayer) -> None:
    bedrock.respond(json=FITTING)
    bedrock.simulate(structured_output=True, limits=True)
    asked = Asked(max_tokens=2, more=wrap("Converse", SCHEMA))
    told = ask("Converse", bedrock.url, asked, stream=False)
    assert (told.text, told.stop) == ('{"name":', "max_tokens")


def test_the_checks_can_be_turned_off(bedrock: Replayer) -> None:
    bedrock.respond(text="Hello.")
    open_schema = {"type": "object"}
    asked = Asked(more=wrap("Converse", open_schema))
    bedrock.simulate(structured_output={"check_answers": False})
    with pytest.raises(ClientError, match="must be explicitly set to false"):
        ask("Converse", bedrock.url, asked, stream=False)
    bedrock.simulate(structured_output={"check_schemas": False})
    with pytest.raises(ClientError, match="its text must be JSON"):
        ask("Converse", bedrock.url, asked, stream=False)
    bedrock.simulate()
    assert ask("Converse", bedrock.url, asked, stream=False).text == "Hello."


# -- tools -----------------------------------------------------------------------------------------


def _ask_tool(bedrock: Replayer, schema: object, **more: Any) -> Any:
    tool = {"name": "save", "inputSchema": {"json": schema}, **more.pop("tool", {})}
    return boto3_client(bedrock.url, retries={"total_max_attempts": 1}).converse(
        modelId=CLAUDE,
        messages=[{"role": "user", "content": [{"text": "hi"}]}],
        toolConfig={"tools": [{"toolSpec": tool}], **more},
    )


def test_schema_auto_is_the_input_of_a_forced_tool(bedrock: Replayer) -> None:
    bedrock.respond(schema="auto")
    loose = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 3, "maximum": 4},
            "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
        },
        "required": ["size", "code"],
    }
    answer = _ask_tool(bedrock, loose, toolChoice={"tool": {"name": "save"}})
    (block,) = answer["output"]["message"]["content"]
    assert (answer["stopReason"], block["toolUse"]["name"]) == ("tool_use", "save")
    jsonschema.validate(block["toolUse"]["input"], loose)


def test_schema_auto_is_the_input_of_a_forced_function(bedrock: Replayer) -> None:
    bedrock.respond(schema="auto")
    client = openai.OpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="x", max_retries=0)
    function: Any = {"name": "save", "parameters": SCHEMA, "strict": True}
    chat = client.chat.completions.create(
        model=OSS,
        messages=[{"role": "user", "content": "hi"}],
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "save"}},
    )
    (call,) = chat.choices[0].message.tool_calls or ()
    assert call.type == "function"
    jsonschema.validate(json.loads(call.function.arguments), SCHEMA)
    response = client.responses.create(
        model=OSS,
        input="hi",
        tools=[{"type": "function", **function}],
        tool_choice={"type": "function", "name": "save"},
    )
    (item,) = response.output
    assert item.type == "function_call"
    jsonschema.validate(json.loads(item.arguments), SCHEMA)


def test_the_input_of_a_strict_tool_must_match(bedrock: Replayer) -> None:
    bedrock.respond(tool={"name": "save", "input": WRONG})
    assert _ask_tool(bedrock, SCHEMA)["stopReason"] == "tool_use"
    with pytest.raises(ClientError, match=r"the input of the tool save does not match tools\.0\.c"):
        _ask_tool(bedrock, SCHEMA, tool={"strict": True})


def test_the_schema_of_a_strict_tool_must_be_supported(bedrock: Replayer) -> None:
    bedrock.respond(tool={"name": "save", "input": FITTING})
    client = anthropic.Anthropic(base_url=f"{bedrock.url}/anthropic", api_key="x", max_retries=0)
    tools: Any = [
        {"name": "find", "input_schema": {"type": "object"}},
        {"name": "save", "input_schema": {"type": "object"}, "strict": True},
    ]
    text = "tools.1.custom: For 'object' type, 'additionalProperties' must be explicitly set"
    with pytest.raises(anthropic.BadRequestError, match=text):
        client.messages.create(
            model="anthropic.claude-sonnet-4-5",
            max_tokens=9,
            messages=[{"role": "user", "content": "hi"}],
            tools=tools,
        )


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, "`schema: auto` needs a schema for the text"),
        (
            wrap("Converse", {"type": "string", "pattern": "(?=a)b"}),
            "makes no value for output_con",
        ),
        (wrap("Converse", {"type": "strung"}), "makes no value for .*Invalid schema: type: "),
        (wrap("Converse", {"not": {"type": "string"}}), "the schema keyword not is not checked"),
    ],
)
def test_schema_auto_without_a_usable_schema_is_an_error_of_bedtape(
    bedrock: Replayer, more: dict[str, Any], error: str
) -> None:
    bedrock.simulate()
    bedrock.respond(schema="auto")
    with pytest.raises(ClientError, match=error):
        ask("Converse", bedrock.url, Asked(more=more), stream=False)
