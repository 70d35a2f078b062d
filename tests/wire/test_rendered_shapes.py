"""What is rendered has the shape of what Bedrock really sent: every real answer read,
rendered again and compared.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bedtape_cassettes.families.content import Content
from bedtape_cassettes.families.models.chat_completions import CHAT_COMPLETIONS
from bedtape_cassettes.families.models.responses import RESPONSES
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.table import FAMILIES
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.model import Body, Events, JsonValue, Response
from support import shapes
from support.corpus import needs_corpus
from support.shapes import Allowance

pytestmark = [pytest.mark.corpus, needs_corpus]

# The newest form is rendered; this is where older or rarer answers differ from
# it. As few as possible.
ALLOWED = (
    Allowance(
        "converse",
        "*",
        "*usage.serverToolUsage",
        "in every answer since October 2025, in none before",
    ),
    Allowance(
        "converse", "*claude*", "*usage.cacheDetails", "newer than the recorded writes to a cache"
    ),
    Allowance(
        "converse",
        "*claude-3-5-sonnet-20241022*",
        "usage.cache*",
        "in 2 of 8 answers of this model alone",
    ),
    Allowance(
        "converse",
        "*claude-sonnet-5",
        "usage.cacheWrite*",
        "one answer has the members for reading alone",
    ),
    Allowance(
        "converse",
        "arn:*application-inference-profile*",
        "usage.cache*",
        "the id does not tell the model",
    ),
    Allowance("converse", "*", "*trace", "a guardrail's policies, which no rule can say"),
    Allowance("anthropic*", "*", "{}", "until October 2025 `model` was not first"),
    Allowance("anthropic*", "*", "chunk.message{}", "until October 2025 `model` was not first"),
    Allowance(
        "anthropic",
        "*claude-3-5-*-20241022*",
        "*usage.cache_*_input_tokens",
        "older answers are without them",
    ),
    Allowance(
        "anthropic",
        "*claude-sonnet-4-5*",
        "usage.cache_creation",
        "one answer of its first days is without it",
    ),
    Allowance("anthropic_text", "*", "type", "older answers are without it"),
    Allowance("anthropic_text", "*", "chunk.type", "older answers are without it"),
    Allowance("nova", "*nova-micro*", "*cache*", "older answers are without them"),
    Allowance("ai21_j2", "*", "*.tokens", "as many as its own tokenizer cuts"),
    Allowance(
        "cohere_command",
        "*",
        "*{}",
        "answers of January and February 2024 have their members in another order",
    ),
    Allowance(
        "titan_text",
        "*",
        "chunk.*TokenCount",
        "a chunk is what the model made in two seconds: one, two or three",
    ),
    Allowance("titan_text", "*", "chunk.completionReason", "the same"),
    Allowance("titan_text", "*", "chunk.amazon-bedrock-invocationMetrics", "the same"),
    Allowance(
        "chat_completions",
        "*",
        "headers.vary",
        "a page of another site must not read answers, so no CORS",
    ),
    Allowance("chat_completions", "*", "headers.access-control-*", "the same"),
    Allowance("responses", "*", "headers.vary", "the same"),
    Allowance("responses", "*", "headers.access-control-*", "the same"),
    Allowance(
        "responses", "*gpt-oss*", "*cache_write_tokens", "the types of OpenAI's client want it"
    ),
    Allowance("responses", "*gpt-5.6*", "*reasoning.context", "newer than GPT-5.5"),
    Allowance(
        "responses",
        "*gpt-5.6*",
        "*{}",
        "`moderation` is last, and objects of the request in any order",
    ),
    Allowance(
        "responses", "*gpt-5.6*", "*text.format.description", "null where the request has none"
    ),
)


_NAMES = [family.name for family in (*FAMILIES, CHAT_COMPLETIONS, RESPONSES)]


@pytest.mark.slow
@pytest.mark.parametrize("family", _NAMES)
def test_rendered_answers_have_the_shape_of_real_ones(family: str) -> None:
    differences = shapes.problems(family, ALLOWED)
    assert not differences, f"{len(differences)} differ:\n" + "\n".join(differences[:8])


def _mistaken(change: Callable[[dict[str, JsonValue]], object]) -> Callable[..., Response]:
    """Rendering with a mistake in each whole answer."""

    def wrong(content: Content, **asked: Any) -> Response:
        made = render(content, **asked)
        if not isinstance(made.body, Body):
            return made
        value = parse(made.body.data)
        assert isinstance(value, dict)
        change(value)
        return replace(made, body=Body("json", compact(value)))

    return wrong


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(zzz=1),
        lambda body: body.pop("stopReason"),
        lambda body: body.update(usage=dict(reversed(body["usage"].items()))),
        lambda body: body["usage"].update(outputTokens=1.0),
        lambda body: body.update(stopReason=None),
    ],
    ids=["a member too many", "one too few", "another order", "another type", "null"],
)
def test_a_mistake_is_seen(
    change: Callable[[dict[str, JsonValue]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "render", _mistaken(change))
    whole = [row for family, row in shapes.list_rendered() if family == "nova" and not row.stream]
    assert len(shapes.problems("nova", ALLOWED)) == len(whole) > 15


@pytest.mark.parametrize("mistake", ["an event too few", "a header too many"])
def test_a_mistake_beside_the_body_is_seen(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(content: Content, **asked: Any) -> Response:
        made = render(content, **asked)
        if mistake == "a header too many" or not isinstance(made.body, Events):
            return replace(made, headers=(*made.headers, ("x-amzn-bedrock-more", "1")))
        return replace(made, body=Events.of(made.body.events[:-1]))

    monkeypatch.setattr(shapes, "render", wrong)
    assert (
        len(shapes.problems("nova", ALLOWED))
        == sum(family == "nova" for family, _ in shapes.list_rendered())
        > 30
    )


def test_every_model_tells_its_family_and_few_answers_are_left_out() -> None:
    models = {row.model for family, row in shapes.list_rendered() if family is None}
    assert models - {"None"} == set()  # operations of agents and knowledge bases have no model
    assert len(shapes.list_rendered()) > 1350


@pytest.mark.parametrize("family", _NAMES)
def test_no_difference_is_allowed_that_does_not_occur(family: str) -> None:
    assert shapes.find_unneeded(family, ALLOWED) == []
