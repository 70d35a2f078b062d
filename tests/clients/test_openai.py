"""What a rule says once, boto3, OpenAI's and Anthropic's clients read through every
inference API, with its errors.
"""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Interaction
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from support.boto import boto3_client

CLAUDE, GPT, OSS = "anthropic.claude-haiku-4-5", "openai.gpt-5.4", "openai.gpt-oss-20b"
RUNTIME, MANTLE = "/openai/v1", "/service/bedrock-mantle/openai/v1"
HELLO: list[Any] = [{"role": "user", "content": "Weather in Oslo?"}]
TOOL: Any = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CHAT_TOOL: Any = {"type": "function", "function": TOOL}


_OPEN: list[openai.OpenAI | anthropic.Anthropic] = []


@pytest.fixture(autouse=True)
def close_clients() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def gpt(bedrock: Session, route: str = RUNTIME, retries: int = 0) -> openai.OpenAI:
    client = openai.OpenAI(base_url=bedrock.url + route, api_key="key", max_retries=retries)
    _OPEN.append(client)
    return client


def claude(bedrock: Session, retries: int = 0) -> anthropic.Anthropic:
    client = anthropic.Anthropic(
        base_url=f"{bedrock.url}/anthropic", api_key="key", max_retries=retries
    )
    _OPEN.append(client)
    return client


# -- answers ---------------------------------------------------------------------------------------


def test_one_rule_answers_every_api(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain, wind and 4 °C.", usage={"input": 11, "output": 7})
    converse = boto3_client(bedrock.url).converse(
        modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "Weather in Oslo?"}]}]
    )
    assert converse["output"]["message"]["content"][0]["text"] == "Rain, wind and 4 °C."
    for route in (RUNTIME, MANTLE):
        chat = gpt(bedrock, route).chat.completions.create(model=OSS, messages=HELLO)
        assert chat.choices[0].message.content == "Rain, wind and 4 °C."
        assert chat.usage is not None
        assert (chat.usage.prompt_tokens, chat.usage.total_tokens) == (11, 18)
        answer = gpt(bedrock, route).responses.create(model=GPT, input="Weather in Oslo?")
        assert answer.output_text == "Rain, wind and 4 °C."
        assert answer.usage is not None
        assert answer.usage.total_tokens == 18
    message = claude(bedrock).messages.create(model=CLAUDE, max_tokens=99, messages=HELLO)
    assert message.content[0].text == "Rain, wind and 4 °C."  # type: ignore[union-attr]
    assert claude(bedrock).messages.count_tokens(model=CLAUDE, messages=HELLO).input_tokens == 11
    assert [call.model for call in bedrock.calls[1:]] == [OSS, GPT, OSS, GPT, CLAUDE, CLAUDE]
    bedrock.assert_called("Oslo", times=7)


@pytest.mark.parametrize("route", [RUNTIME, MANTLE])
@pytest.mark.parametrize("model", [OSS, GPT])
def test_streams_of_openai(bedrock: Session, route: str, model: str) -> None:
    bedrock.respond(
        "Oslo", reasoning="The user asks for Oslo.", text="It rains in Oslo, and the wind blows."
    )
    client = gpt(bedrock, route)
    with client.responses.stream(model=model, input="Weather in Oslo?") as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    assert final.output_text == "It rains in Oslo, and the wind blows."
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    # reasoning is in the text, and the model has no such route
    if (model, route) in ((OSS, RUNTIME), (GPT, MANTLE)):
        return
    with client.chat.completions.stream(
        model=model, messages=HELLO, stream_options={"include_usage": True}
    ) as chunks:
        completion = chunks.until_done().get_final_completion()
    assert completion.choices[0].message.content == "It rains in Oslo, and the wind blows."
    assert completion.usage is not None


@pytest.mark.parametrize("route", [RUNTIME, MANTLE])
def test_tools_of_openai(bedrock: Session, route: str) -> None:
    bedrock.respond(
        "Oslo",
        tool=[{"name": "weather", "input": {"city": "Oslo"}}, {"name": "weather", "input": {}}],
    )
    client = gpt(bedrock, route)
    whole = client.chat.completions.create(model=OSS, messages=HELLO, tools=[CHAT_TOOL])
    assert whole.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(model=OSS, messages=HELLO, tools=[CHAT_TOOL]) as chunks:
        streamed = chunks.until_done().get_final_completion()
    for completion in (whole, streamed):
        calls = completion.choices[0].message.tool_calls or []
        assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Oslo"}, {}]  # type: ignore[union-attr]
        assert len({call.id for call in calls}) == 2
    with client.responses.stream(
        model=GPT, input="Weather in Oslo?", tools=[{"type": "function", **TOOL}]
    ) as events:
        final = events.until_done().get_final_response()
    assert [json.loads(item.arguments) for item in final.output] == [{"city": "Oslo"}, {}]  # type: ignore[union-attr]


def test_an_agent_continues_with_the_result(bedrock: Session) -> None:
    bedrock.respond(when={"tool_result": "weather"}, text="Take an umbrella.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    client = gpt(bedrock)
    asked = (
        client.chat.completions.create(model=OSS, messages=HELLO, tools=[CHAT_TOOL])
        .choices[0]
        .message
    )
    call = (asked.tool_calls or [])[0]
    result: Any = [asked, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    told = client.chat.completions.create(model=OSS, messages=[*HELLO, *result], tools=[CHAT_TOOL])
    assert told.choices[0].message.content == "Take an umbrella."
    tool: Any = {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object"},
        "strict": False,
    }
    first = client.responses.create(model=GPT, input="Weather in Oslo?", tools=[tool])
    item: Any = {
        "type": "function_call_output",
        "call_id": first.output[0].call_id,
        "output": "rain",
    }  # type: ignore[union-attr]
    assert (
        client.responses.create(model=GPT, input=[item], previous_response_id=first.id).output_text
        == "Take an umbrella."
    )


def test_structured_output(bedrock: Session) -> None:
    from pydantic import BaseModel

    class Weather(BaseModel):
        city: str
        rain: bool

    bedrock.respond("Oslo", json={"city": "Oslo", "rain": True})
    client = gpt(bedrock)
    parsed = client.chat.completions.parse(model=GPT, messages=HELLO, response_format=Weather)
    assert parsed.choices[0].message.parsed == Weather(city="Oslo", rain=True)
    answer = client.responses.parse(model=GPT, input="Weather in Oslo?", text_format=Weather)
    assert answer.output_parsed == Weather(city="Oslo", rain=True)
    forced = claude(bedrock).messages.create(
        model=CLAUDE,
        max_tokens=99,
        messages=HELLO,
        tools=[{"name": "weather", "input_schema": {"type": "object"}}],
        tool_choice={"type": "tool", "name": "weather"},
    )
    assert forced.content[0].input == {"city": "Oslo", "rain": True}  # type: ignore[union-attr]


def test_embeddings(bedrock: Session) -> None:
    bedrock.respond(embedding="auto", dimension=16)
    made = gpt(bedrock).embeddings.create(model="openai.embed", input=["rain", "wind", "rain"])
    assert [len(row.embedding) for row in made.data] == [16, 16, 16]
    assert made.data[0].embedding == made.data[2].embedding != made.data[1].embedding


SAMPLES = [each for cassette in store.read([store.samples()]) for each in cassette.interactions]
OF_THESE_APIS = [
    each for each in SAMPLES if each.operation in ("ChatCompletions", "Responses", "Messages")
]


@pytest.mark.parametrize("sample", OF_THESE_APIS, ids=lambda sample: sample.file)
def test_the_samples(sample: Interaction) -> None:
    """The clients read each answer, and each event of a stream, as the sample has it."""
    with Replayer(store.samples()) as replayer:
        session = replayer.session(sample.file.rpartition("/")[0])
        request: Any = json.loads(sample.request.body.data)
        base, _, end = sample.request.path.partition("/v1/")
        if sample.operation == "Messages":
            create: Any = claude(session).messages.create
        else:
            client = gpt(session, f"/service/bedrock-mantle{base}/v1")
            create = (
                client.responses.create if end == "responses" else client.chat.completions.create
            )
        answer = create(**request)
        given = [each.to_dict() for each in answer] if request.get("stream") else [answer.to_dict()]
    body = sample.response.body
    pieces = (
        [(body.form, body.data)]
        if isinstance(body, Body)
        else [(e.form, e.payload) for e in body.events]
    )
    recorded = [
        bodies.read_value(form, data) for form, data in pieces if data != b"data: [DONE]\n\n"
    ]
    assert [parse_piece(each) for each in given] == [parse_piece(each) for each in recorded]


def parse_piece(value: Any) -> Any:
    """The JSON of a piece of SSE, which may stand between other lines."""
    if isinstance(value, str):
        (line,) = (line for line in value.splitlines() if line.startswith("data: "))
        value = json.loads(line.removeprefix("data: "))
    return value


# -- errors ----------------------------------------------------------------------------------------


def test_a_throttled_client_waits_as_long_as_the_answer_says(bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", times=2, retry_after_ms=1)
    bedrock.respond("Oslo", text="Rain.")
    assert (
        gpt(bedrock, retries=2)
        .chat.completions.create(model=OSS, messages=HELLO)
        .choices[0]
        .message.content
        == "Rain."
    )
    bedrock.fail("ServiceUnavailableException", times=2, retry_after_ms=1)
    assert (
        claude(bedrock, retries=2)
        .messages.create(model=CLAUDE, max_tokens=9, messages=HELLO)
        .content
    )
    assert [call.status for call in bedrock.calls] == [429, 429, 200, 503, 503, 200]


@pytest.mark.parametrize(
    ("operation", "body", "text"),
    [
        ("Messages", {"model": CLAUDE, "messages": HELLO}, "max_tokens: Field required"),
        (
            "Messages",
            {"model": CLAUDE, "max_tokens": 9, "messages": [{"role": "system", "content": "x"}]},
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        ("ChatCompletions", {"model": OSS}, "missing field `messages`"),
        (
            "ChatCompletions",
            {"model": OSS, "messages": [{"role": "robot"}]},
            "unknown variant `robot`",
        ),
        (
            "ChatCompletions",
            {"model": "openai.gpt-5.6-sol", "messages": HELLO, "max_tokens": 9},
            "max_completion_tokens",
        ),
        ("Responses", {"input": "Oslo"}, "missing field `model`"),
        ("ChatCompletions", [], "expected an object"),
    ],
)
def test_requests_that_the_api_refuses(
    bedrock: Session, operation: str, body: Any, text: str
) -> None:
    bedrock.respond(text="Rain.")
    path = {"Messages": "/anthropic/v1/messages", "Responses": f"{RUNTIME}/responses"}.get(
        operation, f"{RUNTIME}/chat/completions"
    )
    refused = httpx.post(bedrock.url + path, json=body)
    assert refused.status_code == 400
    assert text in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "model", "refused"),
    [
        ("/v1/chat/completions", "google.gemma-4-31b", True),
        ("/openai/v1/chat/completions", "google.gemma-4-31b", False),
        ("/v1/chat/completions", "openai.gpt-5.6-terra", True),
        ("/v1/chat/completions", CLAUDE, True),
        ("/v1/responses", CLAUDE, True),
        ("/v1/chat/completions", OSS, False),
        ("/v1/chat/completions", "acme.new-model", False),
    ],
)
def test_models_on_a_route_that_refuses_them(
    bedrock: Session, path: str, model: str, refused: bool
) -> None:
    bedrock.respond(text="Rain.")
    body = {"model": model, "messages": HELLO, "input": "Oslo"}
    assert (
        httpx.post(f"{bedrock.url}/service/bedrock-mantle{path}", json=body).status_code == 400
    ) is refused


# -- faults in streams -----------------------------------------------------------------------------


def chunks_of(bedrock: Session, model: str = OSS, route: str = MANTLE) -> Iterator[Any]:
    yield from gpt(bedrock, route).chat.completions.create(model=model, messages=HELLO, stream=True)


RAW = (
    "data:"
    ' {"choices":[{"delta":{"content":"%s"},"finish_reason":null,"index":0}],"created":1,"id":"c","model":"m","object":"chat.completion.chunk"}\n\n'
)


@pytest.fixture(params=["rule", "raw"])
def spoken(request: pytest.FixtureRequest, bedrock: Session) -> Session:
    """A stream of Chat Completions, from a rule's content or as raw text."""
    if request.param == "rule":
        bedrock.respond("Oslo", text="It rains in Oslo, and the wind blows all day.")
    else:
        text = (
            "".join(RAW % word for word in ("It ", "rains ", "in ", "Oslo.")) + "data: [DONE]\n\n"
        )
        bedrock.respond(
            "Oslo", raw={"text": text, "headers": {"content-type": "text/event-stream"}}
        )
    return bedrock


def test_an_error_in_the_middle_of_a_stream(spoken: Session) -> None:
    spoken.fail("ThrottlingException", after_events=2, times=1)
    with pytest.raises(openai.APIError, match="Too many requests") as caught:
        list(chunks_of(spoken))
    assert caught.value.code == "rate_limit_exceeded"
    assert (spoken.calls[-1].error, spoken.calls[-1].events) == ("ThrottlingException", 3)


@pytest.mark.parametrize("model", [OSS, GPT])
def test_an_error_in_the_middle_of_a_response(bedrock: Session, model: str) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo, and the wind blows all day.")
    bedrock.fail("InternalServerException", after_events=5, times=1)
    with pytest.raises(openai.APIError, match="unexpected error"):
        list(gpt(bedrock).responses.create(model=model, input="Oslo", stream=True))
    assert bedrock.calls[-1].error == "InternalServerException"


def test_an_error_in_the_middle_of_a_message(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo, and the wind blows all day.")
    bedrock.fail("ServiceUnavailableException", after_events=3, times=1)
    with pytest.raises(anthropic.APIStatusError, match="unable to process") as caught:
        list(
            claude(bedrock).messages.create(model=CLAUDE, max_tokens=9, messages=HELLO, stream=True)
        )
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "overloaded_error"
    assert bedrock.calls[-1].error == "ServiceUnavailableException"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"truncate": {"after_events": 2, "in_order": False}}, httpx.RemoteProtocolError),
        ({"reset": {"after_events": 2}}, httpx.TransportError),
        ({"corrupt": {"what": "json", "event": 2}}, json.JSONDecodeError),
    ],
)
def test_streams_that_break(spoken: Session, fault: Any, error: type[Exception]) -> None:
    spoken.fault(**fault, name="broken", times=1)
    with pytest.raises((error, openai.APIError)):
        list(chunks_of(spoken))
    assert spoken.calls[-1].faults == ("broken",)


@pytest.mark.parametrize(
    "fault",
    [{"drop": {"numbers": [2]}}, {"repeat": {"numbers": [2]}}, {"truncate": {"after_events": 2}}],
)
def test_streams_with_other_events(spoken: Session, fault: Any) -> None:
    clean = len(list(chunks_of(spoken)))
    spoken.fault(**fault, name="changed", times=1)
    assert len(list(chunks_of(spoken))) != clean
    assert spoken.calls[-1].faults == ("changed",)


def test_an_unknown_event_is_inserted(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo.")
    bedrock.fault(
        insert={"type": "response.newer", "payload": {"sequence_number": 1}, "after_events": 1}
    )
    events = list(gpt(bedrock).responses.create(model=GPT, input="Oslo", stream=True))
    assert events[1].type == "response.newer"  # type: ignore[comparison-overlap]
    bedrock.fault(drop={"types": ["response.newer", "response.in_progress"]})
    kinds = [
        event.type for event in gpt(bedrock).responses.create(model=GPT, input="Oslo", stream=True)
    ]
    assert "response.in_progress" not in kinds


@pytest.mark.parametrize(
    "fault",
    [
        {"corrupt": {"what": "message_crc"}},
        {"error": "ThrottlingException", "after_events": 1},
        {"drop": {"types": ["contentBlockDelta"]}},
        {"drop": {"numbers": [999]}},
        {"swap": {"first": 998, "second": 999}},
        {"truncate": {"after_events": 999}},
        {"latency": {"between_ms": 60_000}},
    ],
)
def test_a_fault_that_cannot_act_did_not_happen(bedrock: Session, fault: Any) -> None:
    """A whole answer has no events, and a stream of server-sent events no checksums."""
    bedrock.respond("Oslo", text="It rains in Oslo.")
    bedrock.fault(**fault, name="idle", times=1)
    client = gpt(bedrock)
    client.chat.completions.create(model=OSS, messages=HELLO)
    if "error" not in fault and "latency" not in fault:  # these act on a stream
        list(client.chat.completions.create(model=OSS, messages=HELLO, stream=True))
    assert [call.faults for call in bedrock.calls] == [()] * len(bedrock.calls)
    assert [call.status for call in bedrock.calls] == [200] * len(bedrock.calls)


# -- the state of the Responses API ----------------------------------------------------------------


def test_an_answer_is_read_again_and_deleted(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain.")
    client = gpt(bedrock)
    made = client.responses.create(model=GPT, input="Weather in Oslo?")
    assert client.responses.retrieve(made.id) == made
    items = client.responses.input_items.list(made.id).data
    assert items[0].content[0].text == "Weather in Oslo?"  # type: ignore[union-attr]
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match=made.id):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="Previous response with id") as caught:
        client.responses.create(model=GPT, input="And Oslo tomorrow?", previous_response_id=made.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_streamed_answer_is_read_again(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain.")
    client = gpt(bedrock)
    with client.responses.stream(model=GPT, input="Oslo") as events:
        made = events.until_done().get_final_response()
    assert client.responses.retrieve(made.id).output_text == "Rain."


def test_an_answer_that_is_not_stored_is_not_read_again(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain.")
    client = gpt(bedrock)
    made = client.responses.create(model=GPT, input="Oslo", store=False)
    with pytest.raises(openai.BadRequestError, match="answers GetResponse"):
        client.responses.retrieve(made.id)


def test_state_belongs_to_the_session(server: Replayer, bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain.")
    made = gpt(bedrock).responses.create(model=GPT, input="Oslo")
    other = server.session("another-session")
    other.respond("Oslo", text="Rain.")
    with pytest.raises(openai.BadRequestError, match="answers GetResponse"):
        gpt(other).responses.retrieve(made.id)
    bedrock.reset()
    with pytest.raises(openai.BadRequestError, match="answers GetResponse"):
        gpt(bedrock).responses.retrieve(made.id)


def test_a_background_answer_goes_through_its_states(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="Rain.")
    client = gpt(bedrock, MANTLE)
    queued = client.responses.create(model=GPT, input="Oslo", background=True)
    assert (queued.status, queued.output) == ("queued", [])
    states = [client.responses.retrieve(queued.id) for _ in range(3)]
    assert [state.status for state in states] == ["in_progress", "completed", "completed"]
    assert states[-1].output_text == "Rain."
    waiting = client.responses.create(model=GPT, input="Oslo again", background=True)
    assert client.responses.cancel(waiting.id).status == "cancelled"
    assert client.responses.retrieve(waiting.id).status == "cancelled"
    runtime = gpt(bedrock, "/service/bedrock-runtime/openai/v1")
    assert runtime.responses.create(model=GPT, input="Oslo", background=True).status == "completed"


def test_a_background_stream_is_read_again(bedrock: Session) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo.")
    client = gpt(bedrock, MANTLE)
    sent = list(client.responses.create(model=GPT, input="Oslo", background=True, stream=True))
    name = sent[0].response.id  # type: ignore[union-attr]
    assert list(client.responses.retrieve(name, stream=True)) == sent
    assert list(client.responses.retrieve(name, stream=True, starting_after=2)) == sent[3:]
    assert client.responses.retrieve(name).output_text == "It rains in Oslo."
    _, again, rest, complete = bedrock.calls
    assert [call.text for call in (again, complete)] == ["It rains in Oslo."] * 2
    assert "It rains in Oslo.".endswith(rest.text)
    assert {call.stop_reason for call in (again, complete)} == {"end_turn"}
    whole = client.responses.create(model=GPT, input="Oslo", background=True)
    with pytest.raises(openai.BadRequestError, match="background=true and stream=true"):
        client.responses.retrieve(whole.id, stream=True)


# -- conditions ------------------------------------------------------------------------------------


def test_a_rule_for_a_model(bedrock: Session) -> None:
    bedrock.respond(when={"model": "openai.gpt-oss*"}, text="I am open.")
    bedrock.respond(when={"model": "openai.*", "operation": "ChatCompletions"}, text="I am hosted.")
    client = gpt(bedrock)
    told = [
        client.chat.completions.create(model=model, messages=HELLO).choices[0].message.content
        for model in (OSS, GPT, OSS)
    ]
    assert told == ["I am open.", "I am hosted.", "I am open."]
    bedrock.assert_called(model="openai.gpt-oss*", times=2)


def test_equal_requests_get_equal_bytes(bedrock: Session) -> None:
    bedrock.respond(
        "Oslo",
        reasoning="Hm.",
        text="It rains in Oslo.",
        tool={"name": "weather"},
        allow_unoffered_tools=True,
    )
    for path, body in (
        ("/v1/chat/completions", {"model": OSS, "messages": HELLO}),
        ("/openai/v1/responses", {"model": GPT, "input": "Oslo"}),
        ("/anthropic/v1/messages", {"model": CLAUDE, "messages": HELLO, "max_tokens": 9}),
    ):
        for stream in (False, True):
            answers = {
                httpx.post(bedrock.url + path, json={**body, "stream": stream}).content
                for _ in range(3)
            }
            assert len(answers) == 1


def test_the_request_id_of_anthropics_api_is_the_calls_own(bedrock: Session) -> None:
    bedrock.respond(text="Rain.")
    body = {"model": CLAUDE, "max_tokens": 9}
    seen = set()
    for city in ("Oslo", "Rome"):
        messages = [{"role": "user", "content": city}]
        headers = httpx.post(
            f"{bedrock.url}/anthropic/v1/messages", json={**body, "messages": messages}
        ).headers
        assert headers["request-id"] == headers["x-amzn-requestid"]
        seen.add(headers["request-id"])
    assert len(seen) == 2


@pytest.mark.parametrize(
    "raw",
    [
        {"text": "<html>"},
        {"json": [1]},
        {"text": "data: x\n\n", "headers": {"content-type": "text/event-stream"}},
    ],
)
def test_a_raw_answer_that_is_no_response_object_is_not_kept(bedrock: Session, raw: Any) -> None:
    bedrock.respond(raw=raw)
    answer = httpx.post(f"{bedrock.url}/openai/v1/responses", json={"model": GPT, "input": "x"})
    assert answer.status_code == 200
    assert answer.text == raw.get("text", "[1]")


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("9" * 5000, 3), ("-1", 3), ("x", 3)])
def test_a_page_of_input_items(bedrock: Session, limit: str, count: int) -> None:
    bedrock.respond(text="Rain.")
    items = [{"role": "user", "content": word} for word in ("Oslo", "Rome", "Bonn")]
    made = httpx.post(
        f"{bedrock.url}/openai/v1/responses", json={"model": GPT, "input": items}
    ).json()
    page = httpx.get(
        f"{bedrock.url}/openai/v1/responses/{made['id']}/input_items", params={"limit": limit}
    ).json()
    assert (len(page["data"]), page["has_more"]) == (count, count < 3)
