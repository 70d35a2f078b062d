"""Strings that contain JSON by the definition of their API: their spelling is
not part of the match key.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format.bodies import read_request_body
from bedtape_cassettes.format.json_values import is_within, leaves, parse_path
from bedtape_cassettes.matching.json_texts import PATHS
from bedtape_cassettes.matching.key import (
    MatchRules,
    canonicalize_request,
    compute_name_key,
    compute_request_key,
)
from bedtape_cassettes.model import JsonValue, Place, Request
from bedtape_cassettes.operations import OPERATIONS
from support import interactions as some
from support.corpus import every, needs_corpus
from support.examples import examples

SERVICES = (
    "bedrock",
    "bedrock-runtime",
    "bedrock-agent",
    "bedrock-agent-runtime",
    "bedrock-agentcore",
    "bedrock-agentcore-control",
    "bedrock-data-automation",
    "bedrock-data-automation-runtime",
)
CONVERSE = "/model/us.amazon.nova-2-lite-v1%3A0/converse"
URLS = {
    "Converse": CONVERSE,
    "ConverseStream": f"{CONVERSE}-stream",
    "InvokeModel": "/model/mistral.mistral-large-2402-v1%3A0/invoke",
    "InvokeModelWithResponseStream": "/model/openai.gpt-oss-20b-1%3A0/invoke-with-response-stream",
    "ChatCompletions": "/openai/v1/chat/completions",
    "Responses": "/openai/v1/responses",
    "CountTokens": "/model/openai.gpt-oss-20b-1%3A0/count-tokens",
    "InvokeInlineAgent": "/agents/session-1",
    None: "/agents/AGENT12345/agentversions/DRAFT/actiongroups/",
}
BY_PATH = [(operation, path) for operation, paths in PATHS.items() for path in paths]


def build(path: str, text: str, *, base64: bool = False) -> JsonValue:
    """A body with the text at the path.

    A text inside of a body in base64 is inside of a body in base64 here too.
    """
    value: JsonValue = b64encode(text.encode()).decode() if base64 else text
    outer, _, inner = path.rpartition("input.invokeModel.body.")
    if outer or path.startswith("input.invokeModel.body."):
        return build("input.invokeModel.body", json.dumps(build(inner, text)), base64=True)
    for part in reversed(path.split(".")):
        value = [value] if part == "*" else {part: value}
    return value


def request(operation: str | None, path: str, text: str) -> Request:
    body = build(path, text, base64=path == "input.invokeModel.body")
    return Request("POST", URLS[operation], (), read_request_body(json.dumps(body).encode()))


ONE, RESPELT, OTHER = (
    '{"city":"Paris","days":[1,2]}',
    '{ "days": [1.0, 2],\n "city": "Paris" }',
    '{"city":"Rome"}',
)


@pytest.mark.parametrize(
    ("operation", "path"), BY_PATH, ids=[f"{name} {path}" for name, path in BY_PATH]
)
def test_the_spelling_of_json_in_a_string_is_not_part_of_the_key(
    operation: str | None, path: str
) -> None:
    one, respelt, other = (request(operation, path, text) for text in (ONE, RESPELT, OTHER))
    assert compute_request_key(one) == compute_request_key(respelt)
    assert canonicalize_request(one) == canonicalize_request(respelt)
    assert compute_request_key(one) != compute_request_key(other)
    assert compute_name_key(one) != compute_name_key(respelt)


@pytest.mark.parametrize(
    ("operation", "path"), BY_PATH, ids=[f"{name} {path}" for name, path in BY_PATH]
)
@pytest.mark.parametrize("text", ["", "{", "5", '"a"', "null", "openapi: 3.0.0", "é", "{'a': 1}"])
def test_a_string_that_contains_no_object_is_compared_as_text(
    operation: str | None, path: str, text: str
) -> None:
    one, other = request(operation, path, text), request(operation, path, f" {text}")
    assert compute_request_key(one) == compute_request_key(one)
    assert compute_request_key(one) != compute_request_key(other)


def test_a_tool_that_has_a_member_with_such_a_name_keeps_its_text() -> None:
    """The input of a tool is the user's own: its member `arguments` is a string."""
    keys = set()
    for text in (ONE, RESPELT):
        block = {
            "toolUse": {
                "toolUseId": "t",
                "name": "run",
                "input": {"arguments": text, "schema": text},
            }
        }
        body = json.dumps({"messages": [{"role": "assistant", "content": [block]}]})
        keys.add(
            compute_request_key(Request("POST", CONVERSE, (), read_request_body(body.encode())))
        )
    assert len(keys) == 2


def test_json_that_is_too_deep_is_compared_as_text() -> None:
    """The rest of the body is compared as JSON still, and a body that is
    itself too deep by its bytes.
    """
    path = "messages.*.tool_calls.*.function.arguments"

    def send(text: str, spaced: bool) -> bytes:
        body = {"model": "m", "max_tokens": 5, **dict(build(path, text))}  # type: ignore[arg-type, call-overload]

        sent = json.dumps(dict(reversed(body.items())), indent=2) if spaced else json.dumps(body)
        return compute_request_key(
            Request("POST", URLS["ChatCompletions"], (), read_request_body(sent.encode()))
        )

    for levels in (1, 100, 253, 254, 500):
        text = '{"a":' * levels + "1" + "}" * levels
        assert send(text, False) == send(text, True)
        assert (send(text, False) == send(text.replace(":", ": "), False)) == (levels <= 100)
        assert send(text, False) != send(text.replace("1", "2"), False)
    deep = b"[" * 300 + b"]" * 300
    key, other = (
        compute_request_key(Request("POST", CONVERSE, (), read_request_body(body)))
        for body in (deep, b" " + deep)
    )
    assert key != other


def test_ignored_paths_and_placeholders_reach_into_the_string() -> None:
    path = "messages.*.tool_calls.*.function.arguments"
    one = request("ChatCompletions", path, '{"city":"Paris","at":"2026-01-01"}')
    other = request("ChatCompletions", path, '{"at": "2026-11-29", "city": "Paris"}')
    assert compute_request_key(one) != compute_request_key(other)
    for rules in (
        MatchRules(ignore=(f"{path}.at",)),
        MatchRules(placeholders=(re.compile(r"\d{4}-\d\d-\d\d"),)),
    ):
        assert compute_request_key(one, rules) == compute_request_key(other, rules)


def test_secrets_in_the_string_are_no_part_of_the_key() -> None:
    texts = ['{"id":"AKIAQQQQQQQQQQQQQQQQ"}', '{"id": "ASIA1111111111111111"}']
    one, other = (request("CountTokens", "input.invokeModel.body", text) for text in texts)
    assert compute_request_key(one) == compute_request_key(other)


@settings(derandomize=True, deadline=None, max_examples=examples(150))
@given(st.sampled_from(BY_PATH), some.json_objects, st.booleans())
def test_any_json_in_any_place(
    row: tuple[str | None, str], value: dict[str, JsonValue], compact: bool
) -> None:
    spelt = json.dumps(
        value, separators=(",", ":") if compact else (" , ", " : "), indent=None if compact else 2
    )
    one, other = (request(*row, text) for text in (json.dumps(value), spelt))
    assert compute_request_key(one) == compute_request_key(other)


# -- the table -------------------------------------------------------------------------------------

# Members whose description contains "JSON" although they contain none.
NO_JSON = re.compile(
    r"(?i)S3 URI|Amazon Resource Name|JSON path|JSON key|JSON Pointer|the (?:name|description)|A"
    r" desc|RAW"
)


def find_json_members(
    shape: Shape, place: Place = (), seen: frozenset[str] = frozenset()
) -> Iterator[Place]:
    """Yields the places in an input shape that are strings of JSON, by their
    trait or their description.
    """
    if shape.name in seen:
        return
    seen |= {shape.name}
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if "location" in member.serialization or name == shape.serialization.get("payload"):
                continue  # a header, a part of the path, or the body itself
            here = (*place, member.serialization.get("name", name))
            text = re.sub("<[^>]+>", "", member.documentation or "")
            is_json = "JSON" in text and not NO_JSON.search(text)
            if member.type_name in ("string", "blob") and (
                is_json or member.serialization.get("jsonvalue")
            ):
                yield here
            yield from find_json_members(member, here, seen)
    elif isinstance(shape, ListShape):
        yield from find_json_members(shape.member, (*place, 0), seen)
    elif isinstance(shape, MapShape):
        yield from find_json_members(shape.value, (*place, "key"), seen)


def test_the_table_has_every_string_of_json_in_the_service_models() -> None:
    named = {operation.name for operation in OPERATIONS}
    missing = []
    used = set()
    for service in SERVICES:
        model = get_session().get_service_model(service)
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            for place in find_json_members(shape) if shape else ():
                operation = name if name in named else None
                holders = [p for p in PATHS.get(operation, ()) if len(parse_path(p)) == len(place)]
                matching = {path for path in holders if is_within(place, parse_path(path))}
                used |= {(operation, path) for path in matching}
                missing += [] if matching else [f"{name} {place}"]
    assert missing == []
    others = {(operation, path) for operation, path in BY_PATH} - used
    assert all("arguments" in path or path == "input.invokeModel.body" for _, path in others), (
        others
    )


@needs_corpus
@pytest.mark.slow
def test_recorded_strings_of_json_are_in_the_table() -> None:
    """Every string of a recorded request that contains a JSON object is in the table, or the text
    of a message or a system prompt.
    """
    others = set()
    for exchange in every():
        body = read_request_body(exchange.request_body)
        if body.form != "json":
            continue
        paths = [parse_path(path) for path in PATHS.get(exchange.operation, ())]
        for place, leaf in leaves(json.loads(body.data)):
            if (
                isinstance(leaf, str)
                and leaf[:1] == "{"
                and leaf[-1:] == "}"
                and not any(is_within(place, p) for p in paths)
            ):
                others.add(place[-1])
    assert others == {"text", "content", "system"}


def test_existing_files_keep_their_names() -> None:
    """The key in a file's name compares the strings as text, as before."""
    one = request("ChatCompletions", "messages.*.tool_calls.*.function.arguments", ONE)
    assert compute_name_key(one).hex() == "d2666ee657084e238cb671011ff6a755"
    plain = replace(one, body=read_request_body(b'{"messages":[]}'))
    assert compute_name_key(plain) == compute_request_key(plain)
    exact = replace(plain, headers=(*plain.headers, ("X-Amz-Target", "Service.Operation")))
    assert compute_name_key(exact) == compute_name_key(plain)
    assert compute_request_key(exact) != compute_request_key(plain)
