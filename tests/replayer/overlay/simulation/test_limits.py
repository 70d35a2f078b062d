"""Limits of models: the end of an answer at max_tokens and at a stop sequence, and
errors for long requests.
"""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.format import bodies
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.model import Cassette, Interaction, Request
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.simulation.context import Context
from bedtape_replayer.overlay.simulation.features import parse_features
from support import WAIT, corpus, folders
from support.five_apis import CLAUDE, FORMS, NOVA, Asked, Told, ask, name_form
from support.recordings import path, prompt

SAID = "One two three. STOP Four five six."
# The words of each API for the end at max_tokens and at a stop sequence. The Responses API
# has no stop sequences.
CUT = {
    "Converse": ("max_tokens", "stop_sequence"),
    "InvokeModel": ("max_tokens", "stop_sequence"),
    "Messages": ("max_tokens", "stop_sequence"),
    "Chat Completions": ("length", "stop"),
    "Responses": ("max_output_tokens", None),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    return server


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_max_tokens_cuts_an_answer(bedrock: Replayer, api: str, stream: bool) -> None:
    bedrock.respond(text=SAID)
    bedrock.simulate(limits=True)
    told = ask(api, bedrock.url, Asked(max_tokens=3), stream=stream)
    assert (told.text, told.stop, told.output) == (SAID[:12], CUT[api][0], 3)
    (call,) = bedrock.calls
    assert (call.source, call.stop_reason) == ("rule", "max_tokens")
    assert call.simulated == ("limits: max_tokens cut 9 tokens to 3",)


# The Responses API has no stop sequences.
@pytest.mark.parametrize(
    ("api", "stream"), [form for form in FORMS if form[0] != "Responses"], ids=name_form
)
def test_a_stop_sequence_cuts_an_answer(bedrock: Replayer, api: str, stream: bool) -> None:
    bedrock.respond(text=SAID)
    bedrock.simulate(limits=True)
    told = ask(api, bedrock.url, Asked(max_tokens=50, stop=("Four", "STOP")), stream=stream)
    assert (told.text, told.stop, told.output) == ("One two three. ", CUT[api][1], 4)
    assert bedrock.calls[0].simulated == ("limits: stopped at the stop sequence 'STOP'",)


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_an_answer_that_fits_is_the_answer_without_simulation(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(text=SAID)
    plain = ask(api, bedrock.url, Asked(max_tokens=50), stream=stream)
    bedrock.simulate(limits=True)
    assert ask(api, bedrock.url, Asked(max_tokens=50), stream=stream) == plain
    before, after = bedrock.calls
    assert before.outcome.answer.reply.body == after.outcome.answer.reply.body
    assert after.simulated == ()


ERRORS: dict[str, type[Exception]] = {
    "Converse": ClientError,
    "InvokeModel": ClientError,
    "Messages": anthropic.BadRequestError,
    "Chat Completions": openai.BadRequestError,
    "Responses": openai.BadRequestError,
}


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
def test_a_prompt_that_exceeds_the_context_is_refused(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    bedrock.respond(text=SAID, name="only")
    bedrock.simulate(limits={"context_tokens": 50})
    text = (
        "prompt is too long: 100 tokens > 50 maximum" if api == "Messages" else "Input is too long"
    )
    with pytest.raises(ERRORS[api], match=text):
        ask(api, bedrock.url, Asked(("long" * 100,), max_tokens=9), stream=stream)
    (call,) = bedrock.calls
    assert (call.source, call.by, call.error) == ("simulation", None, "ValidationException")
    assert call.simulated == ("limits: 100 tokens of the prompt exceed the context window of 50",)
    told = ask(api, bedrock.url, Asked(max_tokens=9), stream=stream)
    assert told.text == SAID  # the refused request has not used the rule


LONG = [
    (CLAUDE, {}, {"max_tokens": 64_001}, r"exceeds the model limit of 64000\. Try again"),
    (NOVA, {}, {"max_tokens": 10_001}, r"exceeds the model limit of 10000\. Try again"),
    ("meta.llama3-70b-instruct-v1:0", {}, {"max_tokens": 10**9}, None),
    (
        "meta.llama3-70b-instruct-v1:0",
        {"max_output_tokens": 2_048},
        {"max_tokens": 2_049},
        "limit of 2048",
    ),
    (NOVA, {}, {"turns": ("four" * 300_001,)}, "Input Tokens Exceeded"),
    (NOVA, {"long_prompt": "Too long!"}, {"turns": ("four" * 300_001,)}, "Too long!"),
    (CLAUDE, {}, {"turns": ("four" * 150_000,), "max_tokens": 60_000}, None),
    (
        "anthropic.claude-sonnet-4-20250514-v1:0",
        {},
        {"turns": ("four" * 150_000,), "max_tokens": 60_000},
        r"exceed context limit: 150000 \+ 60000 > 200000",
    ),
    *(
        (
            f"us.anthropic.claude-{name}",
            {"context_tokens": 60},
            {"turns": ("four" * 50,), "max_tokens": 40},
            error,
        )
        for name, error in (
            ("3-opus-20240229-v1:0", r"exceed context limit: 50 \+ 40 > 60"),
            ("opus-4-20250514-v1:0", r"exceed context limit: 50 \+ 40 > 60"),
            ("opus-4-1-20250805-v1:0", r"exceed context limit: 50 \+ 40 > 60"),
            ("haiku-4-5-20251001-v1:0", None),
            ("opus-4-6-v1", None),
            ("sonnet-4-6", None),
            ("opus-5", None),
        )
    ),
]


@pytest.mark.parametrize(("model", "options", "request_", "error"), LONG)
def test_requests_that_exceed_the_limits_of_the_model(
    bedrock: Replayer,
    model: str,
    options: dict[str, Any],
    request_: dict[str, Any],
    error: str | None,
) -> None:
    bedrock.respond(text=SAID)
    bedrock.simulate(limits=options)
    if error is None:
        assert (
            ask("Converse", bedrock.url, Asked(**request_), stream=False, model=model).text == SAID
        )
        return
    with pytest.raises(ClientError, match=error):
        ask("Converse", bedrock.url, Asked(**request_), stream=False, model=model)


def test_a_newer_claude_ends_where_the_context_ends(bedrock: Replayer) -> None:
    bedrock.respond(text=SAID)
    bedrock.simulate(limits={"context_tokens": 54})
    told = ask("Converse", bedrock.url, Asked(("four" * 50,), max_tokens=40), stream=False)
    assert (told.text, told.stop, told.output) == (SAID[:16], "model_context_window_exceeded", 4)


@pytest.mark.parametrize(
    ("keep", "stream", "tool"),
    [
        ("keep", False, {}),
        ("keep", True, '{"city":"Rey'),
        ("drop", False, None),
        ("drop", True, None),
    ],
)
def test_max_tokens_cuts_a_tool_call(
    bedrock: Replayer, keep: str, stream: bool, tool: object
) -> None:
    bedrock.respond(
        tool={"name": "find", "input": {"city": "Reykjavik"}}, allow_unoffered_tools=True
    )
    bedrock.overlay(
        {
            "bedtape-overlay": 1,
            "simulate": {"limits": {"cut_tools": keep}},
            "rules": [
                {
                    "allow_unoffered_tools": True,
                    "answer": {"tool": {"name": "find", "input": {"city": "Reykjavik"}}},
                }
            ],
        }
    )
    ask("Converse", bedrock.url, Asked(max_tokens=4), stream=stream)
    content: Any = bedrock.calls[-1].content
    assert content.stop == "max_tokens"
    assert [block.input for block in content.blocks] == ([] if tool is None else [tool])


def test_a_rule_has_its_own_features(bedrock: Replayer) -> None:
    bedrock.simulate(limits=True)
    bedrock.respond("free", SAID, simulate={"limits": False})
    bedrock.respond(text=SAID)
    assert _ask(bedrock, "free").text == SAID
    assert _ask(bedrock, "other").text == SAID[:12]
    bedrock.simulate()
    assert _ask(bedrock, "other").text == SAID


def test_a_rule_alone_can_simulate(bedrock: Replayer) -> None:
    bedrock.respond("held", SAID, simulate={"limits": {"context_tokens": 100}})
    bedrock.respond(text=SAID)
    assert _ask(bedrock, "held").text == SAID[:12]
    assert _ask(bedrock, "other").text == SAID
    with pytest.raises(ClientError, match="too long"):
        ask("Converse", bedrock.url, Asked(("held" * 101,)), stream=False)


def _ask(bedrock: Replayer, prompt: str) -> Told:
    return ask("Converse", bedrock.url, Asked((prompt,), max_tokens=3), stream=False)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_recording_is_cut_if_a_request_has_another_limit(tmp_path: Path, stream: bool) -> None:
    with Replayer(()) as replayer:  # an answer of 9 tokens, which a request without a limit has got
        replayer.respond(text=SAID)
        ask("Converse", replayer.url, Asked(), stream=stream)
        (made,) = replayer.calls
    answer = made.outcome.answer
    assert answer.response is not None
    request = Request("POST", made.path, (), bodies.read_request_body(made.body))
    folders.write(
        tmp_path,
        Cassette("a", (Interaction(made.operation, made.model, request, answer.response),)),
    )
    match = match_rules(["inferenceConfig"])
    with Replayer(tmp_path, simulate=["limits"], match=match) as replayer:
        assert ask("Converse", replayer.url, Asked(max_tokens=9), stream=stream).text == SAID
        told = ask("Converse", replayer.url, Asked(max_tokens=3), stream=stream)
        whole, cut = replayer.calls
    assert (told.text, told.stop, told.output) == (SAID[:12], "max_tokens", 3)
    assert (whole.source, whole.simulated) == ("cassette", ())
    assert (cut.source, cut.simulated) == ("cassette", ("limits: max_tokens cut 9 tokens to 3",))


@corpus.needs_corpus
@pytest.mark.parametrize("source", corpus.parts())
def test_no_feature_changes_an_answer_of_the_real_service(source: str) -> None:
    features = parse_features(
        {
            "limits": True,
            "service_tiers": True,
            "structured_output": True,
            "quotas": {"tokens_per_day": 10**9, "requests_per_minute": 1},
        }
    )
    for each in corpus.exchanges(source):
        if each.status != 200:
            continue
        call = Call("default", each.method, each.path, Head.of(()), each.request_body)
        assert features.refuse(Context(call)) is None, each
        assert features.change(Context(call), each.interaction().response, b"") is None, each


def test_a_text_that_was_cut_in_an_emoji_is_counted(bedrock: Replayer) -> None:
    """JSON contains such halves of characters, which UTF-8 cannot."""
    bedrock.simulate(limits=True, caching=True)
    connection = HTTPConnection("127.0.0.1", bedrock.port, timeout=WAIT)
    connection.request("POST", path(), prompt("cut \ud83d"))
    assert connection.getresponse().status == 400  # a miss, as without simulation
    connection.close()
