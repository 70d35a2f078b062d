"""Requests that differ in one text: what is made of their siblings equals what
is read from themselves.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Text, ToolUse
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Answer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import Index
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.siblings import AllSiblings
from bedtape_replayer.engine.checks import find_refusal, parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.overlay import Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.when import When
from support.examples import examples

CLAUDE, CLAUDE_3 = (
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
)
MODELS = (
    *(
        f"us.{CLAUDE}",
        CLAUDE_3,
        "amazon.nova-lite-v1:0",
        "mistral.mistral-large-2402-v1:0",
        "deepseek.r1-v1:0",
    ),
    *(
        "openai.gpt-oss-20b-1:0",
        "meta.llama3-8b-instruct-v1:0",
        "ai21.jamba-1-5-mini-v1:0",
        "writer.palmyra-x5-v1:0",
    ),
    *("cohere.command-r-v1:0", "amazon.titan-text-express-v1", "acme.unknown"),
)
ENDS = ("converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens")
PATHS = (
    *(f"/model/{model}/{end}" for model in MODELS for end in ENDS),
    *("/openai/v1/chat/completions", "/v1/responses", "/openai/v1/responses", "/v1/embeddings"),
    *("/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"),
)
PIECES = (
    *(
        "Oslo",
        " ",
        "\n",
        '"',
        "\\",
        "/",
        "ü",
        "🎈",
        "\x7f",
        "\ud800",
        "Human:",
        "</s>",
        "<think>",
        "1.0",
        "{",
        "}",
    ),
    *(
        "[INST]",
        '"signature"',
        "AKIAIOSFODNN7EXAMPLE",
        "123456789012",
        "arn:aws:iam::123456789012:user/x",
        ", ",
    ),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
_SYSTEM = {
    "converse": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "native": "Be brief.",
    "chat": [{"role": "system", "content": "Be brief."}],
}
_EARLIER = [("user", "Hello."), ("assistant", "Yes?")]


@st.composite
def forms(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A path, and a body whose last text is missing."""
    path = draw(st.sampled_from(PATHS))
    blocks = draw(st.sampled_from([None, {}, {"type": "text"}, {"type": "input_text"}]))
    before = draw(
        st.sampled_from(
            [[], [{"text": "First."}], [{"type": "text", "text": "First."}], [{"image": {}}]]
        )
    )
    after = draw(st.sampled_from([[], [], [{"cachePoint": {"type": "default"}}]]))
    content = "TEXT" if blocks is None else [*before, {**blocks, "text": "TEXT"}, *after]
    earlier = [
        {"role": role, "content": said if blocks is None else [{"text": said}]}
        for role, said in _EARLIER
    ]
    system = draw(st.sampled_from([None, "converse", "native", "chat"]))
    messages = [
        *(_SYSTEM["chat"] if system == "chat" else []),
        *(earlier if draw(st.booleans()) else []),
        {
            "role": draw(st.sampled_from(["user", "user", "user", "assistant", "tool"])),
            "content": content,
        },
    ]
    body: dict[str, Any] = {draw(st.sampled_from(["messages", "messages", "input"])): messages}
    if draw(st.integers(0, 9)) == 0:
        body = {draw(st.sampled_from(["input", "prompt", "inputText", "message"])): "TEXT"}
    if system in ("converse", "native"):
        body["system"] = _SYSTEM[system]
    if "/model/" not in path:
        body["model"] = draw(
            st.sampled_from(["openai.gpt-oss-20b", "anthropic.claude-sonnet-4-5", "acme.unknown"])
        )
    body |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "max_tokens": st.just(1.0),
                "temperature": st.sampled_from([0.5, 1.0]),
                "stream": st.booleans(),
                "anthropic_version": st.just("bedrock-2023-05-31"),
                "inferenceConfig": st.just({"maxTokens": 9, "stopSequences": ["\n"]}),
                "toolConfig": st.just(
                    {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}
                ),
                "tools": st.just([{"type": "function", "function": {"name": "t"}}]),
            },
        )
    )
    return path, body


def spell(body: dict[str, Any], text: str, *, ascii_only: bool) -> bytes:
    return (
        json.dumps(body, ensure_ascii=ascii_only)
        .replace('"TEXT"', json.dumps(text, ensure_ascii=ascii_only))
        .encode(errors="surrogatepass")
    )


def call(path: str, body: bytes) -> Call:
    return Call("default", "POST", path, Head.of(((b"host", b"localhost"),)), body)


RULES = (
    MatchRules(),
    MatchRules(ignore=("messages.*.content", "temperature")),
    MatchRules(ignore=("messages.0.content",), any_profile=True),
)


@settings(max_examples=examples(1500))
@given(forms(), st.lists(TEXTS, min_size=3, max_size=6), st.booleans(), st.sampled_from(RULES))
def test_a_request_that_is_made_of_its_siblings_equals_itself(
    form: tuple[str, dict[str, Any]], texts: list[str], ascii_only: bool, rules: MatchRules
) -> None:
    path, body = form
    siblings, index = AllSiblings(Memory()), Index((), rules)
    for text in ["one", "two", *texts]:
        mine, fresh = (call(path, spell(body, text, ascii_only=ascii_only)) for _ in range(2))
        siblings.find(mine)
        refusal = find_refusal(fresh)
        if mine.findings.text is not None:
            assert mine.findings.text == text
            assert refusal is None
            assert index.key(mine) == index.key(fresh)
            assert mine.model == fresh.model
            for name in (
                "last",
                "question",
                "text",
                "turn",
                "results",
                "system",
                "tools",
                "turns",
                "tokens",
            ):
                assert getattr(mine.prompt, name) == getattr(fresh.prompt, name)
            assert mine.prompt == fresh.prompt
        elif refusal is None:
            siblings.add(mine)


ANSWERS = (
    Message((Text("Minus four degrees."), ToolUse("weather", {"city": "Oslo"})), "tool_use"),
)
OVERLAY = Overlay(
    (
        Rule("system", (Message((Text("Short."),)),), When(system_contains="nothing")),
        Rule("quoted", (Message((Text("Quoted."),)),), When(prompt_regex="Human|INST")),
        Rule("text", (Message((Text("Slashes."),)),), When(text_contains="/")),
        Rule("oslo", ANSWERS, When(prompt_contains="Oslo")),
        Rule(
            "brief",
            (Message((Text("In brief."),)),),
            When(any_of=(When(system_contains="brief"), When(turn=2))),
        ),
    )
)


def describe(answer: Answer) -> tuple[object, ...]:
    reply = answer.reply
    chunks = reply.streamed and reply.http1_chunks
    return (
        answer.source,
        answer.by,
        reply.status,
        reply.headers,
        reply.pieces,
        chunks,
        answer.response,
    )


@pytest.mark.slow
@settings(max_examples=examples(600))
@given(forms(), st.lists(TEXTS, min_size=3, max_size=6), st.booleans())
def test_the_answer_does_not_depend_on_siblings(
    form: tuple[str, dict[str, Any]], texts: list[str], ascii_only: bool
) -> None:
    path, body = form
    shared = make_engine()
    for text in ["Oslo", "Oslo now", *texts]:
        data = spell(body, text, ascii_only=ascii_only)
        answers = [
            engine.answer("POST", path, Head.of(()), data) for engine in (shared, make_engine())
        ]
        assert describe(answers[0]) == describe(answers[1])


def make_engine() -> Engine:
    return Engine(Library((Cassette("c", ()),)), overlay=OVERLAY, checks=parse_checks("rules"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            f"/model/{CLAUDE}/converse",
            {"messages": [{"role": "user", "content": [{"text": "TEXT"}]}]},
        ),
        (
            "/openai/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": "TEXT"}]},
        ),
        ("/v1/responses", {"model": "m", "input": "TEXT"}),
        (
            "/anthropic/v1/messages",
            {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "TEXT"}]},
        ),
    ],
)
def test_the_third_request_is_made_of_its_siblings(path: str, body: dict[str, Any]) -> None:
    """A text may contain every escape of JSON."""
    siblings, texts = AllSiblings(Memory()), ['one "quoted"\n', "two\\", "drei\u00fc\t🎈"]
    for text in texts:
        request = call(path, spell(body, text, ascii_only=True))
        siblings.find(request)
        if request.findings.text is None:
            siblings.add(request)
    assert request.findings.text == texts[-1]


def test_other_requests_are_no_siblings() -> None:
    siblings = AllSiblings(Memory())
    body = {"messages": [{"role": "user", "content": [{"text": "TEXT"}]}]}
    path = f"/model/{CLAUDE}/converse"
    for text in ("one", "two"):
        request = call(path, spell(body, text, ascii_only=True))
        siblings.find(request)
        siblings.add(request)
    plain = spell(body, "three", ascii_only=True)
    others = {
        "another member": (path, plain.replace(b"three", b'three", "more": "')),
        "another block": (path, plain.replace(b"three", b'three"}, {"text": "four')),
        "blank": (path, plain.replace(b"three", b" ")),
        "no text": (path, plain.replace(b"three", b"")),
        "not JSON": (path, plain.replace(b"three", b"\n")),
        "half": (path, plain[: len(plain) // 2]),
        "another path": (f"/model/{CLAUDE_3}/converse", plain),
    }
    for name, (where, data) in others.items():
        request = call(where, data)
        siblings.find(request)
        assert request.findings.text is None, name


def test_the_memory_of_what_siblings_share_is_counted_and_freed() -> None:
    """Many conversations, and a rule whose answer depends on a member that all requests
    of a conversation share.
    """
    engine = make_engine()
    sizes = []
    for number in range(40):
        body = {
            "messages": [{"role": "user", "content": [{"text": "TEXT"}]}],
            "system": [{"text": f"brief {number}"}],
        }
        for text in ("one", "two", "three", "four"):
            data = spell(body, text, ascii_only=True)
            assert (
                engine.answer("POST", f"/model/us.{CLAUDE}/converse", Head.of(()), data).by
                == "brief"
            )
        sizes.append(len(engine._siblings._members))
    assert sizes[-1] >= 40
    assert sizes == sorted(sizes)
    before = engine.memory.used
    engine._siblings._members.clear()
    assert before - engine.memory.used >= 40 * 512
    engine.reset()
    assert engine.memory.used == 0


def test_the_memory_of_siblings_is_counted_and_freed() -> None:
    memory = Memory()
    siblings = AllSiblings(memory)
    for number in range(20):
        request = call(
            f"/model/{CLAUDE}/converse",
            spell(
                {"messages": [{"role": "user", "content": "TEXT"}], "n": number},
                "x",
                ascii_only=True,
            ),
        )
        siblings.find(request)
        siblings.add(request)
    assert memory.used > 0
    siblings.clear()
    assert memory.used == 0
