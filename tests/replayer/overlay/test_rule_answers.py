"""Answers of rules that are kept for other requests equal answers that are
rendered for each request.
"""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Reasoning, Text, ToolUse
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.rule_answers import Occasion, RuleAnswers, RuleMatch
from support.examples import examples

TOOL = Rule(
    "tool",
    (
        Message(
            (Reasoning("Think."), Text("Here it is."), ToolUse("weather", {"city": "Oslo"})),
            "tool_use",
        ),
    ),
    allows_unoffered_tools=True,
)
TEXT = Rule("text", (Message((Text("It is minus four degrees in Oslo. " * 3),)),))
CLAUDE, NOVA = "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
PATHS = (
    *(
        f"/model/{model}/{end}"
        for model in (CLAUDE, NOVA)
        for end in ("converse", "converse-stream", "invoke")
    ),
    f"/model/{CLAUDE}/invoke-with-response-stream",
    f"/model/{NOVA}/invoke-with-response-stream",
    *(
        f"/model/{model}/invoke"
        for model in ("mistral.mistral-7b-instruct-v0:2", "cohere.command-r-v1:0")
    ),
    *(
        f"/model/{model}/invoke"
        for model in ("ai21.j2-mid-v1", "deepseek.r1-v1:0", "cohere.command-text-v14")
    ),
    *(f"/model/openai.gpt-oss-20b-1:0/{end}" for end in ("invoke", "invoke-with-response-stream")),
    *(
        f"/model/meta.llama3-8b-instruct-v1:0/{end}"
        for end in ("invoke", "invoke-with-response-stream")
    ),
)
WORDS = st.sampled_from(["Oslo", "Rome", "a longer text with more tokens", "<think>\n"])
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.builds(
        lambda text, point: [{"role": "user", "content": [{"type": "text", "text": text}, *point]}],
        WORDS,
        st.sampled_from(
            [
                [],
                [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}],
                [{"cachePoint": {}}],
            ]
        ),
    ),
    "prompt": WORDS,
    "message": WORDS,
    "chat_history": st.sampled_from([[], [{"role": "USER", "message": "before"}]]),
    "stop_sequences": st.lists(WORDS, max_size=2),
    "stream_options": st.sampled_from([{}, {"include_usage": True}]),
    "num_generations": st.sampled_from([1, 2, True]),
    "performanceConfig": st.sampled_from([{"latency": "optimized"}, {"latency": "standard"}]),
    "serviceTier": st.sampled_from([{"type": "flex"}, {}]),
}
BODIES = st.fixed_dictionaries({}, optional=MEMBERS).map(lambda body: json.dumps(body).encode())


def answer(
    answers: RuleAnswers, rule: Rule, path: str, body: bytes, key: bytes = b"key"
) -> RuleMatch:
    call = Call("default", "POST", path, Head.of(()), body)
    match = answers.answer(rule, 0, Occasion(call, key, 0), 0)
    assert match is not None
    return match


def describe(match: RuleMatch) -> tuple[object, ...]:
    return (
        match.response,
        match.reply.headers,
        match.reply.pieces,
        match.reply.streamed and match.reply.http1_chunks,
    )


@settings(max_examples=examples(300))
@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), BODIES, st.sampled_from([b"one", b"two"])),
        min_size=2,
        max_size=8,
    )
)
def test_a_kept_answer_equals_a_new_one(requests: list[tuple[str, bytes, bytes]]) -> None:
    shared = RuleAnswers()
    for path, body, key in requests:
        assert describe(answer(shared, TEXT, path, body, key)) == describe(
            answer(RuleAnswers(), TEXT, path, body, key)
        )


def body(text: str, **more: object) -> bytes:
    return json.dumps(
        {"messages": [{"role": "user", "content": [{"text": text}]}], **more}
    ).encode()


@pytest.mark.parametrize("end", ["converse", "converse-stream"])
def test_requests_that_an_answer_does_not_distinguish_share_its_bytes(end: str) -> None:
    answers, path = RuleAnswers(), f"/model/{NOVA}/{end}"
    first = answer(answers, TEXT, path, body("Oslo"), b"one")
    other = answer(answers, TEXT, path, body("Rome", toolConfig={"tools": []}), b"two")
    assert other.reply.pieces is first.reply.pieces
    assert (
        dict(other.reply.headers)[b"x-amzn-RequestId"]
        != dict(first.reply.headers)[b"x-amzn-RequestId"]
    )
    longer = answer(answers, TEXT, path, body("a longer text has more tokens"), b"three")
    assert longer.reply.body != first.reply.body


IDS = re.compile(rb'"(?:id|toolUseId)":"([^"]+)"')


@pytest.mark.parametrize(
    "path",
    [f"/model/{CLAUDE}/invoke", f"/model/{NOVA}/converse", f"/model/{CLAUDE}/converse-stream"],
)
def test_only_ids_differ_between_match_keys(path: str) -> None:
    answers = RuleAnswers()
    one, two = (answer(answers, TOOL, path, body("Oslo" + key), key.encode()).reply for key in "12")
    assert set(IDS.findall(one.body)).isdisjoint(IDS.findall(two.body))
    assert len(IDS.findall(one.body)) == (2 if path.endswith("invoke") else 1)
    if not one.streamed:
        assert IDS.sub(b"", one.body) == IDS.sub(b"", two.body)
        assert dict(one.headers)[b"Content-Length"] == b"%d" % len(one.body)


CHAT = "/openai/v1/chat/completions"


def chat(text: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps(
        {"model": "openai.gpt-oss-20b-1:0", "messages": messages, "stream": stream}
    ).encode()


@pytest.mark.parametrize("stream", [False, True])
def test_a_small_answer_shares_its_template_and_a_large_one_is_filled_once(stream: bool) -> None:
    answers, large = RuleAnswers(), Rule("large", (Message((Text("It is cold. " * 5_000),)),))
    one, two = (
        answer(answers, TEXT, CHAT, chat(name, stream=stream), name.encode()).reply
        for name in ("Oslo", "Rome")
    )
    assert one.owner is two.owner
    assert one.body != two.body
    three, four = (
        answer(answers, large, CHAT, chat(name, stream=stream), name.encode()).reply
        for name in ("Oslo", "Rome")
    )
    assert three.owner is not four.owner
    assert three.body is three.body
    assert three.body != four.body


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_with_ids_equals_plain_values(stream: bool) -> None:
    match = answer(RuleAnswers(), TEXT, CHAT, chat("Oslo", stream=stream))
    response, reply = match.response, match.reply
    plain = replace(response)
    assert type(plain) is Response
    assert (plain == response, response == plain, hash(plain) == hash(response)) == (
        True,
        True,
        True,
    )
    assert replace(response, status=201) != response
    assert (response.status, response.after_ms, response.ends) == (200, 0, None)
    copy = replace(reply)
    assert type(copy) is Reply
    values = (copy.pieces, copy.body, copy.size, copy.count, copy.http1_chunks)
    assert values == (reply.pieces, reply.body, reply.size, reply.count, reply.http1_chunks)
    assert (tuple(reply.headers), len(reply.headers)) == (tuple(copy.headers), len(copy.headers))
    assert (reply.headers[0], reply.headers[1:]) == (copy.headers[0], copy.headers[1:])
    assert hash(reply.headers) == hash(tuple(copy.headers))
