"""Edits: the text that is set is the text that boto3 reads, and what depends on it follows."""

import json
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.format import document
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Event, Events, Interaction, event_headers
from bedtape_cassettes.suites.assign import Assignment, answer_text, assign, parse_assignments, reconcile, with_members
from support.contents import WORDS
from support.corpus import every, needs_corpus
from support.heard import events_heard, text_heard
from support.recordings import converse, path, prompt, recorded, stream


def changed(interaction: Interaction, *words: str) -> Interaction:
    return assign(interaction, parse_assignments(words)).interaction


def value(interaction: Interaction) -> Any:
    body = interaction.response.body
    assert isinstance(body, Body)
    return json.loads(body.data)


# -- real streams ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def spoken() -> list[Interaction]:
    """Every stream of the corpus that says a text, in frames that boto3 reads."""
    rows = (row.interaction() for row in every() if row.stream and row.status == 200)
    return [i for i in rows if answer_text(i) is not None and _is_framed(i)]


def _is_framed(interaction: Interaction) -> bool:
    body = interaction.response.body
    return isinstance(body, Events) and bool(body.events[0].headers)


_LONG = st.integers(1, 4).flatmap(lambda n: WORDS.map(lambda text: (text + " and so on; ") * n * 8))


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
@pytest.mark.timeout(600)
@settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.one_of(WORDS, _LONG, st.just("")), st.floats(0, 1), st.integers(0, 99_999))
def test_random_edits_of_real_streams_are_read_by_boto3_as_they_were_meant(
    which: int, words: str, kept: float, tokens: int
) -> None:
    """1,000 edits: a beginning of the recorded text, then another text."""
    streams = spoken()
    recorded = streams[which % len(streams)]
    old = text_heard(recorded)
    assert old is not None
    assert old == answer_text(recorded)
    text = old[: int(len(old) * kept)] + words
    edit = assign(recorded, parse_assignments([f"answer.text={text}"])).interaction
    if "token" in str(read_values(recorded.response.body)).lower():
        edit = assign(edit, parse_assignments([f"usage.outputTokens={tokens}"])).interaction
        content = content_of(edit.operation, edit.model, edit.response)
        assert isinstance(content, Message)
        assert content.usage is None or content.usage.output == tokens
    assert text_heard(edit) == text
    assert document.read(document.write(edit), "x") == edit
    assert kinds(edit) == kinds(recorded)
    assert isinstance(edit.response.body, Events)
    times = [event.at_ms for event in edit.response.body.events]
    assert times == sorted(times)


def kinds(interaction: Interaction) -> set[tuple[str, ...]]:
    """The kinds of events that boto3 sees, whatever their number."""
    return {tuple(event) for event in events_heard(interaction)}


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
def test_whole_answers_of_every_family_take_a_text() -> None:
    done: Counter[str] = Counter()
    for row in every():
        recorded = row.interaction()
        if row.status != 200 or row.stream or answer_text(recorded) is None:
            continue
        edit = changed(recorded, "answer.text=Étage 3 — “quoted”\nand 漢字 😀")
        assert isinstance(edit.response.body, Body)
        assert answer_text(edit) == "Étage 3 — “quoted”\nand 漢字 😀"
        assert "Étage 3" in json.dumps(value(edit), ensure_ascii=False), row
        done[row.model.split(".")[0]] += 1
    assert sum(done.values()) > 800


# -- what follows ----------------------------------------------------------------------------------------------


def test_a_text_is_cut_as_the_recorded_one_was() -> None:
    recorded = stream("q", ["one ", "two", " three"], at_ms=[10, 20, 40, 60, 61, 62])
    assert pieces(changed(recorded, "answer.text=ABCDEFGHIJKLM")) == [("ABCD", 20), ("EFG", 40), ("HIJKLM", 60)]
    assert pieces(changed(recorded, "answer.text=ABCDE")) == [("ABCD", 20), ("E", 40)]
    longer = changed(recorded, "answer.text=" + "x" * 20)
    assert [(len(text), at) for text, at in pieces(longer)] == [(4, 20), (3, 40), (6, 60), (4, 80), (3, 100)]
    assert pieces(changed(recorded, "answer.text=")) == [("", 20)]
    assert isinstance(longer.response.body, Events)
    assert [event.at_ms for event in longer.response.body.events[-2:]] == [101, 102]


def pieces(interaction: Interaction) -> list[tuple[str, int]]:
    body = interaction.response.body
    assert isinstance(body, Events)
    heard = events_heard(interaction)
    return [
        (event["contentBlockDelta"]["delta"]["text"], own.at_ms)
        for event, own in zip(heard, body.events, strict=True)
        if "contentBlockDelta" in event
    ]


def test_token_counts_and_their_total_follow_the_text() -> None:
    edit = value(changed(converse("q", "four"), "answer.text=" + "word " * 40))
    assert edit["usage"] == {"inputTokens": 1, "outputTokens": 50, "totalTokens": 51}


def test_a_content_length_that_was_kept_follows() -> None:
    whole = converse("q", "four")
    size = len(whole.response.body.data) if isinstance(whole.response.body, Body) else 0
    response = replace(whole.response, headers=(("Content-Length", str(size)), ("X", "y")))
    edit = changed(replace(whole, exact=True, response=response), "answer.text=longer than four")
    assert isinstance(edit.response.body, Body)
    assert edit.response.headers == (("Content-Length", str(len(edit.response.body.data))), ("X", "y"))


def test_text_after_reasoning_is_changed_and_the_reasoning_is_not() -> None:
    choice = {"message": {"content": "<reasoning>Hm.</reasoning>Yes.", "role": "assistant"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}, separators=(",", ":")).encode()
    asked = recorded(prompt("q"), body, url=path("invoke", "openai.gpt-oss-20b-1:0"))
    assert (
        value(changed(asked, "answer.text=No."))["choices"][0]["message"]["content"] == "<reasoning>Hm.</reasoning>No."
    )


@pytest.mark.parametrize(
    ("model", "answer", "stop", "member"),
    [
        ("meta.llama3-8b-instruct-v1:0", {"generation": "a", "stop_reason": "stop"}, "max_tokens", ["stop_reason"]),
        ("anthropic.claude-haiku-4-5", None, "tool_use", ["stop_reason"]),
        ("mistral.mistral-7b-instruct-v0:2", {"outputs": [{"text": "a", "stop_reason": "stop"}]}, "max_tokens", None),
    ],
)
def test_a_stop_reason_is_said_in_the_family_s_own_word(
    model: str, answer: Any, stop: str, member: list[str] | None
) -> None:
    whole = answer or {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
    }
    asked = recorded(
        b'{"prompt":"q","messages":[],"max_tokens":9}', json.dumps(whole).encode(), url=path("invoke", model)
    )
    edit = changed(asked, f"stop_reason={stop}")
    content = content_of(edit.operation, edit.model, edit.response)
    assert isinstance(content, Message)
    assert content.stop == stop
    assert (value(edit) if member else value(edit)["outputs"][0])["stop_reason"] == {"max_tokens": "length"}.get(
        stop, stop
    )


def test_a_status_makes_an_answer_an_error_and_back() -> None:
    error = changed(converse("q", "fine"), "status=429")
    assert error.response.status == 429
    assert value(error) == {"message": "Too many requests, please wait before trying again."}
    assert dict(error.response.headers)["x-amzn-errortype"].startswith("ThrottlingException:")
    again = changed(error, "answer.text=fine again", "status=200")
    assert value(again)["output"]["message"]["content"] == [{"text": "fine again"}]


def test_members_are_set_by_path() -> None:
    edit = changed(converse("q", "a"), "json:$.output.message.content[0].text=b", "json:usage.inputTokens=7")
    assert value(edit)["usage"]["inputTokens"] == 7
    assert answer_text(edit) == "b"
    streamed = changed(stream("q", ["a", "b"]), "json:$[1].delta.text=x")
    assert text_heard(streamed) == "xb"
    other = assign(converse("q", "a"), [Assignment("request:$.messages[0].content[0].text", "r")])
    assert json.loads(other.interaction.request.body.data)["messages"][0]["content"] == [{"text": "r"}]
    assert "other calls match" in other.notes[0]


def test_what_cannot_be_fixed_is_told() -> None:
    cut = changed(converse("q", "a"), "stop_reason=max_tokens")
    assert "still ends with max_tokens" in assign(cut, parse_assignments(["answer.text=b"])).notes[0]
    strange = recorded(b"{}", b'{"a":1}', url="/retrieveAndGenerate")
    assert "not known" in assign(strange, parse_assignments(["json:a=2"])).notes[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text=a"], "known are answer.text=…"),
        (["status=9"], "from 200 to 599"),
        (["usage.outputTokens=-1"], "whole number"),
        (["usage.cacheReadInputTokens=1"], "counts cacheReadInputTokens, found none"),
        (["stop_reason=tired"], "end_turn"),
        (["json:$.no.such=1"], "found none"),
        (["answer.text=\ud83d"], "surrogate"),
    ],
)
def test_what_cannot_be_done_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(CassetteError, match="expected") as raised:
        changed(converse("q", "a"), *words)
    assert said in str(raised.value)


def test_an_answer_without_a_text_takes_none() -> None:
    call = {"toolUse": {"input": {}, "name": "t", "toolUseId": "i"}}
    body = {"output": {"message": {"content": [call], "role": "assistant"}}, "stopReason": "tool_use"}
    asked = recorded(prompt("q"), json.dumps(body).encode())
    with pytest.raises(CassetteError, match="json:"):
        changed(asked, "answer.text=a")


def test_a_hand_made_edit_of_the_text_is_recounted() -> None:
    before = converse("q", "four")
    after = changed(before, "json:$.output.message.content[0].text=" + "word " * 40)
    assert value(reconcile(before, after).interaction)["usage"]["outputTokens"] == 50
    counted = changed(after, "json:usage.outputTokens=3")
    assert value(reconcile(before, counted).interaction)["usage"]["outputTokens"] == 3


# -- members by path ----------------------------------------------------------------------------------------------

MEMBERS = Body("json", b'{"a":[{"b":1},{"b":2}],"c":"d"}')


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        ("$.a[0].b", "7", {"a": [{"b": 7}, {"b": 2}], "c": "d"}),
        ("a.*.b", '"x"', {"a": [{"b": "x"}, {"b": "x"}], "c": "d"}),
        ("c", "plain words", {"a": [{"b": 1}, {"b": 2}], "c": "plain words"}),
        ("new", "[1]", {"a": [{"b": 1}, {"b": 2}], "c": "d", "new": [1]}),
        ("$", "null", None),
    ],
)
def test_members_are_json_or_text(path: str, value: str, after: object) -> None:
    body = with_members(MEMBERS, path, value, "f")
    assert isinstance(body, Body)
    assert json.loads(body.data) == after


def test_of_a_stream_the_first_part_is_the_event() -> None:
    events = Events.of([Event(0, event_headers("a"), b'{"n":1}', "json") for _ in range(3)])
    assert read_values(with_members(events, "$[1].n", "5", "f")) == [{"n": 1}, {"n": 5}, {"n": 1}]
    assert read_values(with_members(events, "*.n", "5", "f")) == [{"n": 5}] * 3


@pytest.mark.parametrize("path", ["a.9.b", "c.d", "x.y", "a..b"])
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises(CassetteError, match="f: expected"):
        with_members(MEMBERS, path, "1", "f")
