"""Layers of a session: order, counting, and what each of them answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bedtape_cassettes.families.content import Embeddings, Message, Text
from bedtape_cassettes.model import Body, Response
from bedtape_cassettes.operations import TOKEN_COUNTS
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.candidates import LayerError
from bedtape_replayer.overlay.document import read_returned
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.latency import Delay
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rule import Computed, Rule
from bedtape_replayer.overlay.rule_answers import RuleAnswers, RuleMatch
from bedtape_replayer.overlay.schedule import Schedule
from bedtape_replayer.overlay.session_layers import Layers, NameTaken
from bedtape_replayer.overlay.simulation.features import Features, parse_features
from bedtape_replayer.overlay.when import When
from support.calls import CLAUDE, call, converse_body, model_path


def says(text: str) -> Message:
    return Message((Text(text),))


def computed(function: Callable[[Call], object]) -> Computed:
    """Returns a function for a rule, as `respond` does."""
    return lambda asked: read_returned(function(asked), asked.operation)


def ask(
    layers: Layers, asked: Call, check: Callable[[Call], Response | None] | None = None
) -> RuleMatch | None:
    """Returns the answer of the first rule. The call's body is its match key."""
    return layers.answer_from_rule(layers.count(asked, asked.body), RuleAnswers(), check)


def said(layers: Layers, asked: Call) -> Any:
    """Returns the text that the first rule gives."""
    ruled = ask(layers, asked)
    if ruled is None:
        return None
    assert isinstance(ruled.response.body, Body)
    return json.loads(ruled.response.body.data)["output"]["message"]["content"][0]["text"]


def laid(*rules: Rule, shared: Overlay = NOTHING) -> Layers:
    layers = Layers(shared)
    layers.add(*rules)
    return layers


def test_the_first_rule_that_matches_answers() -> None:
    layers = laid(
        Rule("a", (says("A"),), When(prompt_contains="apple")),
        Rule("b", (says("B"),), When(prompt_contains="pear")),
    )
    assert [said(layers, call(text)) for text in ("apple pear", "pear", "plum")] == ["A", "B", None]
    assert (layers.count_fired("a"), layers.count_fired("b"), layers.count_fired("c")) == (1, 1, 0)


def test_own_rules_come_before_those_of_the_file() -> None:
    layers = laid(
        Rule("own", (says("own"),), When(turn=1)), shared=Overlay((Rule("file", (says("file"),)),))
    )
    assert said(layers, call("a")) == "own"
    assert said(layers, call("a", "b", "c")) == "file"


def test_answers_come_in_turn_and_the_last_again() -> None:
    layers = laid(Rule("a", (says("1"), says("2"))))
    assert [said(layers, call(number=n)) for n in range(1, 5)] == ["1", "2", "2", "2"]


def test_a_rule_that_is_used_up_lets_the_next_answer() -> None:
    layers = laid(
        Rule("a", (says("once"),), schedule=Schedule(times=1)), Rule("b", (says("then"),))
    )
    assert [said(layers, call(number=n)) for n in range(1, 4)] == ["once", "then", "then"]


@pytest.mark.parametrize(
    ("given", "text"),
    [("text", "text"), ({"a": 1}, '{"a":1}'), (says("content"), "content"), (None, "passed")],
)
def test_functions_answer_or_pass(given: Any, text: str) -> None:
    layers = laid(Rule("a", (computed(lambda _: given),)), Rule("b", (says("passed"),)))
    assert said(layers, call()) == text


def test_functions_see_the_call() -> None:
    layers = laid(Rule("a", (computed(lambda c: f"{c.operation} {c.prompt.last} {c.attempt}"),)))
    assert said(layers, call("q")) == "Converse q 1"


@pytest.mark.parametrize("given", [3, ["a"], object()])
def test_functions_that_return_something_else_are_told(given: Any) -> None:
    with pytest.raises(
        LayerError, match="a cannot answer Converse: expected its function to return text"
    ):
        ask(laid(Rule("a", (computed(lambda _: given),))), call())


def test_content_that_the_family_has_no_form_for_is_refused() -> None:
    with pytest.raises(LayerError, match="a cannot answer Converse"):
        ask(laid(Rule("a", (Embeddings(),))), call())


def test_an_unknown_family_is_told_of_the_raw_form() -> None:
    asked = Call("s", "POST", "/model/acme.brain-v1/invoke", call().head, b"{}")
    with pytest.raises(LayerError, match="raw"):
        ask(laid(Rule("a", (says("x"),))), asked)
    raw = ask(laid(Rule("a", (Raw(b'{"x":1}', headers=(("X-Y", "z"),)),))), asked)
    assert raw is not None
    assert raw.response == Response(
        200, (("content-type", "application/json"), ("x-y", "z")), Body("json", b'{"x":1}')
    )
    assert ask(laid(Rule("a", (says("x"),), family="llama")), asked) is not None


def test_what_bedrock_would_refuse_is_refused_before_a_rule_counts() -> None:
    layers = laid(Rule("a", (says("x"),), schedule=Schedule(times=1)))
    no = Failure("ValidationException", "no").build_response()
    ruled = ask(layers, call(), lambda _: no)
    assert ruled is not None
    assert (ruled.layer, ruled.response, layers.count_fired("a")) == ("", no, 0)
    asked: list[Call] = []
    assert ask(layers, call("nobody"), lambda c: asked.append(c)) is not None
    assert len(asked) == 1


def test_simulated_features_get_no_invalid_request() -> None:
    """A guardrail that blocked such a request would count its tokens."""
    layers, asked, seen = Layers(), call(), list[str | None]()
    layers.add(Rule("a", (says("x"),), features=parse_features({"guardrails": True})))
    no = Failure("ValidationException", "no").build_response()

    def refuse(_: Features, family: str | None) -> None:
        seen.append(family)

    for refusal in (no, None):
        occasion = layers.count(asked, b"")
        layers.answer_from_rule(occasion, RuleAnswers(), lambda _, answer=refusal: answer, refuse)
        assert len(seen) == (refusal is None)


def test_what_a_rule_does_not_answer_it_does_not_count() -> None:
    """Neither what its function passes on, nor what Bedrock would refuse, nor
    what it has no form for.
    """
    passing = laid(
        Rule(
            "a",
            (computed(lambda c: "x" if c.prompt.last == "x" else None),),
            schedule=Schedule(times=1),
        )
    )
    assert [said(passing, call(text)) for text in ("a", "x", "x")] == [None, "x", None]
    cannot = laid(Rule("a", (Embeddings(), says("second"))))
    for _ in range(2):
        with pytest.raises(LayerError):
            ask(cannot, call())
    assert cannot.count_fired("a") == 0


_COUNTS = {
    "CountTokens": (
        model_path("count-tokens"),
        {"input": {"converse": json.loads(converse_body("hello"))}},
    ),
    "CountMessageTokens": (
        "/anthropic/v1/messages/count_tokens",
        {"model": CLAUDE, "messages": [{"role": "user", "content": "hello"}]},
    ),
}


def count_tokens(operation: str = "CountTokens") -> Call:
    target, body = _COUNTS[operation]
    asked = Call("s", "POST", target, call().head, json.dumps(body).encode())
    assert asked.operation == operation
    return asked


@pytest.mark.parametrize("operation", TOKEN_COUNTS)
@pytest.mark.parametrize(
    ("schedule", "texts"),
    [
        (Schedule(), ["1", "2", "2", "2", "2"]),
        (Schedule(times=1), ["1", None, None, None, None]),
        (Schedule(after=1), [None, "1", "2", "2", "2"]),
        (Schedule(every=2), ["1", None, "2", None, "2"]),
        (Schedule(times=1, after=1, every=2), [None, "1", None, None, None]),
    ],
    ids=str,
)
def test_a_count_of_tokens_changes_no_counter(
    operation: str, schedule: Schedule, texts: list[str | None]
) -> None:
    """Neither if the rule answers it, nor if the schedule skips it."""
    layers = laid(Rule("a", (says("1"), says("2")), schedule=schedule))
    for text in texts:
        before = layers.counts.get("a", (0, 0))
        for _ in range(2):
            ask(layers, count_tokens(operation))
            assert layers.counts["a"] == before
        assert said(layers, call()) == text


def test_a_rule_that_only_counted_tokens_acted() -> None:
    layers = laid(
        Rule("a", (says("x"),)),
        Rule("skipped", (says("y"),), schedule=Schedule(after=1)),
        Rule("named", (says("z"),), When(operation=("CountTokens",))),
    )
    assert [rule.id for rule in layers.unused] == ["a", "skipped", "named"]
    ask(layers, count_tokens())
    assert [rule.id for rule in layers.unused] == ["skipped", "named"]
    layers.remove("a")
    layers.add(Rule("a", (says("another rule of the same name"),)))
    assert "a" in [rule.id for rule in layers.unused]


def test_a_function_that_raises_is_told() -> None:
    with pytest.raises(
        LayerError, match="a cannot answer Converse: its function raised KeyError: 'a'"
    ):
        ask(laid(Rule("a", (computed(lambda _: {}["a"]),))), call())
    with pytest.raises(LayerError, match="its function returned an answer that is not valid"):
        ask(laid(Rule("a", (computed(lambda _: {"text": 1}),))), call())


def test_nothing_is_checked_that_no_rule_answers() -> None:
    def check(_: Call) -> Response | None:
        raise AssertionError("was checked")

    assert ask(laid(Rule("a", (says("x"),), When(prompt_contains="other"))), call(), check) is None


# -- faults ----------------------------------------------------------------------------------------


def refuse(name: str, **schedule: int) -> Fault:
    return Fault(name, Refuse(Failure("ThrottlingException", name)), schedule=Schedule(**schedule))


OK, NO = Raw(b"{}").build_response(), Failure("ThrottlingException").build_response()


def test_one_error_answers_at_a_time() -> None:
    """The second waits for its own call: it is not used up by one that the first answered."""
    layers = Layers()
    layers.add(Fault("slow", FaultKind()), refuse("one", times=1), refuse("two", times=1))
    answers = [
        layers.answer_from_fault(layers.count(call(number=number), b""), 0.0)
        for number in range(1, 4)
    ]
    assert [answer.layer if answer else None for answer in answers] == ["one", "two", None]
    assert layers.count_fired("slow") == 0


def test_all_harms_happen_to_what_they_reach() -> None:
    layers = Layers()
    layers.add(
        Fault("one", FaultKind(), schedule=Schedule(times=1)),
        Fault("late", Delay(5)),
        refuse("error"),
    )
    harmed = [
        [h.fault.id for h in layers.select_faults(layers.count(call(), b""), response, 0.0)]
        for response in (NO, OK, OK)
    ]
    assert harmed == [["late"], ["one", "late"], ["late"]]


class Remembers(FaultKind):
    """Refuses its second call; what it remembers is the session's."""

    replaces = True

    def build_answer(self, call: Call, context: FaultContext) -> Response | None:
        context.memory["n"] = int(str(context.memory.get("n", 0))) + 1
        return Failure("ThrottlingException").build_response() if context.memory["n"] == 2 else None


def test_memory_and_counts_belong_to_the_session() -> None:
    shared = Overlay(faults=(Fault("f", Remembers()),))
    one, two = Layers(shared), Layers(shared)
    answered = [
        layers.answer_from_fault(layers.count(call(), b""), 0.0) is not None
        for layers in (one, two, one, two)
    ]
    assert answered == [False, False, True, True]


def test_a_fault_that_lets_the_answer_through_did_not_happen() -> None:
    """A quota is asked by every call, and its schedule counts those that it refuses."""
    layers = Layers(Overlay(faults=(Fault("f", Remembers(), schedule=Schedule(times=1)),)))
    assert [layers.answer_from_fault(layers.count(call(), b""), 0.0) is None for _ in range(2)] == [
        True,
        False,
    ]
    assert layers.count_fired("f") == 1


class Draws(FaultKind):
    """A fault that is different for each call."""

    varies = True


def test_chance_depends_on_seed_layer_key_and_the_number_of_equal_calls() -> None:
    def drawn(
        seed: int = 0, name: str = "f", key: bytes = b"k", seen: int = 1, session: str = "s"
    ) -> float:
        layers = Layers(Overlay(faults=(Fault(name, Draws()),), seed=seed))
        for number in range(1, 6):  # other calls change nothing
            layers.select_faults(
                layers.count(call(session="else", number=number), b"other"), OK, 0.0
            )
        for number in range(6, 6 + seen):
            applied = layers.select_faults(
                layers.count(call(session=session, number=number), key), OK, 0.0
            )
        return applied[0].context.draw()

    assert drawn() == drawn() == drawn(session="t")
    others = [drawn(seed=1), drawn(name="g"), drawn(key=b"l"), drawn(seen=2)]
    assert len({drawn(), *others}) == 5


def test_an_answer_is_rendered_once_for_equal_requests() -> None:
    """The cache holds no computed answer, no answer of another rule with the same id, and
    none of another position.
    """
    answers = RuleAnswers()
    calls = []
    sent = {text: call(text) for text in ("q", "another body")}
    for each in sent.values():
        each.findings.seen = True

    def answer(rule: Rule, text: str, times: int = 1) -> list[RuleMatch | None]:
        layers = laid(rule)
        return [
            layers.answer_from_rule(layers.count(sent[text], b"k"), answers) for _ in range(times)
        ]

    constant = Rule("a", (says("1"), says("2")))
    first, second, third = answer(constant, "q", 3)
    assert second is third
    assert first is not second
    assert answer(constant, "q")[0] is not third
    assert answer(constant, "another body")[0] is not third
    assert answer(Rule("a", (says("1"),)), "q")[0] is not first
    by_function = Rule("a", (computed(lambda asked: calls.append(asked) or "text"),))
    answer(by_function, "q", 2)
    assert len(calls) == 2


def test_layers_are_removed_and_replaced() -> None:
    layers = laid(Rule("a", (says("A"),)), shared=Overlay((Rule("file", (says("file"),)),)))
    layers.add(refuse("f"))
    assert layers.has_layer("a")
    assert layers.has_layer("file")
    assert layers.remove("f")
    assert not layers.remove("f")
    assert not layers.remove("file")  # those of the file are everyone's
    assert said(layers, call()) == "A"
    layers.replace_own(NOTHING)
    assert said(layers, call()) == "file"
    assert layers.count_fired("a") == 0


def test_what_stays_keeps_its_count() -> None:
    layers = laid(Rule("a", (says("A"),), schedule=Schedule(times=2)))
    said(layers, call())
    layers.add(Rule("b", (says("B"),)))
    assert [said(layers, call(number=n)) for n in (2, 3)] == ["A", "B"]


def test_another_layer_of_the_same_name_counts_anew() -> None:
    layers = laid(Rule("a", (says("A"),), schedule=Schedule(times=1)))
    said(layers, call())
    layers.replace_own(Overlay((Rule("a", (says("A2"),), schedule=Schedule(times=1)),)))
    assert (layers.count_fired("a"), said(layers, call())) == (0, "A2")


def test_names_are_the_same_in_every_run() -> None:
    layers = Layers()
    assert [layers.next_id(kind) for kind in ("rule", "rule", "fault", "rule")] == [
        "rule-1",
        "rule-2",
        "fault-1",
        "rule-3",
    ]


def test_a_name_is_had_by_one_layer() -> None:
    layers = laid(Rule("rule-1", (says("A"),)), shared=Overlay((Rule("file", (says("file"),)),)))
    assert layers.next_id("rule") == "rule-2"  # the first is taken
    for name in ("rule-1", "file"):
        with pytest.raises(NameTaken, match=f"a layer has the name '{name}' already"):
            layers.add(refuse(name))
    assert len(layers.own.layers) == 1
