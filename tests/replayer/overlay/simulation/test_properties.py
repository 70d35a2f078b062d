"""Simulation changes no answer that it has no reason to change, in all five APIs."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Prompt, Reasoning, Text, ToolUse
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.shared.synthesis import usage_of
from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.simulation.context import Context
from bedtape_replayer.overlay.simulation.features import Effect, Features, parse_features
from support.five_apis import CLAUDE, FORMS, OSS, name_form
from support.recordings import path

FEATURES = parse_features(
    {
        "limits": True,
        "caching": True,
        "quotas": {"tokens_per_minute": 10**9},
        "service_tiers": True,
        "structured_output": True,
        "guardrails": {"abc": {"wordPolicyConfig": {"wordsConfig": [{"text": "zz"}]}}},
    }
)
HEADERS = {"x-amzn-bedrock-guardrailidentifier": "abc", "x-amzn-bedrock-guardrailversion": "1"}
_TEXTS = st.text(st.characters(codec="ascii", categories=("L", "P", "Z")), min_size=1, max_size=80)
_TOOLS = st.builds(
    ToolUse, st.just("find"), st.dictionaries(st.just("q"), _TEXTS), st.just("tooluse_1")
)
BLOCKS = st.tuples(
    st.lists(st.builds(Reasoning, _TEXTS), max_size=1),
    st.lists(st.builds(Text, _TEXTS), min_size=1, max_size=2),
    st.lists(_TOOLS, max_size=1),
)
_OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
_USER = [{"role": "user", "content": "q"}]


def _ask_converse(most: int, stop: list[str]) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": [{"text": "q"}]}],
        "inferenceConfig": {"maxTokens": most, **({"stopSequences": stop} if stop else {})},
        "toolConfig": {"tools": [{"toolSpec": {"name": "find"}}]},
    }


def _ask_claude(most: int, stop: list[str]) -> dict[str, Any]:
    tools = [{"name": "find", "input_schema": _OBJECT}]
    return {"messages": _USER, "max_tokens": most, "stop_sequences": stop, "tools": tools}


def _ask_chat(most: int, stop: list[str]) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": "find", "parameters": _OBJECT}}]
    asked = {"messages": _USER, "max_tokens": most, "tools": tools}
    return {**asked, **({"stop": stop} if stop else {})}


def _ask_responses(most: int, stop: list[str]) -> dict[str, Any]:
    tools = [{"type": "function", "name": "find", "parameters": _OBJECT}]
    return {"input": "q", "max_output_tokens": most, "tools": tools}


# Of each API: the body, and the paths of whole answers and of streams, or the one
# path with the model.
REQUESTS: dict[str, tuple[Callable[[int, list[str]], dict[str, Any]], tuple[str, str]]] = {
    "Converse": (_ask_converse, (path("converse", CLAUDE), path("converse-stream", CLAUDE))),
    "InvokeModel": (
        _ask_claude,
        (path("invoke", CLAUDE), path("invoke-with-response-stream", CLAUDE)),
    ),
    "Chat Completions": (_ask_chat, ("/openai/v1/chat/completions", OSS)),
    "Responses": (_ask_responses, ("/openai/v1/responses", OSS)),
    "Messages": (_ask_claude, ("/anthropic/v1/messages", "anthropic.claude-sonnet-4-5")),
}


def _make_call(api: str, stream: bool, most: int, stop: list[str], guarded: bool) -> Call:
    make, (first, second) = REQUESTS[api]
    body, target = make(most, stop), first
    if second.startswith("/"):
        target = second if stream else first
    else:
        body |= {"model": second, "stream": stream}
    if api == "Chat Completions" and stream:
        body["stream_options"] = {"include_usage": True}
    if guarded and api == "Converse":
        body["guardrailConfig"] = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    headers = HEADERS if guarded and api != "Converse" else {}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Call("default", "POST", target, Head.of(pairs), compact(body))


def _simulate(features: Features, call: Call, message: Message) -> Effect | None:
    """What simulation makes of an answer: None without a change."""
    assert call.operation is not None
    before = render(
        message,
        operation=call.operation,
        model=call.model,
        body=call.body,
        chance=Random(1),
        service=call.service,
        header=call.head.get,
    )
    assert features.refuse(Context(call)) is None
    return features.change(Context(call), before, b"")


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
@given(
    blocks=BLOCKS,
    most=st.integers(1, 60),
    stop=st.none() | st.text("ab.", min_size=1, max_size=2),
    guarded=st.booleans(),
    denied=st.booleans(),
)
def test_an_answer_changes_only_for_a_reason(
    api: str,
    stream: bool,
    blocks: tuple[list[Any], ...],
    most: int,
    stop: str | None,
    guarded: bool,
    denied: bool,
) -> None:
    if denied:
        blocks[1].append(Text("the zz."))
    message = Message(tuple(block for group in blocks for block in group))
    call = _make_call(api, stream, most, [stop] if stop else [], guarded)
    effect = _simulate(FEATURES, call, message)
    texts = [block.text for block in blocks[1]]
    fits = usage_of(message, Prompt()).output <= most
    stops = stop is not None and api != "Responses" and any(stop in text for text in texts)
    if fits and not stops and not (guarded and denied):
        assert effect is None
        return
    assert effect is not None
    assert effect.notes
    after = content_of(call.operation, call.model, effect.response)
    assert isinstance(after, Message)
    assert after.usage is not None
    assert after.usage.output <= most or (fits and guarded and denied)
    if after.stop == "guardrail_intervened":
        assert guarded
        assert denied
        assert after.text == "Sorry, the model cannot answer this question."
        return
    assert after.stop in (
        "max_tokens",
        "end_turn" if api == "Chat Completions" else "stop_sequence",
    )
    assert message.text.startswith(after.text)
    assert (
        api == "Responses"
        or not stop
        or all(stop not in block.text for block in after.blocks if isinstance(block, Text))
    )


@pytest.mark.parametrize(("api", "stream"), FORMS, ids=name_form)
@given(blocks=BLOCKS)
def test_without_features_nothing_changes(
    api: str, stream: bool, blocks: tuple[list[Any], ...]
) -> None:
    message = Message(tuple(block for group in blocks for block in group))
    call = _make_call(api, stream, 1, ["a"], guarded=True)
    names = FEATURES.document
    for features in (parse_features({}), parse_features(dict.fromkeys(names, False))):
        assert _simulate(features, call, message) is None
