"""What differs, the answer first and noise last; and which interactions belong together."""

import json
from dataclasses import replace

import pytest
from hypothesis import given

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Cassette, Interaction
from bedtape_cassettes.suites.diff import compare, find_differences, render
from support import interactions as some
from support.recordings import answer, converse, prompt, record_interaction, stream


def told(
    before: Interaction, after: Interaction, *, noise: bool = True
) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (d.section, d.where, d.before, d.after)
        for d in find_differences(before, after, noise=noise)
    ]


def test_the_answer_is_first_and_noise_last_and_nothing_is_told_twice() -> None:
    before = converse("Rain?", "no", after_ms=5)
    other = record_interaction(
        prompt("Snow?"), bodies.compact(answer("yes")), headers=(("Content-Type", "text/json"),)
    )
    assert [row[:2] for row in told(before, other)] == [
        ("answer", "text"),
        ("request", "messages[0].content[0].text"),
        ("headers", "content-type"),
        ("noise", "after_ms"),
    ]
    assert told(before, other)[0] == ("answer", "text", "no", "yes")


def test_a_stream_cut_otherwise_and_later_is_noise_alone() -> None:
    before, after = (
        stream("a", ["it ", "rains"]),
        stream("a", ["it rains"], at_ms=[0, 50, 60, 70], after_ms=9),
    )
    assert {row[0] for row in told(before, after)} == {"noise"}
    assert told(before, after, noise=False) == []
    assert told(before, stream("a", ["it ", "pours"]), noise=False) == [
        ("answer", "text", "it rains", "it pours")
    ]


def _calling(city: str, number: str) -> Interaction:
    said = answer("")
    said["output"]["message"]["content"] = [
        {"toolUse": {"toolUseId": number, "name": "look", "input": {"city": city}}}
    ]
    said["stopReason"] = "tool_use"
    return record_interaction(prompt("a"), bodies.compact(said))


def test_a_tools_arguments_are_the_answer_and_its_id_is_noise() -> None:
    assert told(_calling("Bergen", "t1"), _calling("Oslo", "t1"), noise=False) == [
        ("answer", "tool 1", 'look {"city": "Bergen"}', 'look {"city": "Oslo"}')
    ]
    assert [row[0] for row in told(_calling("Bergen", "t1"), _calling("Bergen", "t2"))] == ["noise"]


def test_errors_and_statuses_are_answers() -> None:
    before = record_interaction(prompt("a"), b'{"message":"slow down"}', status=429)
    after = record_interaction(prompt("a"), b'{"message":"no access"}', status=403)
    assert told(before, after)[:2] == [
        ("answer", "status", "429", "403"),
        ("answer", "message", "slow down", "no access"),
    ]


@given(some.interactions, some.interactions)
def test_there_is_a_difference_exactly_where_they_differ(
    one: Interaction, other: Interaction
) -> None:
    assert find_differences(one, one) == ()
    if (one.request.body, one.response.status) != (other.request.body, other.response.status):
        assert find_differences(one, other) or _same_json(one.request.body, other.request.body)


def _same_json(one: Body, other: Body) -> bool:
    """Told by the standard library: the same value, spelled otherwise."""
    try:
        return bool(json.loads(one.data or b"null") == json.loads(other.data or b"null"))
    except ValueError:
        return False


# -- suites ----------------------------------------------------------------------------------------


def cassette(name: str, *interactions: Interaction) -> Cassette:
    return Cassette(
        name,
        tuple(replace(i, file=f"{name}/{n:04d}-x.yaml") for n, i in enumerate(interactions, 1)),
    )


def pairs(before: Cassette, after: Cassette) -> list[tuple[str | None, str | None]]:
    return [(c.before, c.after) for c in compare((before,), (after,))]


def test_interactions_of_one_request_belong_together_then_those_of_one_number() -> None:
    one, two, three, new = (converse(text, "x") for text in ("one", "two", "three", "new"))
    assert pairs(cassette("a", one, two, three), cassette("a", three, new, one)) == [
        ("a:1", "a:3"),
        ("a:2", "a:2"),
        ("a:3", "a:1"),
    ]
    assert pairs(cassette("a", one, two), cassette("a", two)) == [("a:1", None), ("a:2", "a:1")]
    assert pairs(cassette("a", one), cassette("a", one, new)) == [("a:1", "a:1"), (None, "a:2")]
    assert pairs(cassette("a", one, one), cassette("a", one, one)) == [
        ("a:1", "a:1"),
        ("a:2", "a:2"),
    ]


def test_two_that_are_compared_alone_are_a_pair_whatever_they_ask() -> None:
    (difference,) = compare(
        (cassette("a", converse("one", "x")),), (cassette("b", converse("two", "x")),)
    )
    assert (difference.before, difference.after) == ("a:1", "b:1")
    assert [d.section for d in difference.differences] == ["request"]


def test_what_is_shown_names_what_came_and_what_went() -> None:
    old = (cassette("a", converse("one", "line\nold\nend")), cassette("gone", converse("two", "x")))
    new = (cassette("a", converse("one", "line\nnew\nend")), cassette("come", converse("two", "x")))
    lines = [line.text for line in render(compare(old, new, noise=False))]
    assert lines == [
        "a:1",
        "  answer: text",
        "    @@ -1,3 +1,3 @@",
        "     line",
        "    -old",
        "    +new",
        "     end",
        "+ come:1",
        "- gone:1",
    ]


@pytest.mark.parametrize("same", [True, False])
def test_what_is_equal_is_not_shown(same: bool) -> None:
    suite = (cassette("a", converse("one", "x"), converse("two", "y")),)
    other = suite if same else (cassette("a", converse("one", "x"), converse("two", "z")),)
    assert bool(render(compare(suite, other))) is not same


def test_a_difference_cannot_steer_the_terminal() -> None:
    hostile = (cassette("a\x1b[2J", converse("\x1b]0;x\x07", "\x1b[31m")),)
    assert all(
        line.text.isprintable()
        for line in render(compare(hostile, (cassette("b", converse("a", "b\x9b")),)))
    )


def test_signatures_of_reasoning_are_no_difference() -> None:
    def sign(signature: str) -> Interaction:
        block = (
            f'{{"reasoningContent":{{"reasoningText":{{"text":"Hm.","signature":"{signature}"}}}}}}'
        )
        request = f'{{"messages":[{{"role":"user","content":[{block}]}}]}}'
        body = f'{{"output":{{"message":{{"content":[{block}],"role":"assistant"}}}},"stopReason":"end_turn"}}'
        return record_interaction(request.encode(), body.encode())

    assert find_differences(sign("one"), sign("other")) == ()
