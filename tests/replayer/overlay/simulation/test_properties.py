"""Simulation changes no answer that it has no reason to change."""

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
from bedtape_replayer.overlay.simulation.features import parse_features
from support.recordings import path

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
FEATURES = parse_features(
    {
        "limits": True,
        "caching": True,
        "quotas": {"tokens_per_minute": 10**9},
        "service_tiers": True,
        "structured_output": True,
    }
)
_TEXTS = st.text(st.characters(codec="ascii", categories=("L", "P", "Z")), min_size=1, max_size=80)
_TOOLS = st.builds(
    ToolUse, st.just("find"), st.dictionaries(st.just("q"), _TEXTS), st.just("tooluse_1")
)
BLOCKS = st.tuples(
    st.lists(st.builds(Reasoning, _TEXTS), max_size=1),
    st.lists(st.builds(Text, _TEXTS), min_size=1, max_size=2),
    st.lists(_TOOLS, max_size=1),
)


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@given(
    blocks=BLOCKS, most=st.integers(1, 60), stop=st.none() | st.text("ab.", min_size=1, max_size=2)
)
def test_an_answer_changes_only_beyond_a_limit(
    operation: str, blocks: tuple[list[Any], ...], most: int, stop: str | None
) -> None:
    message = Message(tuple(block for group in blocks for block in group))
    config = {"maxTokens": most, **({"stopSequences": [stop]} if stop else {})}
    body = compact(
        {
            "messages": [{"role": "user", "content": [{"text": "q"}]}],
            "inferenceConfig": config,
            "toolConfig": {"tools": [{"toolSpec": {"name": "find"}}]},
        }
    )
    call = Call("default", "POST", path(operation, CLAUDE), Head.of(()), body)
    assert call.operation is not None
    before = render(message, operation=call.operation, model=CLAUDE, body=body, chance=Random(1))
    effect = FEATURES.change(Context(call), before, b"")
    texts = [block.text for block in blocks[1]]
    fits = usage_of(message, Prompt()).output <= most
    if fits and not (stop and any(stop in text for text in texts)):
        assert effect is None
        return
    assert effect is not None
    after = content_of(call.operation, CLAUDE, effect.response)
    assert isinstance(after, Message)
    assert after.usage is not None
    assert after.stop in ("max_tokens", "stop_sequence")
    assert after.usage.output <= most
    assert message.text.startswith(after.text)
    assert not stop or all(
        stop not in block.text for block in after.blocks if isinstance(block, Text)
    )
