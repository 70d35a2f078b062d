"""The selector language: what each term selects, and what is said where nothing is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage.file_names import name_file
from bedtape_cassettes.suites.selector import find_cassettes, list_marks, list_numbers, parse, pick
from support.recordings import MODEL, converse, record_interaction, stream

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
KEY = compute_request_key(converse("eggs, bacon and spam", "no").request).hex()


def filed(name: str, *interactions: Interaction, numbered: tuple[int, ...] = ()) -> Cassette:
    places = numbered or range(1, len(interactions) + 1)
    return Cassette(
        name,
        tuple(
            replace(i, file=f"{name}/{n:04d}-x.yaml")
            for n, i in zip(places, interactions, strict=True)
        ),
    )


SUITE = (
    filed(
        "menu/a",
        converse("eggs, bacon and spam", "no"),
        converse("Spam?", "yes", model=HAIKU),
        stream("rain", ["a"]),
    ),
    filed("weather", stream("rain in Bergen", ["a"]), converse("sun", "b"), numbered=(2, 7)),
)


@pytest.mark.parametrize(
    ("selector", "picked"),
    [
        ("weather", {"weather": (0, 1)}),
        ("*", {"menu/a": (0, 1, 2), "weather": (0, 1)}),
        ("menu/*", {"menu/a": (0, 1, 2)}),
        ("weather:7", {"weather": (1,)}),
        ("weather:1-6", {"weather": (0,)}),
        ("menu/a:2-", {"menu/a": (1, 2)}),
        ("menu/a:1,3", {"menu/a": (0, 2)}),
        ("*:op=ConverseStream", {"menu/a": (2,), "weather": (0,)}),
        ("*:op=converse-stream", {"menu/a": (2,), "weather": (0,)}),
        ("*:op=converse*", {"menu/a": (0, 1, 2), "weather": (0, 1)}),
        ("*:model=*claude*", {"menu/a": (1,)}),
        (f"*:model={HAIKU}", {"menu/a": (1,)}),
        ("*:prompt=spam", {"menu/a": (0, 1)}),
        ("*:prompt=eggs, bacon", {"menu/a": (0,)}),
        ("*:prompt=spam,model=*nova*", {"menu/a": (0,)}),
        ("*:prompt=sun,prompt=Bergen", {"weather": (0, 1)}),
        ("*:2-3,prompt=rain", {"menu/a": (2,), "weather": (0,)}),
        (f"*:key={KEY[:6]}", {"menu/a": (0,)}),
        (f"*:key={KEY.upper()}", {"menu/a": (0,)}),
        ("*:is=stream", {"menu/a": (2,), "weather": (0,)}),
        ("*:status=2??,7", {"weather": (1,)}),
        ("*:answer=YES", {"menu/a": (1,)}),
        ("*:stop=end*,answer=b", {"weather": (1,)}),
        ("*:op=converse,stop=end_turn,answer=yes,answer=b", {"menu/a": (1,), "weather": (1,)}),
    ],
)
def test_a_selector_selects(selector: str, picked: dict[str, tuple[int, ...]]) -> None:
    assert pick(SUITE, [selector]) == picked


def test_selectors_add_up() -> None:
    assert pick(SUITE, ["weather:7", "menu/a:1", "weather:2"]) == {
        "weather": (0, 1),
        "menu/a": (0,),
    }


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("weather:3-4", ["numbers 2, 7", "operations Converse, ConverseStream"]),
        ("menu/a:9", ["numbers 1-3"]),
        ("weather:model=*claude*", [f"models {MODEL}"]),
        ("*:op=CountTokens", ["2 cassettes have", "operations Converse, ConverseStream"]),
        ("weather:key=0", ["keys "]),
        ("weather:answer=*snow*", ["numbers 2, 7; answer=…", "write answer=snow"]),
        ("*:prompt=snow", ["2 cassettes have 5 interactions"]),
        ("*:is=partial", ["2 cassettes have marks stream"]),
        ("wether:2", ["did you mean weather?"]),
        ("zzz", ["known cassettes: menu/a, weather"]),
        ("answer=rain", ["did you mean *:answer=rain?"]),
        ("weather:two", ["expected a number", "found 'two'"]),
        ("weather:3-1", ["a range that goes up"]),
        ("weather:key=xyz", ["hexadecimal"]),
        ("weather:is=cut", ["is=partial"]),
        ("weather:", ["CASSETTE:TERM"]),
        (":2", ["CASSETTE:TERM"]),
        ("weather:op=", ["found 'op='"]),
    ],
)
def test_what_selects_nothing_says_what_there_is(selector: str, said: list[str]) -> None:
    with pytest.raises(CassetteError) as refused:
        pick(SUITE, ["menu/a", selector])
    assert all(words in str(refused.value) for words in said), refused.value
    assert "\n" not in str(refused.value)


def test_brackets_are_no_wildcards() -> None:
    suite = (filed("test[a]", converse("1", "1")), filed("testa", converse("1", "1")))
    assert [c.name for c in find_cassettes(suite, "test[a]")] == ["test[a]"]
    assert [c.name for c in find_cassettes(suite, "test[a*")] == ["test[a]"]


def test_a_comma_of_the_prompt_is_written_with_a_backslash_where_a_term_follows() -> None:
    suite = (filed("sums", converse("1,2", "3"), converse("1", "1")),)
    assert pick(suite, [r"sums:prompt=1\,2"]) == {"sums": (0,)}
    assert pick(suite, ["sums:prompt=1,2"]) == {"sums": (1,)}


def test_a_prompt_is_looked_for_in_tool_results_and_bodies_of_unknown_form() -> None:
    odd = converse("a", "b")
    odd = replace(
        odd, model=None, request=replace(odd.request, path="/retrieveAndGenerate"), operation=None
    )
    assert pick((filed("odd", odd),), ["odd:prompt=messages"]) == {"odd": (0,)}


@pytest.mark.parametrize(
    "names", [("a.yaml", "b.yaml"), ("0003-a.yaml", "0003-b.yaml"), ("0005-a.yaml", "b.yaml")]
)
def test_without_numbers_of_their_own_interactions_have_their_places(
    names: tuple[str, ...],
) -> None:
    cassette = Cassette(
        "odd", tuple(replace(converse("a", "b"), file=f"odd/{name}") for name in names)
    )
    assert list_numbers(cassette) == (1, 2)


@given(st.text(alphabet="ab:,=*?-12\\prompt\n\x1b", max_size=20))
def test_whatever_is_written_is_a_selector_or_refused_in_one_line(text: str) -> None:
    refused = ""
    try:
        assert parse(text).cassettes
    except CassetteError as error:
        refused = str(error)
    assert refused.isprintable()


def test_each_flag_of_an_interaction() -> None:
    assert list_marks(converse("a", "b")) == ()
    assert list_marks(stream("a", ["b"])) == ("stream",)
    assert list_marks(record_interaction(b"{}", b"{}", exact=True)) == ("exact",)
    assert list_marks(replace(stream("a", ["b"]), partial=True)) == ("partial", "stream")


def test_a_file_is_stale_when_its_request_is_no_longer_the_one_it_is_named_after() -> None:
    interaction = converse("a", "b")
    named = replace(interaction, file=f"x/{name_file(12, interaction)}")
    assert list_marks(named) == ()
    assert list_marks(replace(named, request=converse("other", "b").request)) == ("stale",)
    assert list_marks(replace(named, request=replace(named.request, method="PUT"))) == ("stale",)
    assert list_marks(replace(interaction, file="x/by-hand.yaml")) == ()
