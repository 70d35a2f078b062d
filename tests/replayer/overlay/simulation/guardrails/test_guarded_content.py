"""Which texts of a request a guardrail evaluates."""

from typing import Any

import pytest

from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.simulation.guardrails.evaluation import GuardedContent
from bedtape_replayer.overlay.simulation.guardrails.guarded_content import (
    is_asynchronous,
    read_prompt,
)
from support.five_apis import CLAUDE
from support.recordings import path


def _call(body: Any, operation: str = "converse", model: str = CLAUDE) -> Call:
    return Call("default", "POST", path(operation, model), Head.of(()), compact(body))


def _guard(text: str, *qualifiers: str) -> dict[str, Any]:
    block: dict[str, Any] = {"text": text, **({"qualifiers": [*qualifiers]} if qualifiers else {})}
    return {"guardContent": {"text": block}}


def _user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*blocks]}


# docs.aws.amazon.com, "Include a guardrail with the Converse API".
CONVERSE = [
    ({"messages": [_user({"text": "a"}, {"text": "b"})]}, GuardedContent(("a", "b"), 2)),
    (
        {"messages": [_user({"text": "a"}), {"role": "assistant", "content": [{"text": "b"}]}]},
        GuardedContent(("a", "b"), 2),
    ),
    ({"messages": [_user({"text": "free"}, _guard("a"))]}, GuardedContent(("a",), 5)),
    (
        {"system": [{"text": "system"}], "messages": [_user({"text": "a"})]},
        GuardedContent(("a",), 1),
    ),
    (
        {"system": [_guard("system")], "messages": [_user({"text": "a"})]},
        GuardedContent(("system", "a"), 7),
    ),
    (
        {"messages": [_user(_guard("s", "grounding_source"), _guard("q", "query"), _guard("a"))]},
        GuardedContent(("a",), 3, "s", "q"),
    ),
    (
        {"messages": [_user(_guard("q", "query", "guard_content"))]},
        GuardedContent(("q",), 1, "", "q"),
    ),
    (
        {
            "messages": [
                _user({"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}),
                {"role": "assistant", "content": [{"toolUse": {"name": "f", "input": {"a": "b"}}}]},
                _user({"text": "a"}),
            ]
        },
        GuardedContent(("a",), 1),
    ),
    ({"messages": "no list"}, GuardedContent((), 0)),
    ([], GuardedContent((), 0)),
]


@pytest.mark.parametrize(("body", "guarded"), CONVERSE)
def test_converse_marks_what_is_evaluated(body: Any, guarded: GuardedContent) -> None:
    assert read_prompt(_call(body)) == guarded


def _tag(kind: str, text: str, suffix: str = "x1") -> str:
    name = f"amazon-bedrock-guardrails-{kind}_{suffix}"
    return f"<{name}>{text}</{name}>"


_CONFIG = {"amazon-bedrock-guardrailConfig": {"tagSuffix": "x1"}}
_LLAMA = "meta.llama3-70b-instruct-v1:0"
# docs.aws.amazon.com, "Apply tags to user input to filter content".
INVOKE = [
    (CLAUDE, {"messages": [{"role": "user", "content": "hello"}]}, ("hello",)),
    (CLAUDE, {"system": "no", "messages": [{"role": "user", "content": "hello"}]}, ("hello",)),
    (_LLAMA, {"prompt": "<|begin_of_text|>hello"}, ("<|begin_of_text|>hello",)),
    ("amazon.titan-text-express-v1", {"inputText": "hello"}, ("hello",)),
    (_LLAMA, {"prompt": f"Say {_tag('guardContent', 'a')}", **_CONFIG}, ("a",)),
    (_LLAMA, {"prompt": f"Say {_tag('guardContent', 'a', 'y2')}", **_CONFIG}, ()),
    (CLAUDE, {"system": _tag("guardContent", "s"), "messages": [_user()], **_CONFIG}, ("s",)),
]


@pytest.mark.parametrize(("model", "body", "texts"), INVOKE)
def test_invoke_model_has_tags(model: str, body: Any, texts: tuple[str, ...]) -> None:
    assert read_prompt(_call(body, "invoke", model)).texts == texts


def test_tags_name_sources_and_queries() -> None:
    text = _tag("groundingSource", "s") + _tag("query", "q") + _tag("guardContent", "a")
    guarded = read_prompt(_call({"prompt": text, **_CONFIG}, "invoke", _LLAMA))
    assert guarded == GuardedContent(("a",), len(text), "s", "q")


ASYNCHRONOUS = [
    ("converse-stream", {"guardrailConfig": {"streamProcessingMode": "async"}}, True),
    ("converse-stream", {"guardrailConfig": {"streamProcessingMode": "sync"}}, False),
    ("converse", {"guardrailConfig": {"streamProcessingMode": "async"}}, False),
    (
        "invoke-with-response-stream",
        {"amazon-bedrock-guardrailConfig": {"streamProcessingMode": "ASYNCHRONOUS"}},
        True,
    ),
    ("invoke-with-response-stream", {}, False),
]


@pytest.mark.parametrize(("operation", "body", "expected"), ASYNCHRONOUS)
def test_a_stream_may_be_asynchronous(operation: str, body: Any, expected: bool) -> None:
    assert is_asynchronous(_call(body, operation)) == expected
