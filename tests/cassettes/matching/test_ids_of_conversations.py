"""Ids in a recorded conversation get stable forms in both directions: the client sends an id of the
model back in the same request.
"""

from typing import Any

import pytest

from bedtape_cassettes.format.bodies import read_chunk
from bedtape_cassettes.matching.stable_values import stabilise
from bedtape_cassettes.model import Cassette, Events
from support.duplex import SETUP, audio_content, record, text_content, tool_result

USE, OTHER = "tooluse_q7Zk2mWcT4uRb1XnVh9Lsg", "tooluse_0000000000000000000000"


def settle(*timelines: list[tuple[int, str, Any]]) -> list[tuple[list[Any], list[Any]]]:
    """The events of the client and of the model in each conversation, with stable ids."""
    cassette = stabilise(Cassette("talk", tuple(map(record, timelines))))
    return [
        (_read(each.request.events), _read(each.response.body)) for each in cassette.interactions
    ]


def _read(events: Any) -> list[Any]:
    assert isinstance(events, Events)
    return [read_chunk(event.payload)["event"] for event in events.events]  # type: ignore[call-overload, index]


def call_tool(use: str) -> Any:
    return {"toolUse": {"toolUseId": use, "toolName": "weather"}}


def read_id(sent: list[Any]) -> str:
    (start,) = (each["contentStart"] for each in sent if "contentStart" in each)
    value: str = start["toolResultInputConfiguration"]["toolUseId"]
    return value


@pytest.mark.parametrize("at_ms", [1, 20], ids=["soon", "later"])
def test_an_id_that_the_client_sends_back_has_the_form_of_the_answer(at_ms: int) -> None:
    result = [(at_ms + 1, "in", event) for event in tool_result(USE, {})]
    ((sent, got),) = settle([(at_ms, "out", call_tool(USE)), *result])
    form = got[0]["toolUse"]["toolUseId"]
    assert form.startswith("tooluse_")
    assert (form == USE, len(form), read_id(sent)) == (False, len(USE), form)


def test_an_id_in_a_text_of_the_client_has_the_form_too() -> None:
    text = [(9, "in", event) for event in text_content("USER", f"What did {USE} say?")]
    ((sent, got),) = settle([(1, "out", call_tool(USE)), *text])
    assert sent[1]["textInput"]["content"] == f"What did {got[0]['toolUse']['toolUseId']} say?"


@pytest.mark.parametrize("at_ms", [0, 5], ids=["before the answer", "at the same time"])
def test_an_id_that_the_client_made_stays(at_ms: int) -> None:
    result = [(at_ms, "in", event) for event in tool_result(OTHER, {})]
    ((sent, got),) = settle([*result, (5, "out", call_tool(OTHER))])
    assert read_id(sent) == got[0]["toolUse"]["toolUseId"] == OTHER


def test_a_later_conversation_has_the_form_of_an_earlier_one() -> None:
    """A client that goes on with a conversation sends its events again."""
    setup = [(0, "in", event) for event in (*SETUP, *audio_content(1))]
    again = [(0, "in", event) for event in tool_result(USE, {})]
    (_, got), (sent, _) = settle([*setup, (9, "out", call_tool(USE))], again)
    assert read_id(sent) == got[0]["toolUse"]["toolUseId"] != USE
