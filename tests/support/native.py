"""Answers in a family's native form, as InvokeModel would give them, and JSON
that no client should send.
"""

import json
from contextlib import suppress
from random import Random
from typing import Any

from hypothesis import strategies as st

from bedtape_cassettes.families.content import Content, Prompt
from bedtape_cassettes.families.family import Family
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.model import Body
from support.corpus import Exchange, every


def invoke(
    model: str, request: dict[str, Any], content: Content, *, seed: int = 0
) -> dict[str, Any]:
    """The body that InvokeModel gives, parsed."""
    response = render(
        content,
        operation="InvokeModel",
        model=model,
        body=json.dumps(request).encode(),
        chance=Random(seed),
    )
    assert isinstance(response.body, Body)
    return dict(json.loads(response.body.data))


def list_exchanges(model: str) -> list[Exchange]:
    """The corpus' InvokeModel exchanges with models whose id holds `model`."""
    return [
        row
        for row in every()
        if model in row.model and row.operation == "InvokeModel" and row.status == 200
    ]


def json_objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON objects, whose members often have these names and the wrong types."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
    keys = st.sampled_from(names) | st.text(max_size=3)
    values = st.recursive(
        scalars | st.just("\ud800") | st.just(10**400),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(keys, values, max_size=5)


def withstands(family: Family, value: dict[str, Any]) -> None:
    """Reading a request never raises; reading an answer or chunks raises ValueError alone."""
    assert isinstance(family.prompt(value), Prompt)
    with suppress(ValueError):
        assert isinstance(family.read(value), family.answers)
    if family.gather is not None:
        with suppress(ValueError):
            assert isinstance(family.gather([value, "[DONE]", value, None]), family.answers)
