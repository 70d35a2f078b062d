"""The transcript of an interaction: all that was said is in it, and nothing
in it steers a terminal.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import CitedText, Message, Text
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.show import render_raw, render_transcript
from bedtape_cassettes.text import Line, lines
from support import corpus
from support import interactions as some
from support.recordings import converse, record_interaction, stream


def text(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)


def test_a_stream_is_shown_as_it_was_said_and_when() -> None:
    one = replace(
        stream("Rain?", ["It ", "rains"], at_ms=[0, 40, 90, 120, 130], after_ms=300),
        file="w/0002-x.yaml",
    )
    said = text(render_transcript("w", 2, one))
    assert "w:2  ConverseStream  us.amazon.nova-lite-v1:0  200  stream" in said
    assert (
        said.index("user\n  Rain?")
        < said.index("answer\n  It rains\n  stops: end_turn")
        < said.index("stream of 5")
    )
    assert "the head after 300 ms" in said
    assert "40-90 ms  contentBlockDelta x2" in said


def test_no_reason_to_stop_is_shown_of_an_answer_whose_end_is_missing() -> None:
    one = stream("Rain?", ["It ", "rains"], at_ms=[0, 40, 90, 120, 130])
    for cut in (
        replace(one, response=replace(one.response, ends="reset")),
        replace(one, partial=True),
    ):
        said = text(render_transcript("w", 1, cut))
        assert "answer\n  It rains\n  cut: the end of the answer is missing\n" in said
        assert "stops:" not in said


def test_samples_show_system_tools_results_and_usage() -> None:
    tools = next(c for c in store.read([store.samples()]) if c.name == "tools")
    said = text(render_transcript("tools", 2, tools.interactions[1]))
    for words in (
        "system\n  Answer briefly.",
        "tools\n  get_weather",
        'calls get_weather {"town": "Bergen"}',
        "result of tooluse_bPv3mQx7RkyT2sWnLd0Hga: ",
        "usage: 486 tokens in, 17 out",
    ):
        assert words in said


def test_an_error_and_an_unknown_body_are_shown_as_they_are() -> None:
    error = record_interaction(b'{"messages":[]}', b'{"message":"Too many requests"}', status=429)
    assert 'error 429\n  {\n    "message": "Too many requests"' in text(
        render_transcript("a", 1, error)
    )
    other = record_interaction(b"{}", b"\xff\xfe\xfd", url="/other")
    assert "answer\n  3 bytes" in text(render_transcript("a", 1, other))


def test_raw_has_headers_bodies_and_frames() -> None:
    said = text(render_raw("w", 1, stream("Rain?", ["yes"], at_ms=[0, 7])))
    for words in (
        "POST /model/us.amazon.nova-lite-v1%3A0/converse-stream",
        "content-type: application/vnd.amazon.eventstream",
        "event 0 at 0 ms",
        "event 1 at 7 ms",
        ":event-type: contentBlockDelta",
        '{"contentBlockIndex": 0, "delta": {"text": "yes"}}',
    ):
        assert words in said


@given(some.interactions)
def test_whatever_was_recorded_is_shown_in_printable_lines(interaction: Interaction) -> None:
    for text in (render_transcript("a", 1, interaction), render_raw("a", 1, interaction)):
        assert all(line.text.isprintable() for line in text)


def test_a_recording_cannot_steer_the_terminal() -> None:
    hostile = converse("\x1b[2Jhi\x07", "\x1b]0;owned\x07\u202e", model="a\x1b[31m")
    assert "\\x1b[2Jhi\\x07" in text(render_transcript("a", 1, hostile))
    assert all(
        line.text.isprintable()
        for line in (*render_transcript("\x1b", 1, hostile), *render_raw("a", 1, hostile))
    )


@given(st.text())
def test_lines_are_one_line_each(said: str) -> None:
    assert all(line.text.isprintable() for line in lines(said))


@corpus.needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("source", corpus.parts())
def test_all_that_was_said_is_in_the_transcript(source: str) -> None:
    """Over the corpus: the last message, and every word of a message that was answered."""
    for row in corpus.exchanges(source):
        one = row.interaction()
        said = text(render_transcript("a", 1, one)).replace("\n  ", "\n")
        content = content_of(one.operation, one.model, one.response)
        heard = (
            [b.text for b in content.blocks if isinstance(b, Text | CitedText)]
            if isinstance(content, Message)
            else []
        )
        asked = prompt_of(one.operation, one.model, one.request.body.data).last
        for line in (line for each in (asked, *heard) for line in lines(each)):
            assert line.text in said, row
        assert all(line.text.isprintable() for line in render_raw("a", 1, one)), row
