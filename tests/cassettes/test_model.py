"""The values of a cassette: comparable, frozen, and only what HTTP can carry."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings

from bedtape_cassettes.model import (
    Event,
    Events,
    event_headers,
    exception_headers,
    is_header,
    is_method,
    is_path,
)
from support import interactions as some
from support.examples import examples


@settings(derandomize=True, deadline=None, max_examples=examples(50))
@given(some.framed_events)
def test_events_come_out_of_their_pack_as_they_went_in(events: list[Event]) -> None:
    packed = Events.of(events)
    assert packed.events == tuple(events)
    assert packed.events is packed.events
    assert packed == Events.of(tuple(events))
    assert packed != Events.of(events, padded=False)
    assert packed != Events.of([*events, events[0]])


def test_an_event_is_named_by_its_type_or_its_exception() -> None:
    plain = Event(0, event_headers("chunk"), b"{}", "json")
    assert plain.headers[0] == (":event-type", "chunk")
    assert plain.type == "chunk"
    assert (
        replace(plain, headers=exception_headers("throttlingException")).type
        == "throttlingException"
    )
    assert replace(plain, headers=(("a", "b"),)).type is None
    assert replace(plain, headers=()).type is None


def test_interactions_are_equal_wherever_they_were_read_and_cannot_be_changed() -> None:
    interaction = some.small()
    assert replace(interaction, file="a/0001-converse.yaml") == interaction
    assert replace(interaction, partial=True) != interaction
    with pytest.raises(FrozenInstanceError):
        interaction.exact = True  # type: ignore[misc]


@pytest.mark.parametrize("method", ["POST", "GET", "M-SEARCH"])
def test_methods(method: str) -> None:
    assert is_method(method)


@pytest.mark.parametrize("method", ["", "post", "A B", "A\n", "../A", "-A", "A" * 33])
def test_what_is_no_method(method: str) -> None:
    assert not is_method(method)


@pytest.mark.parametrize("path", ["/", "/model/a%3A0/converse?a=b#c", "//x"])
def test_paths(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize("path", ["", "model", "/a b", "/é", "/a\r\n", "/a\n", "/\0", "/\x7f"])
def test_what_is_no_path(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("Content-Type", 'text/plain; a="b"', True),
        ("x_a.b!#$%&'*+^`|~1", "", True),
        ("a", "tab\tand é", True),
        ("", "a", False),
        (":status", "200", False),
        ("a b", "c", False),
        ("é", "c", False),
        ("a\n", "c", False),
        ("a", "b\r", False),
        ("a", "b\nc: d", False),
        ("a", "\0", False),
    ],
)
def test_headers(name: str, value: str, right: bool) -> None:
    assert is_header(name, value) == right
