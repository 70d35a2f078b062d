"""Strategies for messages, and properties that every family has when it
writes and reads messages.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Block, Message, Text, ToolUse, Usage
from bedtape_cassettes.families.family import Family, ModelRequest, RenderError
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format.bodies import compact, read_value
from bedtape_cassettes.model import Events

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
USAGES = st.none() | st.builds(Usage, st.integers(1, 9999), st.integers(1, 9999))
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
_INPUTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])), _SCALARS | st.lists(_SCALARS), max_size=3
)
CALLS = st.builds(
    ToolUse, st.sampled_from(["get_weather", "add"]), _INPUTS, st.sampled_from(["one", "two_2"])
)


def messages(
    stops: Mapping[str, str], texts: st.SearchStrategy[str] = TEXTS
) -> st.SearchStrategy[Message]:
    """Messages of one text, with stop reasons that the family has words for."""
    return st.builds(
        lambda text, stop, usage: Message((Text(text),) if text else (), stop=stop, usage=usage),
        texts,
        st.sampled_from(list(stops)),
        USAGES,
    )


def model_request(
    family: Family, model: str, request: dict[str, Any], seed: int = 0
) -> ModelRequest:
    return ModelRequest(model, request, family.prompt(request), Random(seed))


def render_chunks(
    family: Family, model: str, request: dict[str, Any], message: Message, seed: int = 0
) -> list[Any]:
    """The values of the chunks."""
    assert family.stream
    return list(family.stream(message, model_request(family, model, request, seed)))


def payloads(model: str, request: dict[str, Any], message: Message) -> list[Any]:
    """The values of the events of InvokeModelWithResponseStream, with Bedrock's metrics."""
    operation = "InvokeModelWithResponseStream"
    response = render(
        message, operation=operation, model=model, body=compact(request), chance=Random(0)
    )
    assert isinstance(response.body, Events)
    return [read_value("bytes", event.payload) for event in response.body.events]


def read_again(
    family: Family, model: str, request: dict[str, Any], message: Message, *, whole: bool
) -> Message:
    """What is read of what was written, in a whole answer or a stream; equal chance
    has to give equal bytes.
    """
    if whole:
        written: Any = family.render(message, model_request(family, model, request))
        assert compact(written) == compact(
            family.render(message, model_request(family, model, request))
        )
        result = family.read(written)
    else:
        written = render_chunks(family, model, request, message)
        assert compact(written) == compact(render_chunks(family, model, request, message))
        assert family.gather
        result = family.gather(written)
    assert isinstance(result, Message)
    return result


def refuses(
    family: Family, model: str, request: dict[str, Any], *blocks: Block, stop: str = "end_turn"
) -> None:
    """That the family says, whole and streamed, that it has no form for any of the
    blocks, or for the stop reason.
    """
    for block in blocks or (Text("Hi."),):
        message = replace(Message((Text("Hi."), block)), stop=stop)
        rejected = type(block).__name__ if blocks else f"the stop reason '{stop}'"
        with pytest.raises(RenderError, match=f"the {family.name} family .*found {rejected}"):
            family.render(message, model_request(family, model, request))
        if family.stream:
            with pytest.raises(RenderError, match=f"the {family.name} family .*found {rejected}"):
                render_chunks(family, model, request, message)
