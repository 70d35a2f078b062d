"""Bulk edits: what stays, what goes where, and in which file."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette, Events, Interaction, Suite
from bedtape_cassettes.storage.file_names import name_file
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.selector import find_duplicates, pick
from bedtape_cassettes.suites.texts import read_request_text
from support.recordings import converse, record_interaction, stream

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def filed(name: str, *interactions: Interaction) -> Cassette:
    return Cassette(
        name,
        tuple(replace(i, file=f"{name}/{name_file(n, i)}") for n, i in enumerate(interactions, 1)),
    )


def answers(*texts: str) -> list[Interaction]:
    return [converse(f"say {text}", text) for text in texts]


SUITE = (filed("a", *answers("1", "2", "3")), filed("b", *answers("4")))


def held(suite: Suite) -> dict[str, list[str]]:
    """Each cassette's files by number, with the interaction that it holds, by
    the one digit that it says.
    """
    return {
        c.name: [
            f"{i.file.rpartition('/')[2][:4]}={read_request_text(i)[-1]}" for i in c.interactions
        ]
        for c in suite
    }


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda s: bulk.drop(s, pick(s, ["a:2"])), {"a": ["0001=1", "0003=3"], "b": ["0001=4"]}),
        (lambda s: bulk.drop(s, pick(s, ["b"])), {"a": ["0001=1", "0002=2", "0003=3"]}),
        (lambda s: bulk.keep(s, pick(s, ["a:3"])), {"a": ["0003=3"], "b": ["0001=4"]}),
        (
            lambda s: bulk.truncate_after(s, pick(s, ["a:2"])),
            {"a": ["0001=1", "0002=2"], "b": ["0001=4"]},
        ),
        (
            lambda s: bulk.move(s, pick(s, ["a:1-2"]), "b"),
            {"a": ["0003=3"], "b": ["0001=4", "0002=1", "0003=2"]},
        ),
        (
            lambda s: bulk.move(s, pick(s, ["*"]), "c/d"),
            {"c/d": ["0001=1", "0002=2", "0003=3", "0004=4"]},
        ),
        (
            lambda s: bulk.copy(s, pick(s, ["a:2"]), "b"),
            {"a": ["0001=1", "0002=2", "0003=3"], "b": ["0001=4", "0002=2"]},
        ),
        (
            lambda s: bulk.rename(s, "b", "0"),
            {"0": ["0001=4"], "a": ["0001=1", "0002=2", "0003=3"]},
        ),
        (lambda s: bulk.merge(s, ["b", "a"], "a"), {"a": ["0001=4", "0002=1", "0003=2", "0004=3"]}),
        (lambda s: bulk.merge(s, ["*"], "c"), {"c": ["0001=1", "0002=2", "0003=3", "0004=4"]}),
        (
            lambda s: bulk.renumber(bulk.drop(s, pick(s, ["a:2"])), ["a"]),
            {"a": ["0001=1", "0002=3"], "b": ["0001=4"]},
        ),
    ],
)
def test_an_edit_leaves(change: Callable[[Suite], Suite], after: dict[str, list[str]]) -> None:
    changed = change(SUITE)
    assert held(changed) == after
    for cassette in changed:
        assert all(
            i.file == f"{cassette.name}/{i.file[-len(name_file(1, i)) :]}"
            for i in cassette.interactions
        )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: bulk.move(s, pick(s, ["*"]), "b"), "found the source"),
        (lambda s: bulk.copy(s, pick(s, ["a"]), "../b"), "plain parts"),
        (lambda s: bulk.rename(s, "a", "b"), "found the name of a cassette"),
        (lambda s: bulk.rename(s, "*", "c"), "expected one cassette, found 2"),
        (lambda s: bulk.merge(s, ["a"], "c"), "two cassettes or more"),
        (
            lambda s: bulk.merge((*s, filed("c", *answers("5"))), ["a", "b"], "c"),
            "add it to the cassettes to merge",
        ),
        (lambda s: bulk.split(s, "a", "model"), "more than one model"),
        (
            lambda s: bulk.change_each(s, pick(s, ["a"]), lambda i: bulk.trim(i, 1)),
            "expected a stream",
        ),
    ],
)
def test_what_cannot_be_is_refused(change: Callable[[Suite], Suite], why: str) -> None:
    with pytest.raises(CassetteError, match=why):
        change(SUITE)


def test_what_is_added_has_a_new_name_whatever_the_old_ones_are() -> None:
    odd = [
        replace(i, file=f"odd/{name}")
        for i, name in zip(answers("1", "2"), ("0009-x.yaml", "0009-y.yaml"), strict=True)
    ]
    (after,) = bulk.append((Cassette("odd", tuple(odd)),), "odd", answers("3"))
    assert after.interactions[-1].file == f"odd/{name_file(10, answers('3')[0])}"


def test_files_right_in_the_folder_stay_there() -> None:
    own = (Cassette("folder", tuple(replace(i, file=name_file(1, i)) for i in answers("1"))),)
    (after,) = bulk.append(own, "folder", answers("2"))
    assert [i.file.count("/") for i in after.interactions] == [0, 0]


# -- splitting -------------------------------------------------------------------------------------


def _parts(by: str, *interactions: Interaction) -> dict[str, list[int]]:
    cassette = filed("a", *interactions)
    after = bulk.split((cassette,), "a", by)
    return {c.name: [cassette.interactions.index(i) for i in c.interactions] for c in after}


def test_a_cassette_is_split_by_model_and_by_operation() -> None:
    nova, claude, streamed = converse("1", "1"), converse("2", "2", model=HAIKU), stream("3", ["3"])
    assert _parts("model", nova, claude, streamed) == {
        "a/us.amazon.nova-lite-v1-0": [0, 2],
        "a/us.anthropic.claude-haiku-4-5-20251001-v1-0": [1],
    }
    assert _parts("operation", nova, claude, streamed) == {
        "a/converse": [0, 1],
        "a/converse-stream": [2],
    }


def test_a_session_is_a_conversation_or_an_agents_session() -> None:
    def turns(*texts: str) -> Interaction:
        messages = [
            {"role": "user" if n % 2 == 0 else "assistant", "content": [{"text": text}]}
            for n, text in enumerate(texts)
        ]
        return record_interaction(json.dumps({"messages": messages}).encode(), b"{}")

    agent = record_interaction(
        b'{"inputText":"x"}', b"{}", url="/agents/A/agentAliases/B/sessions/s-42/text"
    )
    assert _parts(
        "session",
        turns("one"),
        turns("two"),
        agent,
        turns("one", "yes", "more"),
        turns("two", "no", "so"),
    ) == {"a/session-1": [0, 3], "a/session-2": [1, 4], "a/s-42": [2]}


def test_a_part_that_exists_is_not_written_over() -> None:
    suite = (filed("a", converse("1", "1"), stream("3", ["3"])), filed("a/converse", *answers("1")))
    with pytest.raises(CassetteError, match="rename or drop"):
        bulk.split(suite, "a", "operation")


# -- one by one ------------------------------------------------------------------------------------


def test_a_trimmed_stream_has_its_first_events() -> None:
    whole = replace(stream("a", ["b", "c", "d"]), file="x/0001.yaml")
    (after,) = bulk.change_each((Cassette("x", (whole,)),), {"x": (0,)}, lambda i: bulk.trim(i, 2))
    body, cut = whole.response.body, after.interactions[0].response.body
    assert isinstance(body, Events)
    assert isinstance(cut, Events)
    assert (cut.events, cut.padded) == (body.events[:2], body.padded)
    assert after.interactions[0].file == whole.file
    with pytest.raises(CassetteError, match="above 0"):
        bulk.trim(whole, 0)


def test_requests_that_are_there_twice_are_named() -> None:
    assert find_duplicates(filed("a", *answers("1", "2", "1", "1"))) == [(1, 3, 4)]
    assert find_duplicates(SUITE[0]) == []
