"""A rule without conditions answers the operations that have its kind of answer, and passes
every other operation on.
"""

import json
import re

import pytest

from bedtape_cassettes.families.rendering import can_render
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.operations import OPERATIONS, Operation
from bedtape_replayer.answering.answer import OVERLAY, Answer
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.engine.checks import Validate, parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.document import parse_overlay

BODY = json.dumps(
    {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello."}]}
).encode()
# The operations that rules do not answer in neutral words. A header names those whose path is `/`.
OTHERS = [
    each
    for each in dict.fromkeys((*OPERATIONS, *SERVICE_OPERATIONS))
    if not can_render(each.name) and each.path != "/"
]


def ask(rule: dict[str, object], operation: Operation, checks: Validate = "never") -> Answer:
    overlay = parse_overlay({"bedtape-overlay": 1, "rules": [rule]})
    engine = Engine(Library((Cassette("c", ()),)), overlay=overlay, checks=parse_checks(checks))
    path = re.sub(r"\{[^}]*\}", "abcdefghij", operation.path)
    prefix = "" if operation.service == "bedrock-mantle" else f"/service/{operation.service}"
    return engine.answer(operation.method, prefix + path, Head.of(()), BODY)


def test_a_text_for_every_call_is_not_for_an_operation_that_says_no_text() -> None:
    """Without another answer, such a call is a miss.

    Its report says why the rule did not answer.
    """
    assert len(OTHERS) > 500
    for operation in OTHERS:
        answer = ask({"answer": {"text": "Hello."}}, operation)
        assert (answer.source, answer.call.operation) == ("miss", operation.name)
        assert f"rule-1: {operation.name} has no answers of this kind" in str(answer.miss), (
            operation
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"text": "Hello."},
            {"RetrieveAndGenerate", "RetrieveAndGenerateStream", "InvokeAgent", "InvokeFlow"},
        ),
        ({"passages": [{"text": "Hello."}]}, {"Retrieve"}),
        ({"ranking": "auto"}, {"Rerank"}),
    ],
)
def test_a_rule_answers_the_services_that_have_its_words(
    words: dict[str, object], said: set[str]
) -> None:
    names = {
        "Retrieve",
        "RetrieveAndGenerate",
        "RetrieveAndGenerateStream",
        "Rerank",
        "InvokeAgent",
        "InvokeFlow",
    }
    operations = {each.name: each for each in OPERATIONS if each.name in names}
    assert {
        name for name, each in operations.items() if ask({"answer": words}, each).source == "rule"
    } == said


def test_a_rule_that_names_the_operation_is_refused() -> None:
    models = next(each for each in OPERATIONS if each.name == "ListModels")
    answer = ask(
        {"when": {"operation": "Retrieve"}, "answer": {"text": "Hello."}},
        next(e for e in OPERATIONS if e.name == "Retrieve"),
    )
    assert (answer.source, answer.error or OVERLAY) == ("overlay", OVERLAY)
    assert (
        ask(
            {"when": {"operation": "ListModels"}, "answer": {"raw": {"json": {"data": []}}}}, models
        ).source
        == "rule"
    )


def test_another_rule_answers_after_one_that_has_no_words() -> None:
    """Its count does not move: the first text is for the first inference call."""
    overlay = parse_overlay(
        {
            "bedtape-overlay": 1,
            "rules": [
                {"answers": [{"text": "one"}, {"text": "two"}]},
                {"when": {"operation": "ListModels"}, "answer": {"raw": {"json": {"data": []}}}},
            ],
        }
    )
    engine = Engine(Library((Cassette("c", ()),)), overlay=overlay)
    listed = engine.answer("GET", "/v1/models", Head.of(()), b"")
    asked = engine.answer("POST", "/v1/chat/completions", Head.of(()), BODY)
    assert (listed.source, json.loads(listed.reply.body)) == ("rule", {"data": []})
    assert json.loads(asked.reply.body)["choices"][0]["message"]["content"] == "one"


def test_a_model_that_embeds_has_no_form_for_a_text() -> None:
    """The operation can say a text, so that the rule, or the model of the call, is a mistake."""
    embed = Operation(
        "bedrock-runtime", "InvokeModel", "POST", "/model/amazon.titan-embed-text-v2:0/invoke"
    )
    assert ask({"answer": {"text": "Hello."}}, embed).source in ("overlay", "validation")
