"""Removed members and events, and inserted events, in every form of a stream."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import bedtape_cassettes
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Events, Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.events import insert, unset
from support.recordings import converse, stream

SAMPLES = [
    i
    for c in store.read([Path(bedtape_cassettes.__file__).parent / "samples"])
    for i in c.interactions
]
STREAMS = [i for i in SAMPLES if isinstance(i.response.body, Events)]
HELLO = stream("2", ["It ", "rains."], at_ms=[0, 80])


def events(interaction: Interaction) -> Events:
    assert isinstance(interaction.response.body, Events)
    return interaction.response.body


@pytest.mark.parametrize("interaction", STREAMS, ids=lambda i: i.file)
def test_an_event_is_inserted_anywhere_in_the_form_of_its_neighbours_and_removed_again(
    interaction: Interaction,
) -> None:
    before = events(interaction).events
    typed = before[0].form == "json"
    for number in range(len(before) + 1):
        neighbour = before[min(number, len(before) - 1)]
        value = {"type": "ping", "n": number}
        text = f"{neighbour.type}={json.dumps(value)}" if typed else json.dumps(value)
        added = insert(interaction, number, text)
        new = events(added).events[number]
        assert read_values(added.response.body)[number] == value
        assert (new.at_ms, new.headers) == (neighbour.at_ms, neighbour.headers)
        assert unset(added, [f"json:$[{number}]"]).interaction.response.body == replace(
            events(interaction)
        )


def test_an_exception_has_the_headers_of_an_exception() -> None:
    event = events(insert(HELLO, 1, 'throttlingException={"message": "Too many tokens"}')).events[1]
    assert dict(event.headers)[":message-type"] == "exception"
    assert event.type == "throttlingException"


def test_events_are_removed_by_their_numbers_before_the_change() -> None:
    kept = [event for number, event in enumerate(events(HELLO).events) if number not in (0, 2)]
    assert (
        list(events(unset(HELLO, ["json:$[0]", "json:$[2]", "json:$[0]"]).interaction).events)
        == kept
    )


def test_members_are_removed_and_a_changed_request_is_noted() -> None:
    edit = unset(
        converse("a", "b"),
        ["json:$.usage.totalTokens", "json:$.metrics", "request:$.messages.*.role"],
    )
    (answer,) = read_values(edit.interaction.response.body)
    (request,) = read_values(edit.interaction.request.body)
    assert isinstance(answer, dict)
    assert answer["usage"] == {"inputTokens": 1, "outputTokens": 1}
    assert "metrics" not in answer
    assert request == {"messages": [{"content": [{"text": "a"}]}]}
    assert len(edit.notes) == 1


@pytest.mark.parametrize(
    "path", ["json:$.nope", "json:$", "json:$[7]", "request:$.a", "usage", "json:$..a"]
)
def test_a_path_to_nothing_is_refused(path: str) -> None:
    with pytest.raises(CassetteError, match="expected"):
        unset(converse("a", "b"), [path])


@pytest.mark.parametrize(
    ("interaction", "number", "text"),
    [
        (converse("a", "b"), 0, "messageStop={}"),
        (HELLO, 99, "messageStop={}"),
        (HELLO, -1, "messageStop={}"),
        (HELLO, 0, "{}"),
        (HELLO, 0, "messageStop={"),
    ],
)
def test_an_impossible_event_is_refused(interaction: Interaction, number: int, text: str) -> None:
    with pytest.raises(CassetteError, match="expected"):
        insert(interaction, number, text)


UNSENDABLE = {
    "half a surrogate pair, escaped": (r'{"a":"\ud800"}', "half of a surrogate pair"),
    "half a surrogate pair": ('{"a":"\ud800"}', "expected JSON"),
    "half a surrogate pair in a name": (r'{"a":{"\udfff":1}}', "half of a surrogate pair"),
    "NaN": ('{"a":NaN}', "expected JSON"),
    "infinity": ('{"a":-Infinity}', "expected JSON"),
    "a huge float": ('{"a":[1e999]}', "a finite number"),
    "a huge integer": ('{"a":1' + "0" * 400 + "}", "a number that a double can hold"),
    "an integer with more digits than Python reads": ('{"a":' + "9" * 5000 + "}", "expected JSON"),
    "too deep": ("[" * 3000 + "]" * 3000, "expected"),
}


@pytest.mark.parametrize(("text", "problem"), UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize("interaction", STREAMS, ids=lambda i: i.file)
def test_an_event_that_cannot_be_sent_is_refused(
    interaction: Interaction, text: str, problem: str
) -> None:
    neighbour = events(interaction).events[0]
    with pytest.raises(CassetteError, match=problem) as raised:
        insert(interaction, 0, f"{neighbour.type}={text}" if neighbour.form == "json" else text)
    assert len(str(raised.value)) < 300
