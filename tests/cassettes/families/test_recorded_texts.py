"""What recorded answers say and why they ended, read here by hand, is what the families read."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Events
from support import shapes
from support.corpus import Exchange, needs_corpus

pytestmark = [pytest.mark.corpus, needs_corpus]


def _chat(value: Any) -> str:
    choices = value.get("choices") or [{}]
    said = (choices[0].get("message") or choices[0].get("delta") or {}).get("content")
    return re.sub("<reasoning>.*?</reasoning>", "", said or "", flags=re.DOTALL)


def _command(value: Any) -> str:
    if "generations" in value:
        return str(value["generations"][0]["text"])
    return "" if value.get("index") else str(value.get("text", ""))


# The text of a whole answer or of a chunk, and the least number of recordings.
SAID: dict[str, tuple[int, Callable[[Any], str]]] = {
    "llama": (20, lambda value: value["generation"]),
    "titan_text": (
        25,
        lambda value: (
            value["results"][0]["outputText"] if "results" in value else value["outputText"]
        ),
    ),
    "mistral_text": (5, lambda value: value["outputs"][0]["text"]),
    "mistral_chat": (1, lambda value: value["outputs"][0]["text"]),
    "cohere_command": (10, _command),
    "cohere_chat": (6, lambda value: "" if value.get("is_finished") else value["text"]),
    "ai21_j2": (5, lambda value: value["completions"][0]["data"]["text"]),
    "jamba": (2, _chat),
    "openai": (9, _chat),
    "completions": (3, lambda value: value["choices"][0]["text"]),
}
STOPS = {
    "end_turn": "stop FINISH COMPLETE endoftext",
    "max_tokens": "length LENGTH MAX_TOKENS max_tokens",
    "stop_sequence": "STOP_SEQUENCE STOP_CRITERIA_MET",
    "tool_use": "tool_calls",
}
_WHY = re.compile(rb'"(?:stop_reason|finish_reason|completionReason|reason)":\s*"(\w+)"')


@pytest.mark.parametrize("family", SAID)
def test_texts_are_read(family: str) -> None:
    least, said = SAID[family]
    rows = _rows(family)
    assert len(rows) >= least
    for row in rows:
        assert _message(row).text == "".join(said(value) for value in _values(row)), row


@pytest.mark.parametrize("family", SAID)
def test_why_they_ended_is_read(family: str) -> None:
    for row in _rows(family):
        raw = b"".join(map(bodies.compact, _values(row)))
        if b'"amazon-bedrock-guardrailAction":"INTERVENED"' in raw:
            assert _message(row).stop == "guardrail_intervened", row
        else:
            assert _WHY.findall(raw)[-1].decode() in STOPS[_message(row).stop].split(), row


def _rows(family: str) -> list[Exchange]:
    return [row for name, row in shapes.list_rendered() if name == family]


def _values(row: Exchange) -> list[Any]:
    body = row.interaction().response.body
    if isinstance(body, Events):
        return [bodies.read_value(event.form, event.payload) for event in body.events]
    return [bodies.parse(body.data)]


def _message(row: Exchange) -> Message:
    content = content_of(
        row.operation,
        row.model,
        row.interaction().response,
        family=shapes.find_named_family(row.model),
    )
    assert isinstance(content, Message), row
    return content
