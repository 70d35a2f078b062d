"""Guardrails on the wire: prompts and answers that are blocked or masked, in all APIs."""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anthropic
import boto3
import openai
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Cassette, Interaction, Request
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.history.record import Record
from bedtape_replayer.overlay.document import OverlayInvalid
from bedtape_replayer.overlay.simulation.context import Chance, Context
from bedtape_replayer.overlay.simulation.features import parse_features
from bedtape_replayer.overlay.simulation.guardrails.keywords import GuardrailDict
from support import WAIT, folders
from support.five_apis import CLAUDE, FORMS, NOVA, Asked, ask, name_form
from support.recordings import path

POLICY: GuardrailDict = {
    "wordPolicyConfig": {"wordsConfig": [{"text": "secret"}]},
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]
    },
    "blockedInputMessaging": "No question.",
    "blockedOutputsMessaging": "No answer.",
}
NAMED = {"guardrailIdentifier": "abc123", "guardrailVersion": "1"}
HEADERS = {
    "X-Amzn-Bedrock-GuardrailIdentifier": "abc123",
    "X-Amzn-Bedrock-GuardrailVersion": "1",
    "X-Amzn-Bedrock-Trace": "ENABLED",
}
STOPS = {"Converse": "guardrail_intervened", "Chat Completions": "stop", "Responses": "completed"}


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    server.simulate(guardrails={"abc123": POLICY})
    return server


def _runtime(bedrock: Replayer) -> Any:
    return boto3.client("bedrock-runtime", **_arguments(bedrock))


def _name_guardrail(api: str, stream: bool) -> dict[str, Any]:
    """What a request of an API contains to name the guardrail."""
    if api == "Converse":
        return {"guardrailConfig": {**NAMED, "trace": "enabled"}}
    if api == "InvokeModel":
        return {**NAMED, "trace": "ENABLED"}
    return {"extra_headers": HEADERS}


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_prompt_is_blocked_before_a_rule_answers(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(text="Hello.", name="only")
    more = _name_guardrail(api, stream)
    told = ask(api, bedrock.url, Asked(("my secret",), more=more), stream=stream)
    assert (told.text, told.stop) == ("No question.", STOPS.get(api, "end_turn"))
    assert (told.input, told.output) == (0, 0)
    (call,) = bedrock.calls
    assert (call.source, call.by, call.status) == ("simulation", None, 200)
    assert (call.text, call.stop_reason) == ("No question.", "guardrail_intervened")
    assert call.simulated == ("guardrails: prompt blocked by the word 'secret'",)


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_function_is_not_called_for_a_prompt_that_is_blocked(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    prompts: list[str] = []

    def answer(call: Call) -> str:
        prompts.append(call.prompt.last)
        return "Hello."

    bedrock.respond(answer, name="only")
    more = _name_guardrail(api, stream)
    texts = [
        ask(api, bedrock.url, Asked((prompt,), more=more), stream=stream).text
        for prompt in ("my secret", "hello")
    ]
    assert (texts, prompts) == (["No question.", "Hello."], ["hello"])
    assert [call.by for call in bedrock.calls] == [None, "only"]


def test_an_answer_that_cannot_be_made_is_not_made_for_a_blocked_prompt(bedrock: Replayer) -> None:
    bedrock.respond(tool={"name": "find"}, prompt_contains="tool")
    bedrock.respond(text="Answer {{ tool_result get_order }}.")
    named = _name_guardrail("Converse", stream=False)
    for prompt in ("secret tool", "secret"):
        told = ask("Converse", bedrock.url, Asked((prompt,), more=named), stream=False)
        assert told.text == "No question."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("rules", [0, 1])
def test_a_blocked_prompt_of_responses_is_kept(bedrock: Replayer, stream: bool, rules: int) -> None:
    for _ in range(rules):
        bedrock.respond(text="Hello.")
    client = openai.OpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="x", max_retries=0)
    create = partial(client.responses.create, model="openai.gpt-oss-20b")
    if stream:
        *_, last = create(input="my secret", stream=True, extra_headers=HEADERS)
        made = last.response
    else:
        made = create(input="my secret", extra_headers=HEADERS)
    assert client.responses.retrieve(made.id).output_text == "No question."
    assert [each.source for each in bedrock.calls] == ["simulation"] * 2
    assert (bedrock.calls[1].text, bedrock.calls[1].by) == ("No question.", None)
    again = create(input="And now?", previous_response_id=made.id, extra_headers=HEADERS)
    assert again.output_text == "No question."  # the conversation still contains the word
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_max_tokens_cuts_before_a_guardrail_evaluates_the_answer(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    """docs.aws.amazon.com, "How Amazon Bedrock Guardrails works": what the model has answered is
    evaluated. So a mask is complete, and what the model did not write is not evaluated.
    """
    bedrock.simulate(limits=True, guardrails={"abc123": POLICY})
    bedrock.respond(text="To bob@example.com, and then on to the secret.")
    more = _name_guardrail(api, stream)
    texts = [
        ask(api, bedrock.url, Asked(max_tokens=most, more=more), stream=stream).text
        for most in (3, 6, 40)
    ]
    assert texts == ["To bob@examp", "To {EMAIL}, and ", "No answer."]
    if stream:
        response = bedrock.calls[1].outcome.answer.response
        assert response is not None
        assert any("{EMAIL}" in str(value) for value in read_values(response.body))
    assert bedrock.calls[1].simulated == (
        "limits: max_tokens cut 12 tokens to 6",
        "guardrails: answer masked EMAIL",
    )


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_an_answer_is_blocked_or_masked(bedrock: Replayer, api: str, stream: bool) -> None:
    bedrock.respond(answers=["The secret is 7.", "Write to bob@example.com, please."])
    more = _name_guardrail(api, stream)
    texts = [ask(api, bedrock.url, Asked(more=more), stream=stream) for _ in range(2)]
    assert [told.text for told in texts] == ["No answer.", "Write to {EMAIL}, please."]
    assert {told.stop for told in texts} == {STOPS.get(api, "end_turn")}
    assert all(told.output for told in texts)  # the model has answered
    assert [call.simulated for call in bedrock.calls] == [
        ("guardrails: answer blocked by the word 'secret'",),
        ("guardrails: answer masked EMAIL",),
    ]
    assert {call.source for call in bedrock.calls} == {"rule"}


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_an_answer_without_a_guardrail_is_not_changed(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(text="The secret of bob@example.com.")
    bedrock.simulate(guardrails=False)
    plain = ask(api, bedrock.url, Asked(("my secret",)), stream=stream)
    bedrock.simulate(guardrails={"abc123": POLICY})
    assert ask(api, bedrock.url, Asked(("my secret",)), stream=stream) == plain
    before, after = bedrock.calls
    assert before.outcome.answer.reply.body == after.outcome.answer.reply.body
    assert after.simulated == ()


# docs.aws.amazon.com, InvokeModel: "An error will be thrown in the following situations".
MISTAKES: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"guardrailIdentifier": "abc123"}, {}, "guardrailVersion must be specified"),
    ({}, {"amazon-bedrock-guardrailConfig": {"tagSuffix": "a"}}, "must have a guardrailIdentifier"),
    ({**NAMED, "contentType": "text/plain"}, {}, "contentType must be application/json"),
]


@pytest.mark.parametrize(("named", "members", "message"), MISTAKES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_guardrail_that_is_half_named_is_an_error(
    bedrock: Replayer, named: dict[str, str], members: dict[str, Any], message: str, stream: bool
) -> None:
    bedrock.respond(text="Hello.")
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hello"}],
        **members,
    }
    client = _runtime(bedrock)
    invoke = client.invoke_model_with_response_stream if stream else client.invoke_model
    request = {"modelId": CLAUDE, "body": json.dumps(body), **named}
    with pytest.raises(client.exceptions.ValidationException, match=message):
        invoke(**request)
    assert bedrock.calls[-1].source == "simulation"
    bedrock.simulate(guardrails=False)
    with closing(invoke(**request)["body"]):
        assert bedrock.calls[-1].source == "rule"


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_guardrail_without_a_version_is_an_error(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(text="Hello.")
    more: dict[str, Any] = {"extra_headers": {"X-Amzn-Bedrock-GuardrailIdentifier": "abc123"}}
    if api in ("Converse", "InvokeModel"):
        more = {"guardrailIdentifier": "abc123"}
        more = {"guardrailConfig": more} if api == "Converse" else more
    errors = (ClientError, openai.BadRequestError, anthropic.BadRequestError)
    with pytest.raises(errors, match="guardrailVersion must be specified"):
        ask(api, bedrock.url, Asked(more=more), stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("prompt", "answer", "action", "text"),
    [
        ("my secret", "Hello.", "INTERVENED", "No question."),
        ("hello", "To a@b.org.", "INTERVENED", "To {EMAIL}."),
        ("hello", "Hello.", "NONE", "Hello."),
    ],
)
def test_invoke_model_writes_the_action_into_the_body(
    bedrock: Replayer, prompt: str, answer: str, action: str, text: str, stream: bool
) -> None:
    bedrock.respond(text=answer)
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": prompt}],
    }
    request = {"modelId": CLAUDE, "body": json.dumps(body), **NAMED, "trace": "ENABLED"}
    client = _runtime(bedrock)
    if stream:
        events = client.invoke_model_with_response_stream(**request)["body"]
        values = [json.loads(event["chunk"]["bytes"]) for event in events]
        said = "".join(value["delta"].get("text", "") for value in values if "delta" in value)
        last = values[-1]
        assert ("amazon-bedrock-invocationMetrics" in last) == (prompt == "hello")
    else:
        last = json.loads(client.invoke_model(**request)["body"].read())
        said = last["content"][0]["text"]
    assert (said, last["amazon-bedrock-guardrailAction"]) == (text, action)
    trace = last["amazon-bedrock-trace"]["guardrail"]
    assert ("outputs" in trace) == (prompt == "hello")
    assert trace["input"]["abc123"]["invocationMetrics"]["usage"]["wordPolicyUnits"] == 1


def test_openai_and_anthropic_get_the_action_too(bedrock: Replayer) -> None:
    bedrock.respond(text="Hello.")
    chat = openai.OpenAI(base_url=f"{bedrock.url}/openai/v1", api_key="x", max_retries=0)
    completion = chat.chat.completions.create(
        model="openai.gpt-oss-20b",
        messages=[{"role": "user", "content": "my secret"}],
        extra_headers=HEADERS,
    )
    claude = anthropic.Anthropic(base_url=f"{bedrock.url}/anthropic", api_key="x", max_retries=0)
    message = claude.messages.create(
        model="anthropic.claude-sonnet-4-5",
        max_tokens=9,
        messages=[{"role": "user", "content": "my secret"}],
        extra_headers=HEADERS,
    )
    for answer in (completion, message):
        assert answer.model_extra is not None
        assert answer.model_extra["amazon-bedrock-guardrailAction"] == "INTERVENED"
        assert "guardrail" in answer.model_extra["amazon-bedrock-trace"]


TRACES: list[tuple[dict[str, str], set[str] | None]] = [
    ({}, None),
    ({"trace": "disabled"}, None),
    ({"trace": "enabled"}, {"inputAssessment", "outputAssessments", "actionReason"}),
    ({"trace": "enabled_full"}, {"inputAssessment", "outputAssessments", "actionReason"}),
]


@pytest.mark.parametrize(("trace", "members"), TRACES)
def test_a_trace_is_in_answers_that_ask_for_it(
    bedrock: Replayer, trace: dict[str, str], members: set[str] | None
) -> None:
    bedrock.respond(text="Hello.")
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    request = {"modelId": NOVA, "messages": messages, "guardrailConfig": {**NAMED, **trace}}
    whole = _runtime(bedrock).converse(**request).get("trace")
    *_, last = _runtime(bedrock).converse_stream(**request)["stream"]
    streamed = last["metadata"].get("trace")
    for each in (whole, streamed):
        assert (set(each["guardrail"]) if each else None) == members
    if members:
        entities = whole["guardrail"]["inputAssessment"]["abc123"].get("sensitiveInformationPolicy")
        full = {"piiEntities": [_entity("", "NONE", detected=False)], "regexes": []}
        assert entities == (
            {"piiEntities": full["piiEntities"]} if trace["trace"] == "enabled_full" else None
        )


def _entity(match: str, action: str, *, detected: bool) -> dict[str, Any]:
    return {"match": match, "type": "EMAIL", "action": action, "detected": detected}


def test_a_stream_keeps_its_deltas_and_a_mask_is_in_one(bedrock: Replayer) -> None:
    pieces = ["Write to bob@", "example", ".com and ", "a@b.org", "."]
    bedrock.respond(pieces=pieces)
    events = _converse_stream(bedrock)
    assert _list_deltas(events) == ["Write to {EMAIL}", "", " and ", "{EMAIL}", "."]


def test_an_asynchronous_stream_contains_what_was_sent_before_the_block(bedrock: Replayer) -> None:
    """docs.aws.amazon.com, "Configure streaming response behavior": subsequent chunks are blocked,
    and masking is not supported.
    """
    pieces = ["To a@b.org: ", "the sec", "ret is", " 7."]
    bedrock.respond(answers=[{"pieces": pieces}, {"text": "To a@b.org."}])
    events = _converse_stream(bedrock, streamProcessingMode="async")
    assert _list_deltas(events) == [*pieces[:3], "No answer."]
    assert _stop(events) == "guardrail_intervened"
    events = _converse_stream(bedrock, streamProcessingMode="async")
    assert ("".join(_list_deltas(events)), _stop(events)) == ("To a@b.org.", "end_turn")
    assert bedrock.calls[1].simulated == ("guardrails: answer detected EMAIL",)
    events = _converse_stream(bedrock, streamProcessingMode="sync")
    assert "".join(_list_deltas(events)) == "To {EMAIL}."


def _converse_stream(bedrock: Replayer, **config: str) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    answer = _runtime(bedrock).converse_stream(
        modelId=NOVA, messages=messages, guardrailConfig={**NAMED, **config}
    )
    return list(answer["stream"])


def _list_deltas(events: list[dict[str, Any]]) -> list[str]:
    return [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]


def _stop(events: list[dict[str, Any]]) -> str:
    (stop,) = [e["messageStop"]["stopReason"] for e in events if "messageStop" in e]
    return str(stop)


UNKNOWN = [
    ("zzz", "1", "identifier or version provided in the request does not exist"),
    ("abc", "2", "identifier or version provided in the request does not exist"),
]


@pytest.mark.parametrize(("identifier", "version", "message"), UNKNOWN)
def test_an_unknown_guardrail_is_an_error(
    bedrock: Replayer, identifier: str, version: str, message: str
) -> None:
    bedrock.respond(text="Hello.")
    bedrock.simulate(guardrails={"abc:1": POLICY})
    config = boto3.session.Config(parameter_validation=False)
    client: Any = boto3.client("bedrock-runtime", **_arguments(bedrock), config=config)
    named = {"guardrailIdentifier": identifier, "guardrailVersion": version}
    with pytest.raises(ClientError, match=message) as error:
        client.converse(modelId=NOVA, messages=_hello(), guardrailConfig=named)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert bedrock.calls[0].source == "simulation"
    known = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc"
    for each in (known, {**known, "guardrailIdentifier": arn}):
        answer = client.converse(modelId=NOVA, messages=_hello(), guardrailConfig=each)
        assert answer["stopReason"] == "end_turn"


def test_an_identifier_of_another_form_has_its_own_error() -> None:
    """The request check finds it first, unless it is off."""
    config = {**NAMED, "guardrailIdentifier": "Wrong_1"}
    body = compact({"messages": _hello(), "guardrailConfig": config})
    effect = _FEATURES.refuse(Context(Call("default", "POST", path(), Head.of(()), body)))
    assert effect is not None
    assert b"The provided guardrail identifier is invalid." in effect.response.body.data


def _arguments(bedrock: Replayer) -> dict[str, str]:
    keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
    return {"endpoint_url": bedrock.url, "region_name": "us-east-1", **keys}


def _hello() -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": "hello"}]}]


def test_apply_guardrail_evaluates_content(bedrock: Replayer) -> None:
    def apply(source: str, *texts: str) -> dict[str, Any]:
        content = [{"text": {"text": text}} for text in texts]
        answer: dict[str, Any] = _runtime(bedrock).apply_guardrail(
            **NAMED, source=source, content=content
        )
        return answer

    assert apply("INPUT", "a secret")["outputs"] == [{"text": "No question."}]
    blocked = apply("OUTPUT", "a secret", "of a@b.org")
    assert (blocked["action"], blocked["actionReason"], blocked["outputs"]) == (
        "GUARDRAIL_INTERVENED",
        "Guardrail blocked.",
        [{"text": "No answer."}],
    )
    masked = apply("OUTPUT", "fine", "a@b.org")
    assert masked["outputs"] == [{"text": "fine"}, {"text": "{EMAIL}"}]
    assert masked["guardrailCoverage"] == {"textCharacters": {"guarded": 11, "total": 11}}
    passed = apply("INPUT", "fine")
    assert (passed["action"], passed["outputs"]) == ("NONE", [])
    assert {call.source for call in bedrock.calls} == {"simulation"}


def test_a_rule_can_have_its_own_guardrails(bedrock: Replayer) -> None:
    bedrock.simulate(guardrails=False)
    bedrock.respond(text="The secret.", simulate={"guardrails": {"abc123": POLICY}})
    answer = _runtime(bedrock).converse(modelId=NOVA, messages=_hello(), guardrailConfig=NAMED)
    assert answer["output"]["message"]["content"] == [{"text": "No answer."}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_prompt_to_a_model_whose_family_a_rule_names_is_blocked(
    bedrock: Replayer, stream: bool
) -> None:
    bedrock.respond(lambda call: pytest.fail(call.prompt.last), family="llama")
    arn = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
    request = {"modelId": arn, "body": json.dumps({"prompt": "my secret"}), **NAMED}
    client = _runtime(bedrock)
    if stream:
        events = client.invoke_model_with_response_stream(**request)["body"]
        values = [json.loads(event["chunk"]["bytes"]) for event in events]
    else:
        values = [json.loads(client.invoke_model(**request)["body"].read())]
    assert "".join(value["generation"] for value in values) == "No question."
    assert values[-1]["amazon-bedrock-guardrailAction"] == "INTERVENED"


def test_the_control_api_sets_policies(bedrock: Replayer) -> None:
    bedrock.simulate(guardrails=False)
    bedrock.respond(text="The secret.")
    connection = HTTPConnection("127.0.0.1", bedrock.port, timeout=WAIT)
    body = json.dumps({"guardrails": {"abc123": POLICY}})
    connection.request(
        "PUT", "/_bedtape/sessions/default/simulate", body, {"content-type": "application/json"}
    )
    assert connection.getresponse().status == 200
    connection.close()
    answer = _runtime(bedrock).converse(modelId=NOVA, messages=_hello(), guardrailConfig=NAMED)
    assert answer["output"]["message"]["content"] == [{"text": "No answer."}]


WRONG = [
    ({"wordPolicyConfig": {"wordsConfig": [{"txt": "a"}]}}, "text"),
    ({"sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [{"type": "MAIL"}]}}, "EMAIL"),
    ({"topicPolicyConfig": {"topicsConfig": [{"name": "a", "patterns": ["("]}]}}, "expression"),
    ({"blockedMessage": "a"}, "blockedInputMessaging"),
]


@pytest.mark.parametrize(("policy", "message"), WRONG)
def test_a_wrong_policy_is_refused_with_its_place(
    bedrock: Replayer, policy: Any, message: str
) -> None:
    with pytest.raises(OverlayInvalid, match=rf"guardrails\.abc123.*{message}"):
        bedrock.simulate(guardrails={"abc123": policy})


_ARN = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc123"


@pytest.mark.parametrize("name", ["", "Abc", "a:b:c", "abc:v1", "abc:0", "my-guardrail", _ARN])
def test_an_id_that_no_request_can_name_is_refused(bedrock: Replayer, name: str) -> None:
    with pytest.raises(OverlayInvalid, match=r"guardrails: .*write abc123, or abc123:2 for"):
        bedrock.simulate(guardrails={name: POLICY})
    bedrock.simulate(guardrails={"abc:DRAFT": POLICY, "0": POLICY, "abc:12345678": POLICY})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_answer_of_a_recording_is_evaluated(tmp_path: Path, stream: bool) -> None:
    more = _name_guardrail("Converse", stream)
    with Replayer(()) as replayer:
        replayer.respond(answers=["To a@b.org.", "Hello."])
        for question in ("first", "second"):
            ask("Converse", replayer.url, Asked((question,), more=more), stream=stream)
        interactions = tuple(_record(call) for call in replayer.calls)
    folders.write(tmp_path, Cassette("a", interactions))
    with Replayer(tmp_path) as replayer:
        replayer.simulate(guardrails={"abc123": POLICY})
        told = [
            ask("Converse", replayer.url, Asked((question,), more=more), stream=stream)
            for question in ("first", "second")
        ]
        masked, passed = replayer.calls
    assert [each.text for each in told] == ["To {EMAIL}.", "Hello."]
    assert (masked.source, masked.simulated) == ("cassette", ("guardrails: answer masked EMAIL",))
    assert passed.simulated == ()
    # A recording that passes keeps its own trace.
    assert passed.outcome.answer.response == interactions[1].response


def _record(call: Record) -> Interaction:
    response = call.outcome.answer.response
    assert response is not None
    request = Request("POST", call.path, (), bodies.read_request_body(call.body))
    return Interaction(call.operation, call.model, request, response)


def test_a_guardrail_that_a_rule_chose_stays(bedrock: Replayer) -> None:
    bedrock.respond(guardrail="The secret is safe.")
    answer = _runtime(bedrock).converse(modelId=NOVA, messages=_hello(), guardrailConfig=NAMED)
    assert answer["output"]["message"]["content"] == [{"text": "The secret is safe."}]


def test_assert_called_searches_what_a_guardrail_did(bedrock: Replayer) -> None:
    bedrock.respond(text="To a@b.org.")
    _runtime(bedrock).converse(modelId=NOVA, messages=_hello(), guardrailConfig=NAMED)
    bedrock.assert_called(simulated="masked EMAIL")


_FEATURES = parse_features({"guardrails": {"abc123": POLICY}})


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@given(text=st.text(st.characters(codec="ascii", categories=("L", "P", "Z")), max_size=60))
def test_an_answer_that_passes_stays_byte_for_byte(operation: str, text: str) -> None:
    body = compact({"messages": _hello(), "guardrailConfig": NAMED})
    call = Call("default", "POST", path(operation, CLAUDE), Head.of(()), body)
    assert call.operation is not None
    before = render(
        Message((Text(text),)), operation=call.operation, model=CLAUDE, body=body, chance=Chance(1)
    )
    assert _FEATURES.refuse(Context(call)) is None
    effect = _FEATURES.change(Context(call), before, b"")
    if "secret" not in text.lower() and "@" not in text:
        assert effect is None
    elif effect is not None and effect.response is not before:
        after = content_of(call.operation, CLAUDE, effect.response)
        assert isinstance(after, Message)
        assert after.stop == "guardrail_intervened"
        assert after.text != text
