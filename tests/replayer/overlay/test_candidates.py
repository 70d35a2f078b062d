"""Which layers may take a call: never fewer than those that do, and few that do not."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.candidates import CandidateFinder, Candidates
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.when import When
from support.calls import call, head, model_path
from support.client import Http1
from support.examples import examples

REFUSE = Refuse(Failure("ThrottlingException"))
# Characters that JSON writes in several ways, or joins texts with, among those that it does not.
PIECES = ["a", "b", "a/b", " ", "\n", "\t", '"', "\\", "ü", "🎈", "\x7f", "\ud800", "?", "u0061"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "operation": st.sampled_from([("Converse",), ("InvokeModel", "ConverseStream")]),
    "model": st.sampled_from(["*claude*", "us.*", "amazon.nova-*"]),
    "prompt_contains": TEXT,
    "prompt_equals": TEXT,
    "prompt_regex": st.sampled_from(["a", "^b", "ü$"]),
    "system_contains": TEXT,
    "text_contains": TEXT,
    "json_path": st.fixed_dictionaries({"messages.0.role": st.sampled_from(["user", "assistant"])}),
    "turn": st.integers(0, 2),
    "attempt": st.integers(1, 2),
    "call": st.integers(1, 2),
    "session": st.sampled_from(["s", "t*"]),
    "header": st.fixed_dictionaries({"x-tenant": st.sampled_from(["a*", "b"])}),
}
# One or two conditions: with more, hardly a call is taken.
WHENS = (
    st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=2, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: CONDITIONS[name] for name in names}))
    .map(lambda named: When(**named))
)


def converse(texts: list[str], system: str) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": [{"text": text} for text in texts]}],
        "system": [{"text": system}],
    }


def chat(texts: list[str], system: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text} for text in texts]
    return {
        "model": "m",
        "messages": [
            {"role": "developer", "content": system},
            {"role": "user", "content": content},
        ],
    }


def messages(texts: list[str], system: str) -> dict[str, Any]:
    result = {
        "type": "tool_result",
        "tool_use_id": "a/b",
        "content": [{"type": "text", "text": "a/b"}],
    }
    content = [result, *({"type": "text", "text": text} for text in texts)]
    return {
        "model": "us.claude",
        "messages": [{"role": "user", "content": content}],
        "system": [{"text": system}],
    }


def responses(texts: list[str], system: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text} for text in texts]
    return {"model": "m", "input": [{"role": "user", "content": content}], "instructions": system}


FORMS: dict[str, Callable[[list[str], str], dict[str, Any]]] = {
    **{model_path(end): converse for end in ("converse", "converse-stream", "invoke")},
    "/openai/v1/chat/completions": chat,
    "/anthropic/v1/messages": messages,
    "/v1/responses": responses,
}


def written(value: object, *, ascii_only: bool, odd: bool) -> bytes:
    """A request with a prompt of some blocks, its JSON in one spelling of many."""
    try:
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        body = json.dumps(value).encode()
    return (
        body.replace(b"a", b"\\u0061").replace(b"/", b"\\/") if odd else body.replace(b"/", b"\\/")
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    texts = draw(st.lists(TEXT, max_size=3))
    path = draw(st.sampled_from(sorted(FORMS)))
    body = written(
        FORMS[path](texts, draw(TEXT)), ascii_only=draw(st.booleans()), odd=draw(st.booleans())
    )
    headers = head(amz_sdk_request="attempt=2", x_tenant="acme")
    return Call(
        draw(st.sampled_from(["s", "tu"])), "POST", path, headers, body, draw(st.integers(1, 2))
    )


def matching(overlay: Overlay, asked: Call) -> list[Any]:
    return [layer for layer in overlay.layers if layer.when.matches(asked)]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=examples(500))
@given(st.lists(WHENS, max_size=6), st.lists(calls(), min_size=1, max_size=3), st.booleans())
def test_who_takes_a_call_is_among_them(
    whens: list[When], asked: list[Call], several: bool
) -> None:
    """Asked twice, for the second answer is remembered; after many bodies too, when texts
    are looked for otherwise.
    """
    rules = tuple(Rule(f"rule-{n}", (), when) for n, when in enumerate(whens))
    others = tuple(
        Rule(f"other-{n}", (), When(text_contains=f"other {n}")) for n in range(10 * several)
    )
    overlay = Overlay(
        (*rules, *others), tuple(Fault(f"fault-{n}", REFUSE, when) for n, when in enumerate(whens))
    )
    candidates = CandidateFinder(overlay)
    for number in range(40 * several):
        first = asked[0]
        candidates(
            Call(
                "s",
                "POST",
                first.path,
                first.head,
                written(FORMS[first.path]([f"body {number}"], ""), ascii_only=True, odd=False),
            )
        )
    for one in [*asked, *asked]:
        again = Call(one.session, one.method, one.path, one.head, one.body, one.number)
        selection = candidates(again)
        among = [
            layer
            for layer in (*selection.rules, *selection.answering_faults)
            if layer.when.matches(one)
        ]
        assert among == matching(overlay, one)


@pytest.mark.parametrize(
    "when",
    [
        When(model="*nova*"),
        When(operation=("InvokeModel",)),
        When(prompt_contains="nothing of it"),
        When(system_contains="nothing of it"),
        When(prompt_regex="hello", prompt_contains="nothing of it"),
    ],
)
def test_who_is_about_something_else_is_not(when: When) -> None:
    candidates = CandidateFinder(
        Overlay((Rule("r", (), when),), (Fault("f", REFUSE, when), Fault("d", Delay(1), when)))
    )
    assert candidates(call("hello")) == Candidates()


def test_a_call_need_not_be_read_to_find_that_a_text_is_not_in_it() -> None:
    asked = call("hello")
    assert (
        CandidateFinder(Overlay((Rule("r", (), When(prompt_contains="other")),)))(asked)
        == Candidates()
    )
    assert "prompt" not in vars(asked)


@settings(derandomize=True, deadline=None, max_examples=examples(500))
@given(st.lists(TEXT, min_size=3, max_size=3), st.booleans(), st.booleans())
def test_a_text_is_found_however_its_json_is_written(
    texts: list[str], ascii_only: bool, odd: bool
) -> None:
    asked = Call(
        "s",
        "POST",
        model_path("converse"),
        head(),
        written(converse(texts, ""), ascii_only=ascii_only, odd=odd),
    )
    prompt = asked.prompt.last
    rules = tuple(Rule(f"{n}", (), When(prompt_contains=prompt[n:])) for n in range(len(prompt)))
    assert CandidateFinder(Overlay(rules))(asked).rules == rules


def test_the_same_body_to_another_model_is_another_call() -> None:
    rule = Rule("r", (), When(model="*claude*"))
    candidates = CandidateFinder(Overlay((rule,)))
    assert [candidates(call(model=model)).rules for model in ("a.claude", "nova", "a.claude")] == [
        (rule,),
        (),
        (rule,),
    ]


def test_texts_that_do_not_stand_in_the_body_are_found_too() -> None:
    """A request that counts the tokens of another, which it holds in base64; a
    prompt cut out of a template.
    """
    inner = base64.b64encode(
        json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
    ).decode()
    counting = Call(
        "s",
        "POST",
        model_path("count-tokens"),
        head(),
        json.dumps({"input": {"invokeModel": {"body": inner}}}).encode(),
    )
    noisy = json.dumps({"prompt": "<s>[INST] he<</SYS>>llo [/INST]"}).encode()
    cut = Call("s", "POST", model_path("invoke", "mistral.mistral-7b-instruct-v0:2"), head(), noisy)
    for asked in (counting, cut):
        rule = Rule("r", (), When(prompt_contains=asked.prompt.last))
        assert asked.prompt.last
        assert CandidateFinder(Overlay((rule,)))(asked).rules == (rule,)
    assert counting.prompt.last == "hello"


def test_what_may_be_dear_is_not_asked() -> None:
    """A rule behind the one that answers is never asked, and its regular
    expression may take a minute.
    """
    rules = tuple(Rule(f"{n}", (), When(prompt_regex="(a+)+$", session="other")) for n in range(40))
    asked = call("a" * 100 + "!")
    assert CandidateFinder(Overlay(rules))(asked).rules == rules
    assert "prompt" not in vars(asked)


def test_many_texts_are_looked_for_at_once_where_many_bodies_come() -> None:
    rules = tuple(Rule(f"{n}", (), When(prompt_contains=f"text {n}!")) for n in range(30))
    candidates = CandidateFinder(Overlay(rules))
    for number in range(100):
        wanted = number % 40
        assert candidates(call(f"{number}: text {wanted}!")).rules == rules[wanted : wanted + 1]
    (of_path,) = candidates._by_path.values()
    assert of_path._pattern is not None


def test_faults_that_answer_are_told_from_those_that_harm() -> None:
    instead, harming = Fault("i", REFUSE), Fault("h", Delay(1))
    rule = Rule("r", ())
    assert CandidateFinder(Overlay((rule,), (harming, instead)))(call()) == Candidates(
        (instead,), (rule,), (harming,)
    )


def test_what_is_remembered_of_paths_is_bounded() -> None:
    candidates = CandidateFinder(Overlay((Rule("r", ()),)))
    for number in range(3000):
        candidates(call(model=f"m{number}"))
    assert 0 < len(candidates._by_path) <= 1024


AUTOMATION = (
    "GetDataAutomationStatus",
    "InvokeDataAutomationAsync",
    "ListTagsForResource",
    "TagResource",
)
AGENTS = (("bedrock-agent", "PrepareAgent"), ("bedrock-agent-runtime", "InvokeInlineAgent"))


@pytest.mark.parametrize(
    "requests",
    [
        [
            ("/", {"x-amz-target": f"AmazonBedrockKeystoneRuntimeService.{name}"}, name)
            for name in AUTOMATION
        ],
        [(f"/service/{service}/agents/ABCDEFGHIJ/", {}, name) for service, name in AGENTS],
    ],
)
def test_equal_requests_to_one_path_get_the_answer_of_their_operation(
    requests: list[tuple[str, dict[str, str], str]],
) -> None:
    """The prefix of the path or X-Amz-Target names the operation."""
    with Replayer((), validate="never") as server, Http1(server.url) as connection:
        for _, _, name in requests:
            server.respond(operation=name, raw={"json": {"of": name}})
        for path, headers, name in requests * 2:
            answer = connection.request("POST", path, list(headers.items()), b"{}")
            assert json.loads(answer.body) == {"of": name}
