"""Answers of rules that are kept for other requests equal answers that are rendered for each request."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Reasoning, Text, ToolUse
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.rendered import RuleAnswers, RuleMatch
from bedtape_replayer.overlay.rule import Rule

TOOL = Rule(
    "tool", (Message((Reasoning("Think."), Text("Here it is."), ToolUse("weather", {"city": "Oslo"})), "tool_use"),)
)
TEXT = Rule("text", (Message((Text("It is minus four degrees in Oslo. " * 3),)),))
CLAUDE, NOVA = "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
PATHS = (
    *(f"/model/{model}/{end}" for model in (CLAUDE, NOVA) for end in ("converse", "converse-stream", "invoke")),
    f"/model/{CLAUDE}/invoke-with-response-stream",
    f"/model/{NOVA}/invoke-with-response-stream",
    *(f"/model/{model}/invoke" for model in ("mistral.mistral-7b-instruct-v0:2", "cohere.command-r-v1:0")),
    *(f"/model/{model}/invoke" for model in ("ai21.j2-mid-v1", "deepseek.r1-v1:0", "cohere.command-text-v14")),
    *(f"/model/openai.gpt-oss-20b-1:0/{end}" for end in ("invoke", "invoke-with-response-stream")),
    *(f"/model/meta.llama3-8b-instruct-v1:0/{end}" for end in ("invoke", "invoke-with-response-stream")),
)
WORDS = st.sampled_from(["Oslo", "Rome", "a longer text with more tokens", "<think>\n"])
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.builds(
        lambda text, point: [{"role": "user", "content": [{"type": "text", "text": text}, *point]}],
        WORDS,
        st.sampled_from(
            [[], [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}], [{"cachePoint": {}}]]
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


def answer(answers: RuleAnswers, rule: Rule, path: str, body: bytes, key: bytes = b"key") -> RuleMatch:
    call = Call("default", "POST", path, Head.of(()), body)
    match = answers.answer(rule, 0, call, key, 0)
    assert match is not None
    return match


def describe(match: RuleMatch) -> tuple[object, ...]:
    return match.response, match.reply.headers, match.reply.pieces, match.reply.streamed and match.reply.http1_chunks


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(PATHS), BODIES, st.sampled_from([b"one", b"two"])), min_size=2, max_size=8))
def test_a_kept_answer_equals_a_new_one(requests: list[tuple[str, bytes, bytes]]) -> None:
    shared = RuleAnswers()
    for path, body, key in requests:
        assert describe(answer(shared, TEXT, path, body, key)) == describe(answer(RuleAnswers(), TEXT, path, body, key))


def body(text: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}], **more}).encode()


@pytest.mark.parametrize("end", ["converse", "converse-stream"])
def test_requests_that_an_answer_does_not_distinguish_share_its_bytes(end: str) -> None:
    answers, path = RuleAnswers(), f"/model/{NOVA}/{end}"
    first = answer(answers, TEXT, path, body("Oslo"), b"one")
    other = answer(answers, TEXT, path, body("Rome", toolConfig={"tools": []}), b"two")
    assert other.reply.pieces is first.reply.pieces
    assert dict(other.reply.headers)[b"x-amzn-RequestId"] != dict(first.reply.headers)[b"x-amzn-RequestId"]
    longer = answer(answers, TEXT, path, body("a longer text has more tokens"), b"three")
    assert longer.reply.body != first.reply.body


IDS = re.compile(rb'"(?:id|toolUseId)":"([^"]+)"')


@pytest.mark.parametrize(
    "path", [f"/model/{CLAUDE}/invoke", f"/model/{NOVA}/converse", f"/model/{CLAUDE}/converse-stream"]
)
def test_only_ids_differ_between_match_keys(path: str) -> None:
    answers = RuleAnswers()
    one, two = (answer(answers, TOOL, path, body("Oslo" + key), key.encode()).reply for key in "12")
    assert set(IDS.findall(one.body)).isdisjoint(IDS.findall(two.body))
    assert len(IDS.findall(one.body)) == (2 if path.endswith("invoke") else 1)
    if not one.streamed:
        assert IDS.sub(b"", one.body) == IDS.sub(b"", two.body)
        assert dict(one.headers)[b"Content-Length"] == b"%d" % len(one.body)
