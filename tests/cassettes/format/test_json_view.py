"""Bodies taken apart and put together: the same bytes where nothing changed."""

from hypothesis import given

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Plain, with_leaf
from bedtape_cassettes.format.json_view import read_event, read_values, replace_value, write_values
from bedtape_cassettes.model import Body, Event, Events, Interaction, event_headers
from support.interactions import interactions


@given(interactions)
def test_nothing_changed_is_the_same_body(interaction: Interaction) -> None:
    for body in (interaction.request.body, interaction.response.body):
        assert write_values(body, read_values(body)) is body


def test_what_is_changed_keeps_its_form() -> None:
    chunk = Event(3, event_headers("chunk"), bodies.seal_chunk({"a": "x"}), "bytes")
    named = Event(0, (), b'event: delta\ndata: {"a":"x"}\n\n', "text")
    plain = Event(0, (), b'data: {"a":"x"}\n\n', "data")
    new = [replace_value(event, {"a": "\\1 y"}) for event in (chunk, named, plain)]
    assert [event.form for event in new] == ["bytes", "text", "data"]
    assert new[0].payload == bodies.seal_chunk({"a": "\\1 y"})
    assert new[1].payload == b'event: delta\ndata: {"a":"\\\\1 y"}\n\n'
    assert [read_event(event) for event in new] == [{"a": "\\1 y"}] * 3


def test_text_that_is_no_json_is_one_leaf() -> None:
    body = Body("text", b"not json")
    assert read_values(body) == [Plain("not json")]
    assert write_values(body, [with_leaf(Plain("not json"), (), "new")]) == Body("text", b"new")
    assert read_values(Body("base64", b"\xff\xfe")) == [Plain(None)]


def test_a_stream_has_one_value_an_event() -> None:
    events = Events.of(
        [
            Event(0, event_headers("a"), b'{"n":1}', "json"),
            Event(1, event_headers("b"), b"\xff", "base64"),
        ]
    )
    assert read_values(events) == [{"n": 1}, Plain(None)]
    changed = write_values(events, [{"n": 2}, Plain(None)])
    assert isinstance(changed, Events)
    assert [event.payload for event in changed.events] == [b'{"n":2}', b"\xff"]


def test_numbers_and_truths_are_not_the_same() -> None:
    body = Body("json", b'{"a":1}')
    assert write_values(body, [{"a": True}]) == Body("json", b'{"a":true}')
    assert write_values(body, [{"a": 1.0}]) == Body("json", b'{"a":1.0}')
