"""Unwelcome answers: each said in every form that a recording has, and read by botocore's
models where they know it.
"""

from typing import Any, get_args

import pytest

from bedtape_cassettes.families.content import Content, Message, Reasoning, Text, ToolUse, Usage
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.candidates import LayerError
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.semantic import _BLOCKED, Meaning, Misanswer
from support import sdk
from support.faulty import make_context
from support.recordings import path
from support.sdk import RecordedCall

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TEXT = "One two three. STOP Four five six."
SAID = Message((Reasoning("Hm.", "c2ln"), Text(TEXT)), usage=Usage(7, 100))
CALLED = Message(
    (Text("I look."), ToolUse("weather", {"city": "Paris"}, "tooluse_1")),
    "tool_use",
    usage=Usage(7, 100),
)
OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream"}
BODY = {
    "messages": [{"role": "user", "content": [{"text": "q"}]}],
    "inferenceConfig": {"stopSequences": ["STOP"]},
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]
    },
}


def asked(
    operation: str = "converse", model: str = CLAUDE, body: dict[str, Any] | None = None
) -> Call:
    return Call(
        "default",
        "POST",
        path(operation, model),
        Head.of(()),
        compact(BODY if body is None else body),
    )


def response_to(call: Call, content: Content) -> Response:
    assert call.operation is not None
    return render(
        content,
        operation=call.operation,
        model=call.model,
        body=call.body,
        chance=make_context(1).chance,
    )


def harmed(kind: Misanswer, content: Content, call: Call) -> Response:
    return kind.on_response(response_to(call, content), call, make_context())


def read(call: Call, response: Response) -> tuple[str, str, dict[str, Any]]:
    """Text, stop reason and usage as botocore's parser gives them."""
    body = response.body
    data = body.data if not hasattr(body, "events") else b"".join(sdk._pieces(body))
    row = RecordedCall(
        "", call.operation or "", call.path, (), call.body, 200, response.headers, data
    )
    outcome = sdk.parse_recorded(row)
    if call.operation == "Converse":
        content = outcome.output["output"]["message"]["content"]
        text = "".join(block.get("text", "") for block in content)
        return text, outcome.output["stopReason"], outcome.output["usage"]
    events = [
        next(iter(event["stream"].items() if "stream" in event else event.items()))
        for event in outcome.events
    ]
    text = "".join(
        value["delta"].get("text", "") for name, value in events if name == "contentBlockDelta"
    )
    named = dict(events)
    return text, named["messageStop"]["stopReason"], named["metadata"]["usage"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("kind", "text", "stop"),
    [
        (Misanswer("max_tokens"), TEXT[:17], "max_tokens"),
        (Misanswer("model_context_window_exceeded"), TEXT[:17], "model_context_window_exceeded"),
        (Misanswer("stop_sequence"), "One two three. ", "stop_sequence"),
        (Misanswer("stop_sequence", "three"), "One two ", "stop_sequence"),
        (Misanswer("stop_sequence", "nowhere"), TEXT[:17], "stop_sequence"),
        (
            Misanswer("content_filtered"),
            "The generated text has been blocked by our content filters.",
            "content_filtered",
        ),
        (Misanswer("content_filtered", ""), "", "content_filtered"),
        (Misanswer("guardrail_intervened", "No."), "No.", "guardrail_intervened"),
        (Misanswer("empty"), "", "end_turn"),
    ],
)
def test_what_converse_says(operation: str, kind: Misanswer, text: str, stop: str) -> None:
    call = asked(operation)
    said, stopped, usage = read(call, harmed(kind, SAID, call))
    assert (said, stopped) == (text, stop)
    spent = (usage["inputTokens"], usage["outputTokens"])
    match stop:
        case "guardrail_intervened":
            assert spent == (0, 0)
        case "content_filtered":
            assert spent == (7, 100)
        case _:
            assert (spent[0], 0 < spent[1] < 20) == (7, True)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tools_are_called_with_half_of_their_arguments(operation: str) -> None:
    call = asked(operation)
    response = harmed(Misanswer("malformed_tool_use"), CALLED, call)
    content = content_of(call.operation, call.model, response)
    assert isinstance(content, Message)
    [tool] = [block for block in content.blocks if isinstance(block, ToolUse)]
    assert (tool.name, tool.id, content.stop) == ("weather", "tooluse_1", "malformed_tool_use")
    assert tool.input == '{"city":'


def test_a_tool_is_not_called_after_what_was_cut() -> None:
    call = asked()
    content = content_of("Converse", CLAUDE, harmed(Misanswer("max_tokens"), CALLED, call))
    assert isinstance(content, Message)
    assert content.blocks == (Text("I l"),)


def test_an_answer_that_calls_no_tool_cannot_call_it_wrongly() -> None:
    with pytest.raises(LayerError, match="calls no tool"):
        harmed(Misanswer("malformed_tool_use"), SAID, asked())


def test_a_form_that_is_not_known_is_refused() -> None:
    call = asked("invoke", "someone.new-v1", {"anything": 1})
    answered = Response(200, (), response_to(asked(), SAID).body)
    with pytest.raises(
        LayerError, match=r"empty cannot happen to what answers InvokeModel of someone\.new-v1"
    ):
        Misanswer("empty").on_response(answered, call, make_context())


def test_errors_stay_as_they_are() -> None:
    response = Failure("ThrottlingException").build_response()
    assert Misanswer("empty").on_response(response, asked(), make_context()) is response


def test_it_takes_as_long_as_before() -> None:
    call = asked()
    response = Response(200, (), response_to(call, SAID).body, after_ms=777)
    assert Misanswer("empty").on_response(response, call, make_context()).after_ms == 777


def test_it_concerns_models_alone() -> None:
    assert not Misanswer("empty").applies_to(asked("count-tokens"))
    assert all(
        Misanswer("empty").applies_to(asked(operation)) for operation in ("invoke", *OPERATIONS)
    )
    assert "found CountTokens" in (Misanswer("empty").find_problem(("CountTokens",)) or "")
    assert Misanswer("empty").find_problem(("CountTokens", "InvokeModel")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "length"},
        {"what": "max_tokens", "text": "a"},
        {"what": "stop_sequence", "text": ""},
        {"what": "empty", "text": "a"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Misanswer(**wrong)


# One model a family that answers with messages; what each says natively comes back
# through its own reader.
MODELS = {
    CLAUDE: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "q"}],
    },
    "us.amazon.nova-lite-v1:0": {"messages": [{"role": "user", "content": [{"text": "q"}]}]},
    "us.meta.llama3-1-8b-instruct-v1:0": {"prompt": "q"},
    "mistral.mistral-7b-instruct-v0:2": {"prompt": "q"},
    "amazon.titan-text-express-v1": {"inputText": "q"},
}

WITHOUT_FILTER = ("us.meta.llama3-1-8b-instruct-v1:0", "mistral.mistral-7b-instruct-v0:2")

NO_WORD_OF_ITS_OWN = {
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "end_turn",
    "empty": "end_turn",
}


@pytest.mark.parametrize("operation", ["invoke", "invoke-with-response-stream"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("what", get_args(Meaning))
def test_every_family_says_it_in_its_own_words(what: Meaning, model: str, operation: str) -> None:
    call, content = asked(operation, model, MODELS[model]), Message((Text(TEXT),))
    if what == "malformed_tool_use" or (what == "content_filtered" and model in WITHOUT_FILTER):
        with pytest.raises(LayerError, match=what):
            harmed(Misanswer(what), content, call)
        return
    answer = content_of(call.operation, model, harmed(Misanswer(what), content, call))
    assert isinstance(answer, Message)
    assert answer.text in (TEXT[:17], "", _BLOCKED.get(what))
    assert answer.stop in (what, NO_WORD_OF_ITS_OWN.get(what))


@pytest.mark.parametrize("operation", ["invoke", "invoke-with-response-stream"])
@pytest.mark.parametrize("model", MODELS)
def test_every_family_is_cut_short(model: str, operation: str) -> None:
    call = asked(operation, model, MODELS[model])
    content = content_of(
        call.operation, model, harmed(Misanswer("max_tokens"), Message((Text(TEXT),)), call)
    )
    assert isinstance(content, Message)
    assert (content.text, content.stop) == (TEXT[:17], "max_tokens")
