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
from bedtape_cassettes.suites.assign import (
    Assignment,
    assign,
    parse_assignments,
    read_answer_text,
    reconcile,
    with_members,
)
from support.contents import WORDS
from support.corpus import every, needs_corpus
from support.decoding import decode_events, decode_text
from support.examples import examples
from support.recordings import converse, path, prompt, record_interaction, stream


def changed(interaction: Interaction, *words: str) -> Interaction:
    return assign(interaction, parse_assignments(words)).interaction


def value(interaction: Interaction) -> Any:
    body = interaction.response.body
    assert isinstance(body, Body)
    return json.loads(body.data)


# -- real streams ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def spoken() -> list[Interaction]:
    """Every stream of the corpus that says a text, in frames that boto3 reads."""
    rows = (row.interaction() for row in every() if row.stream and row.status == 200)
    return [i for i in rows if read_answer_text(i) is not None and _is_framed(i)]


def _is_framed(interaction: Interaction) -> bool:
    body = interaction.response.body
    return isinstance(body, Events) and bool(body.events[0].headers)


_LONG = st.integers(1, 4).flatmap(lambda n: WORDS.map(lambda text: (text + " and so on; ") * n * 8))


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
@settings(
    max_examples=examples(1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.integers(0, 10_000),
    st.one_of(WORDS, _LONG, st.just("")),
    st.floats(0, 1),
    st.integers(0, 99_999),
)
def test_random_edits_of_real_streams_are_read_by_boto3_as_they_were_meant(
    which: int, words: str, kept: float, tokens: int
) -> None:
    """1,000 edits: a beginning of the recorded text, then another text."""
    streams = spoken()
    record_interaction = streams[which % len(streams)]
    old = decode_text(record_interaction)
    assert old is not None
    assert old == read_answer_text(record_interaction)
    text = old[: int(len(old) * kept)] + words
    edit = assign(record_interaction, parse_assignments([f"answer.text={text}"])).interaction
    if "token" in str(read_values(record_interaction.response.body)).lower():
        edit = assign(edit, parse_assignments([f"usage.outputTokens={tokens}"])).interaction
        content = content_of(edit.operation, edit.model, edit.response)
        assert isinstance(content, Message)
        assert content.usage is None or content.usage.output == tokens
    assert decode_text(edit) == text
    assert document.read(document.write(edit), "x") == edit
    assert kinds(edit) == kinds(record_interaction)
    assert isinstance(edit.response.body, Events)
    times = [event.at_ms for event in edit.response.body.events]
    assert times == sorted(times)


def kinds(interaction: Interaction) -> set[tuple[str, ...]]:
    """The kinds of events that boto3 sees, whatever their number."""
    return {tuple(event) for event in decode_events(interaction)}


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
def test_whole_answers_of_every_family_take_a_text() -> None:
    done: Counter[str] = Counter()
    for row in every():
        record_interaction = row.interaction()
        if row.status != 200 or row.stream or read_answer_text(record_interaction) is None:
            continue
        edit = changed(record_interaction, "answer.text=Étage 3 — “quoted”\nand 漢字 😀")
        assert isinstance(edit.response.body, Body)
        assert read_answer_text(edit) == "Étage 3 — “quoted”\nand 漢字 😀"
        assert "Étage 3" in json.dumps(value(edit), ensure_ascii=False), row
        done[row.model.split(".")[0]] += 1
    assert sum(done.values()) > 800


# -- what follows ----------------------------------------------------------------------------------


def test_a_text_is_cut_as_the_recorded_one_was() -> None:
    record_interaction = stream("q", ["one ", "two", " three"], at_ms=[10, 20, 40, 60, 61, 62])
    assert pieces(changed(record_interaction, "answer.text=ABCDEFGHIJKLM")) == [
        ("ABCD", 20),
        ("EFG", 40),
        ("HIJKLM", 60),
    ]
    assert pieces(changed(record_interaction, "answer.text=ABCDE")) == [("ABCD", 20), ("E", 40)]
    longer = changed(record_interaction, "answer.text=" + "x" * 20)
    assert [(len(text), at) for text, at in pieces(longer)] == [
        (4, 20),
        (3, 40),
        (6, 60),
        (4, 80),
        (3, 100),
    ]
    assert pieces(changed(record_interaction, "answer.text=")) == [("", 20)]
    assert isinstance(longer.response.body, Events)
    assert [event.at_ms for event in longer.response.body.events[-2:]] == [101, 102]


def pieces(interaction: Interaction) -> list[tuple[str, int]]:
    body = interaction.response.body
    assert isinstance(body, Events)
    heard = decode_events(interaction)
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
    assert edit.response.headers == (
        ("Content-Length", str(len(edit.response.body.data))),
        ("X", "y"),
    )


def test_text_after_reasoning_is_changed_and_the_reasoning_is_not() -> None:
    choice = {
        "message": {"content": "<reasoning>Hm.</reasoning>Yes.", "role": "assistant"},
        "finish_reason": "stop",
    }
    body = json.dumps({"choices": [choice]}, separators=(",", ":")).encode()
    asked = record_interaction(prompt("q"), body, url=path("invoke", "openai.gpt-oss-20b-1:0"))
    assert (
        value(changed(asked, "answer.text=No."))["choices"][0]["message"]["content"]
        == "<reasoning>Hm.</reasoning>No."
    )


@pytest.mark.parametrize(
    ("model", "answer", "stop", "member"),
    [
        (
            "meta.llama3-8b-instruct-v1:0",
            {"generation": "a", "stop_reason": "stop"},
            "max_tokens",
            ["stop_reason"],
        ),
        ("anthropic.claude-haiku-4-5", None, "tool_use", ["stop_reason"]),
        (
            "mistral.mistral-7b-instruct-v0:2",
            {"outputs": [{"text": "a", "stop_reason": "stop"}]},
            "max_tokens",
            None,
        ),
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
    asked = record_interaction(
        b'{"prompt":"q","messages":[],"max_tokens":9}',
        json.dumps(whole).encode(),
        url=path("invoke", model),
    )
    edit = changed(asked, f"stop_reason={stop}")
    content = content_of(edit.operation, edit.model, edit.response)
    assert isinstance(content, Message)
    assert content.stop == stop
    assert (value(edit) if member else value(edit)["outputs"][0])["stop_reason"] == {
        "max_tokens": "length"
    }.get(stop, stop)


def test_a_status_makes_an_answer_an_error_and_back() -> None:
    error = changed(converse("q", "fine"), "status=429")
    assert error.response.status == 429
    assert value(error) == {"message": "Too many requests, please wait before trying again."}
    assert dict(error.response.headers)["x-amzn-errortype"].startswith("ThrottlingException:")
    again = changed(error, "answer.text=fine again", "status=200")
    assert value(again)["output"]["message"]["content"] == [{"text": "fine again"}]


def test_members_are_set_by_path() -> None:
    edit = changed(
        converse("q", "a"), "json:$.output.message.content[0].text=b", "json:usage.inputTokens=7"
    )
    assert value(edit)["usage"]["inputTokens"] == 7
    assert read_answer_text(edit) == "b"
    streamed = changed(stream("q", ["a", "b"]), "json:$[1].delta.text=x")
    assert decode_text(streamed) == "xb"
    other = assign(converse("q", "a"), [Assignment("request:$.messages[0].content[0].text", "r")])
    assert json.loads(other.interaction.request.body.data)["messages"][0]["content"] == [
        {"text": "r"}
    ]
    assert "matches other calls" in other.notes[0]


def test_what_cannot_be_fixed_is_told() -> None:
    cut = changed(converse("q", "a"), "stop_reason=max_tokens")
    assert "still max_tokens" in assign(cut, parse_assignments(["answer.text=b"])).notes[0]
    strange = record_interaction(b"{}", b'{"a":1}', url="/retrieveAndGenerate")
    assert "not known" in assign(strange, parse_assignments(["json:a=2"])).notes[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text=a"], "known keys are answer.text=…"),
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
    body = {
        "output": {"message": {"content": [call], "role": "assistant"}},
        "stopReason": "tool_use",
    }
    asked = record_interaction(prompt("q"), json.dumps(body).encode())
    with pytest.raises(CassetteError, match="json:"):
        changed(asked, "answer.text=a")


def test_a_hand_made_edit_of_the_text_is_recounted() -> None:
    before = converse("q", "four")
    after = changed(before, "json:$.output.message.content[0].text=" + "word " * 40)
    assert value(reconcile(before, after).interaction)["usage"]["outputTokens"] == 50
    counted = changed(after, "json:usage.outputTokens=3")
    assert value(reconcile(before, counted).interaction)["usage"]["outputTokens"] == 3


# -- members by path -------------------------------------------------------------------------------

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


UNSENDABLE = {
    "infinity": '{"a":1e999}',
    "half a surrogate pair": '{"a":"\\ud800"}',
    "a huge integer": '{"a":1' + "0" * 400 + "}",
}
TOOL_CALL = {"toolUse": {"toolUseId": "t", "name": "w", "input": {"a": 1}}}
TOOL_ANSWER = {
    "output": {"message": {"role": "assistant", "content": [TOOL_CALL]}},
    "stopReason": "tool_use",
}


@pytest.mark.parametrize("text", UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize(
    "key", ["tool.input", "tool[0].input", "json:$.output", "request:$.messages"]
)
def test_a_value_that_cannot_be_sent_is_refused(key: str, text: str) -> None:
    interaction = record_interaction(prompt("Hi"), json.dumps(TOOL_ANSWER).encode())
    assert changed(interaction, f'{key}={{"a":2}}') != interaction
    with pytest.raises(CassetteError, match=r"expected .*, found "):
        changed(interaction, f"{key}={text}")


@pytest.mark.parametrize(
    "word",
    [
        *(
            f"{key}=\ud800"
            for key in (
                "answer.text",
                "model",
                "tool.input",
                "stop_reason",
                "json:$.a",
                "request:$.a",
            )
        ),
        *(f'{key}={{"a":"\ud800"}}' for key in ("tool.input", "json:$.a", "request:$.a")),
        *(f"{key}.\ud800=1" for key in ("json:$", "request:$")),
    ],
    ids=ascii,
)
def test_an_argument_that_is_not_utf_8_is_refused(word: str) -> None:
    """Python reads bytes of a command line that are not UTF-8 as halves of surrogate pairs."""
    with pytest.raises(
        CassetteError, match=r"expected text in UTF-8, found half of a surrogate pair; write "
    ):
        parse_assignments([word])


@pytest.mark.parametrize("model", ["us.amazon nova", " us.amazon.nova-pro-v1:0", "a\nb", "a\x00"])
def test_a_model_id_has_no_blanks(model: str) -> None:
    with pytest.raises(CassetteError, match="expected the id of a model, found "):
        changed(
            record_interaction(prompt("Hi"), json.dumps(TOOL_ANSWER).encode()), f"model={model}"
        )


@pytest.mark.parametrize("text", ['{"a":NaN}', '{"a":' * 3000 + "1" + "}" * 3000, "[1"])
def test_the_input_of_a_tool_is_json(text: str) -> None:
    interaction = record_interaction(prompt("Hi"), json.dumps(TOOL_ANSWER).encode())
    with pytest.raises(CassetteError, match=r"tool\.input: expected JSON, found "):
        changed(interaction, f"tool.input={text}")
