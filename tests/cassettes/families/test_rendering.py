"""Content as responses: headers, counts, what Bedrock adds to every family's
JSON, and what is refused.
"""

import json
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session

from bedtape_cassettes.families.content import (
    Content,
    Embeddings,
    Images,
    Json,
    Message,
    Ranking,
    Text,
    Usage,
)
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import can_render, render
from bedtape_cassettes.families.service_apis import SERVICE_APIS, read_service_content
from bedtape_cassettes.families.shared.synthesis import IdSlots
from bedtape_cassettes.families.table import FAMILIES, members_of
from bedtape_cassettes.families.text_slots import slots
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Events, JsonValue, Response
from support.corpus import every, needs_corpus
from support.shapes import shape

_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
_NOVA = "us.amazon.nova-lite-v1:0"
_HELLO = Message((Text("Hello there."),), usage=Usage(7, 9))
_BLOCKED = Message((Text("Not this."),), "guardrail_intervened")


def _rendered(
    content: Content, operation: str, model: str | None = _CLAUDE, body: Any = None, **more: Any
) -> Response:
    asked = body if isinstance(body, bytes) else bodies.compact(body or {})
    return render(content, operation=operation, model=model, body=asked, chance=Random(5), **more)


def _json(response: Response) -> Any:
    assert isinstance(response.body, Body)
    return json.loads(response.body.data)


def _chunks(response: Response) -> list[Any]:
    assert isinstance(response.body, Events)
    return [bodies.read_value(event.form, event.payload) for event in response.body.events]


# -- headers and metrics ---------------------------------------------------------------------------


def test_headers_of_the_four_operations() -> None:
    told = {
        operation: [name for name, _ in _rendered(_HELLO, operation).headers]
        for operation in (
            "Converse",
            "ConverseStream",
            "InvokeModel",
            "InvokeModelWithResponseStream",
        )
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


@pytest.mark.parametrize(
    "operation", ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"]
)
@pytest.mark.parametrize(
    "model", [_CLAUDE, _NOVA, "meta.llama3-8b-instruct-v1:0", "anthropic.claude-v2"]
)
def test_the_tokens_given_are_the_tokens_told(operation: str, model: str) -> None:
    assert read_usage(operation, model, _rendered(_HELLO, operation, model)) == Usage(7, 9)


_PIECES = ("Hel", "l", "o, wor", "ld.")


@pytest.mark.parametrize(
    ("operation", "model", "family"),
    [
        *(
            (name, _CLAUDE, None)
            for name in ("ConverseStream", "ChatCompletions", "Responses", "Messages")
        ),
        *(
            ("InvokeModelWithResponseStream", "acme.brain-v1", each.name)
            for each in FAMILIES
            if each.stream is not None and Message in each.answers and each.name != "converse"
        ),
    ],
)
def test_chosen_pieces_are_the_deltas_of_every_stream(
    operation: str, model: str, family: str | None
) -> None:
    """And the text of an answer that is not streamed."""
    message = Message((Text("".join(_PIECES)),), pieces=_PIECES)
    body = {
        "stream": True,
        "model": _CLAUDE,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "a"}],
    }
    response = render(
        message,
        operation=operation,
        model=model,
        body=bodies.compact(body),
        chance=IdSlots(b"1"),
        family=family,
    )
    assert isinstance(response.body, Events)
    texts = [
        slot.text
        for slot in slots(read_values(response.body), members_of(operation, model, family))
    ]
    assert [text for text in texts if text] == list(_PIECES)


def test_cached_tokens_are_counted_everywhere() -> None:
    message = Message((Text("a"),), usage=Usage(1, 2, 3, 4))
    headers = dict(_rendered(message, "InvokeModel").headers)
    assert headers["x-amzn-bedrock-cache-read-input-token-count"] == "3"
    assert headers["x-amzn-bedrock-cache-write-input-token-count"] == "4"
    metrics = _chunks(_rendered(message, "InvokeModelWithResponseStream"))[-1][
        "amazon-bedrock-invocationMetrics"
    ]
    assert (metrics["cacheReadInputTokenCount"], metrics["cacheWriteInputTokenCount"]) == (3, 4)


def test_only_the_last_chunk_has_metrics() -> None:
    chunks = _chunks(_rendered(_HELLO, "InvokeModelWithResponseStream"))
    assert ["amazon-bedrock-invocationMetrics" in chunk for chunk in chunks] == [False] * (
        len(chunks) - 1
    ) + [True]
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert list(metrics) == [
        "inputTokenCount",
        "outputTokenCount",
        "invocationLatency",
        "firstByteLatency",
    ]
    assert 0 < metrics["firstByteLatency"] <= metrics["invocationLatency"]


def test_jambas_metrics_come_alone() -> None:
    *_, said, last = _chunks(
        _rendered(_HELLO, "InvokeModelWithResponseStream", "ai21.jamba-1-5-mini-v1:0")
    )
    assert list(last) == ["amazon-bedrock-invocationMetrics"]
    assert "amazon-bedrock-invocationMetrics" not in said


def test_equal_chance_gives_equal_bytes() -> None:
    for operation in ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"):
        assert _rendered(_HELLO, operation) == _rendered(_HELLO, operation)


def test_a_body_that_is_no_json_is_answered_all_the_same() -> None:
    for body in (b"", b"\xff", b"[1]", b"{"):
        assert (
            content_of("InvokeModel", _CLAUDE, _rendered(_HELLO, "InvokeModel", body=body))
            == _HELLO
        )


# -- guardrails ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [_CLAUDE, _NOVA, "meta.llama3-8b-instruct-v1:0", "openai.gpt-oss-20b-1:0"]
)
def test_what_a_guardrail_stopped_is_marked_and_costs_nothing(model: str) -> None:
    whole = _rendered(_BLOCKED, "InvokeModel", model)
    assert _json(whole)["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert [name for name, _ in whole.headers] == [
        "content-type",
        "x-amzn-bedrock-invocation-latency",
    ]
    stream = _rendered(_BLOCKED, "InvokeModelWithResponseStream", model)
    last = [chunk for chunk in _chunks(stream) if isinstance(chunk, dict)][-1]
    assert last["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in _chunks(stream))
    for operation, response in (("InvokeModel", whole), ("InvokeModelWithResponseStream", stream)):
        content = content_of(operation, model, response)
        assert isinstance(content, Message)
        assert (content.text, content.stop) == ("Not this.", "guardrail_intervened")


def test_a_guardrail_that_stepped_in_later_has_tokens() -> None:
    message = Message((Text("Not this."),), "guardrail_intervened", usage=Usage(5, 6))
    assert read_usage("InvokeModel", _CLAUDE, _rendered(message, "InvokeModel")) == Usage(5, 6)
    last = _chunks(_rendered(message, "InvokeModelWithResponseStream"))[-1]
    assert {"amazon-bedrock-guardrailAction", "amazon-bedrock-invocationMetrics"} <= set(last)


def _assessed(content: Content) -> Any:
    asked = {"source": "INPUT", "content": [{"text": {"text": "x" * 1500}}]}
    made = _rendered(content, "ApplyGuardrail", None, asked)
    shape_of = (
        get_session()
        .get_service_model("bedrock-runtime")
        .operation_model("ApplyGuardrail")
        .output_shape
    )
    assert shape_of is not None
    raw = {"status_code": 200, "headers": dict(made.headers), "body": made.body.data}  # type: ignore[union-attr]
    return create_parser("rest-json").parse(raw, shape_of)


def test_apply_guardrail_steps_in_or_lets_pass() -> None:
    stopped, passed = _assessed(_BLOCKED), _assessed(_HELLO)
    assert (stopped["action"], stopped["outputs"]) == (
        "GUARDRAIL_INTERVENED",
        [{"text": "Not this."}],
    )
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
    made = _json(
        _rendered(
            Message((Text("No."),), "guardrail_intervened"),
            "ApplyGuardrail",
            None,
            row.request_body,
        )
    )
    assert list(made) == list(real)
    assert shape({**made, "assessments": []}) == shape({**real, "assessments": []})
    # Which policies there are is the guardrail's affair, and whose it is.
    (wanted,), (assessment,) = real["assessments"], made["assessments"]
    assert list(assessment) == [key for key in wanted if key != "appliedGuardrailDetails"]
    assert shape(assessment["invocationMetrics"]) == shape(wanted["invocationMetrics"])
    assert shape(assessment["topicPolicy"]) == shape(wanted["topicPolicy"])


def _find_traces(value: Any) -> list[Any]:
    """The traces in an answer of 2026 or its events: Converse's and InvokeModel's."""
    if isinstance(value, list):
        return [inner for member in value for inner in _find_traces(member)]
    if not isinstance(value, dict):
        return []
    trace = value.get("trace") or value.get("amazon-bedrock-trace")
    return (
        [trace["guardrail"]]
        if trace
        else [inner for member in value.values() for inner in _find_traces(member)]
    )


@needs_corpus
@pytest.mark.corpus
def test_a_trace_has_the_members_of_the_real_ones_in_order() -> None:
    seen = 0
    for row in every():
        if b"appliedGuardrailDetails" not in row.response_body or row.operation == "ApplyGuardrail":
            continue
        recorded = row.interaction()
        headers = dict(recorded.request.headers)
        headers.setdefault("x-amzn-bedrock-guardrailidentifier", "guardrail1234")
        headers.setdefault("x-amzn-bedrock-guardrailversion", "DRAFT")
        headers.setdefault("x-amzn-bedrock-trace", "ENABLED")
        (real,) = _find_traces(_values(recorded.response))
        made = _rendered(_BLOCKED, row.operation, row.model, row.request_body, header=headers.get)
        (trace,) = _find_traces(_values(made))
        seen += 1
        assert list(trace) == list(real)
        assessed = "inputAssessment" if "inputAssessment" in real else "input"
        ((name, wanted),) = real[assessed].items()
        assert shape(trace[assessed][name]["invocationMetrics"]) == shape(
            {
                **wanted["invocationMetrics"],
                "usage": trace[assessed][name]["invocationMetrics"]["usage"],
            }
        )
        details = wanted["appliedGuardrailDetails"]
        assert shape(trace[assessed][name]["appliedGuardrailDetails"]) == shape(details)
    assert seen >= 3


def _values(response: Response) -> Any:
    return _json(response) if isinstance(response.body, Body) else _chunks(response)


# -- counting tokens -------------------------------------------------------------------------------

_QUESTION = {"messages": [{"role": "user", "content": [{"text": "a" * 40}]}]}
_NATIVE = {"messages": [{"role": "user", "content": "a" * 40}], "max_tokens": 1}


@pytest.mark.parametrize(
    "asked",
    [
        {"converse": _QUESTION},
        {"invokeModel": {"body": b64encode(bodies.compact(_NATIVE)).decode()}},
    ],
    ids=["converse", "invokeModel"],
)
def test_tokens_are_counted(asked: dict[str, Any]) -> None:
    assert _json(_rendered(Message(()), "CountTokens", body={"input": asked})) == {
        "inputTokens": 10
    }
    assert _json(_rendered(_HELLO, "CountTokens", body={"input": asked})) == {"inputTokens": 7}


def test_of_nothing_there_is_one_token() -> None:
    assert _json(_rendered(Message(()), "CountTokens", body={})) == {"inputTokens": 1}


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "operation", "model", "message"),
    [
        (_HELLO, "ListGuardrails", None, "cannot render answers of ListGuardrails; .*`raw`"),
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
        (
            Embeddings(),
            "Converse",
            _CLAUDE,
            "converse family answer with Message, found Embeddings",
        ),
        (Ranking(), "ApplyGuardrail", None, "ApplyGuardrail answers with a Message, found Ranking"),
        (
            Embeddings(),
            "InvokeModelWithResponseStream",
            "amazon.titan-embed-text-v2:0",
            "do not stream; .*WithResponse",
        ),
        (
            Images(),
            "InvokeModelWithResponseStream",
            "amazon.titan-image-generator-v2:0",
            "do not stream",
        ),
    ],
)
def test_what_cannot_be_rendered_says_why(
    content: Content, operation: str, model: str | None, message: str
) -> None:
    with pytest.raises(RenderError, match=message):
        _rendered(content, operation, model)


def test_a_family_can_be_named() -> None:
    made = _rendered(
        _HELLO,
        "InvokeModel",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc",
        family="llama",
    )
    assert _json(made)["generation"] == "Hello there."
    with pytest.raises(RenderError, match=r"expected a family among .*llama.*, found 'lama'"):
        _rendered(_HELLO, "InvokeModel", _CLAUDE, family="lama")


def test_which_operations_are_rendered() -> None:
    assert can_render("Converse")
    assert can_render("CountTokens")
    assert can_render("Retrieve")
    assert not can_render("ListGuardrails")
    assert not can_render(None)


@pytest.mark.parametrize(
    "operation", [name for name, api in SERVICE_APIS.items() if "json" in api.words]
)
def test_the_text_of_an_answer_with_json_is_its_spelling(operation: str) -> None:
    content = Message((Json({"label": "späm"}),))
    response = render(content, operation=operation, model=None, body=b"{}", chance=Random(1))
    answer = read_service_content(operation, response)
    assert isinstance(answer, Message)
    assert answer.text == '{"label":"späm"}'


@pytest.mark.parametrize(
    "operation", [name for name, api in SERVICE_APIS.items() if {"text", "tool"} & {*api.words}]
)
def test_a_service_sends_traces_or_refuses_them(operation: str) -> None:
    trace: dict[str, JsonValue] = {"orchestrationTrace": {"rationale": {"text": "Look outside."}}}
    content = Message((Text("Sunny."),), trace=(trace,))

    def send() -> Response:
        return render(
            content, operation=operation, model=None, body=b'{"enableTrace":true}', chance=Random(1)
        )

    if "trace" in SERVICE_APIS[operation].words:
        body = send().body
        assert isinstance(body, Events)
        assert b"Look outside." in body.events[0].payload
        return
    with pytest.raises(RenderError, match=f"{operation} sends no traces; remove trace"):
        send()
