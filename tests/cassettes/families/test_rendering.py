"""Content as responses: headers, counts, what Bedrock adds to every family's JSON, and what is refused."""

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session

from bedtape_cassettes.families.content import Content, Embeddings, Images, Message, Ranking, Text, Usage
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import can_render, render
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Events, Response
from support.corpus import every, needs_corpus
from support.shapes import shape

_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
_NOVA = "us.amazon.nova-lite-v1:0"
_HELLO = Message((Text("Hello there."),), usage=Usage(7, 9))
_BLOCKED = Message((Text("Not this."),), "guardrail_intervened")


def _rendered(content: Content, operation: str, model: str | None = _CLAUDE, body: Any = None, **more: Any) -> Response:
    asked = body if isinstance(body, bytes) else bodies.compact(body or {})
    return render(content, operation=operation, model=model, body=asked, chance=Random(5), **more)


def _json(response: Response) -> Any:
    assert isinstance(response.body, Body)
    return json.loads(response.body.data)


def _chunks(response: Response) -> list[Any]:
    assert isinstance(response.body, Events)
    return [bodies.read_value(event.form, event.payload) for event in response.body.events]


# -- headers and metrics -----------------------------------------------------------------------------------------


def test_headers_of_the_four_operations() -> None:
    told = {
        operation: [name for name, _ in _rendered(_HELLO, operation).headers]
        for operation in ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
    }
    assert told == {
        "Converse": ["content-type"],
        "ConverseStream": ["content-type"],
        "InvokeModel": [
            "content-type",
            "x-amzn-bedrock-invocation-latency",
            "x-amzn-bedrock-output-token-count",
            "x-amzn-bedrock-input-token-count",
        ],
        "InvokeModelWithResponseStream": ["content-type", "x-amzn-bedrock-content-type"],
    }


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"])
@pytest.mark.parametrize("model", [_CLAUDE, _NOVA, "meta.llama3-8b-instruct-v1:0", "anthropic.claude-v2"])
def test_the_tokens_given_are_the_tokens_told(operation: str, model: str) -> None:
    assert read_usage(operation, model, _rendered(_HELLO, operation, model)) == Usage(7, 9)


def test_cached_tokens_are_counted_everywhere() -> None:
    message = Message((Text("a"),), usage=Usage(1, 2, 3, 4))
    headers = dict(_rendered(message, "InvokeModel").headers)
    assert headers["x-amzn-bedrock-cache-read-input-token-count"] == "3"
    assert headers["x-amzn-bedrock-cache-write-input-token-count"] == "4"
    metrics = _chunks(_rendered(message, "InvokeModelWithResponseStream"))[-1]["amazon-bedrock-invocationMetrics"]
    assert (metrics["cacheReadInputTokenCount"], metrics["cacheWriteInputTokenCount"]) == (3, 4)


def test_only_the_last_chunk_has_metrics() -> None:
    chunks = _chunks(_rendered(_HELLO, "InvokeModelWithResponseStream"))
    assert ["amazon-bedrock-invocationMetrics" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert list(metrics) == ["inputTokenCount", "outputTokenCount", "invocationLatency", "firstByteLatency"]
    assert 0 < metrics["firstByteLatency"] <= metrics["invocationLatency"]


def test_jambas_metrics_come_alone() -> None:
    *_, said, last = _chunks(_rendered(_HELLO, "InvokeModelWithResponseStream", "ai21.jamba-1-5-mini-v1:0"))
    assert list(last) == ["amazon-bedrock-invocationMetrics"]
    assert "amazon-bedrock-invocationMetrics" not in said


def test_equal_chance_gives_equal_bytes() -> None:
    for operation in ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"):
        assert _rendered(_HELLO, operation) == _rendered(_HELLO, operation)


def test_a_body_that_is_no_json_is_answered_all_the_same() -> None:
    for body in (b"", b"\xff", b"[1]", b"{"):
        assert content_of("InvokeModel", _CLAUDE, _rendered(_HELLO, "InvokeModel", body=body)) == _HELLO


# -- guardrails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [_CLAUDE, _NOVA, "meta.llama3-8b-instruct-v1:0", "openai.gpt-oss-20b-1:0"])
def test_what_a_guardrail_stopped_is_marked_and_costs_nothing(model: str) -> None:
    whole = _rendered(_BLOCKED, "InvokeModel", model)
    assert _json(whole)["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert [name for name, _ in whole.headers] == ["content-type", "x-amzn-bedrock-invocation-latency"]
    stream = _rendered(_BLOCKED, "InvokeModelWithResponseStream", model)
    last = [chunk for chunk in _chunks(stream) if isinstance(chunk, dict)][-1]
    assert last["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in _chunks(stream))
    for operation, response in (("InvokeModel", whole), ("InvokeModelWithResponseStream", stream)):
        found = content_of(operation, model, response)
        assert isinstance(found, Message)
        assert (found.text, found.stop) == ("Not this.", "guardrail_intervened")


def test_a_guardrail_that_stepped_in_later_has_tokens() -> None:
    message = Message((Text("Not this."),), "guardrail_intervened", usage=Usage(5, 6))
    assert read_usage("InvokeModel", _CLAUDE, _rendered(message, "InvokeModel")) == Usage(5, 6)
    last = _chunks(_rendered(message, "InvokeModelWithResponseStream"))[-1]
    assert {"amazon-bedrock-guardrailAction", "amazon-bedrock-invocationMetrics"} <= set(last)


def _assessed(content: Content) -> Any:
    asked = {"source": "INPUT", "content": [{"text": {"text": "x" * 1500}}]}
    made = _rendered(content, "ApplyGuardrail", None, asked)
    shape_of = get_session().get_service_model("bedrock-runtime").operation_model("ApplyGuardrail").output_shape
    assert shape_of is not None
    raw = {"status_code": 200, "headers": dict(made.headers), "body": made.body.data}  # type: ignore[union-attr]
    return create_parser("rest-json").parse(raw, shape_of)


def test_apply_guardrail_steps_in_or_lets_pass() -> None:
    stopped, passed = _assessed(_BLOCKED), _assessed(_HELLO)
    assert (stopped["action"], stopped["outputs"]) == ("GUARDRAIL_INTERVENED", [{"text": "Not this."}])
    assert stopped["assessments"][0]["topicPolicy"]["topics"][0]["action"] == "BLOCKED"
    assert stopped["usage"]["topicPolicyUnits"] == 2
    assert stopped["guardrailCoverage"]["textCharacters"] == {"guarded": 1500, "total": 1500}
    assert (passed["action"], passed["outputs"]) == ("NONE", [])
    assert "topicPolicy" not in passed["assessments"][0]


@needs_corpus
@pytest.mark.corpus
def test_apply_guardrail_has_the_members_of_the_real_one_in_order() -> None:
    (row,) = [row for row in every() if row.operation == "ApplyGuardrail"]
    real = json.loads(row.response_body)
    made = _json(_rendered(Message((Text("No."),), "guardrail_intervened"), "ApplyGuardrail", None, row.request_body))
    assert list(made) == list(real)
    assert shape({**made, "assessments": []}) == shape({**real, "assessments": []})
    # Which policies there are is the guardrail's affair, and whose it is.
    (wanted,), (found,) = real["assessments"], made["assessments"]
    assert list(found) == [key for key in wanted if key != "appliedGuardrailDetails"]
    assert shape(found["invocationMetrics"]) == shape(wanted["invocationMetrics"])
    assert shape(found["topicPolicy"]) == shape(wanted["topicPolicy"])


# -- counting tokens ---------------------------------------------------------------------------------------------

_QUESTION = {"messages": [{"role": "user", "content": [{"text": "a" * 40}]}]}
_NATIVE = {"messages": [{"role": "user", "content": "a" * 40}], "max_tokens": 1}


@pytest.mark.parametrize(
    "asked",
    [{"converse": _QUESTION}, {"invokeModel": {"body": b64encode(bodies.compact(_NATIVE)).decode()}}],
    ids=["converse", "invokeModel"],
)
def test_tokens_are_counted(asked: dict[str, Any]) -> None:
    assert _json(_rendered(Message(()), "CountTokens", body={"input": asked})) == {"inputTokens": 10}
    assert _json(_rendered(_HELLO, "CountTokens", body={"input": asked})) == {"inputTokens": 7}


def test_of_nothing_there_is_one_token() -> None:
    assert _json(_rendered(Message(()), "CountTokens", body={})) == {"inputTokens": 1}


# -- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "operation", "model", "message"),
    [
        (_HELLO, "Retrieve", None, "cannot render answers of Retrieve; .*`raw`"),
        (
            _HELLO,
            "InvokeModel",
            "someone.new-v1",
            "'someone.new-v1' matches no known family; .*`family` .*anthropic.*`raw`",
        ),
        (
            _HELLO,
            "InvokeModel",
            "amazon.titan-embed-text-v2:0",
            "titan_embed family answer with Embeddings, found Message",
        ),
        (Embeddings(), "Converse", _CLAUDE, "converse family answer with Message, found Embeddings"),
        (Ranking(), "ApplyGuardrail", None, "ApplyGuardrail answers with a Message, found Ranking"),
        (
            Embeddings(),
            "InvokeModelWithResponseStream",
            "amazon.titan-embed-text-v2:0",
            "do not stream; .*WithResponse",
        ),
        (Images(), "InvokeModelWithResponseStream", "amazon.titan-image-generator-v2:0", "do not stream"),
    ],
)
def test_what_cannot_be_rendered_says_why(content: Content, operation: str, model: str | None, message: str) -> None:
    with pytest.raises(RenderError, match=message):
        _rendered(content, operation, model)


def test_a_family_can_be_named() -> None:
    made = _rendered(_HELLO, "InvokeModel", "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc", family="llama")
    assert _json(made)["generation"] == "Hello there."
    with pytest.raises(RenderError, match=r"expected a family among .*llama.*, found 'lama'"):
        _rendered(_HELLO, "InvokeModel", _CLAUDE, family="lama")


def test_which_operations_are_rendered() -> None:
    assert can_render("Converse")
    assert can_render("CountTokens")
    assert not can_render("Retrieve")
    assert not can_render(None)
