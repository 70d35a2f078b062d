"""Packed cassettes: they come back as they were, and whatever else the bytes hold is
refused before it is played.
"""

import time
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.format.tape import MAGIC
from bedtape_cassettes.model import Body, Cassette, Event, Events, Interaction, event_headers
from support import interactions as some
from support.examples import examples

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)

FILE = "suite.tape"


def with_digest(data: bytes) -> bytes:
    return data + blake2b(data, digest_size=16).digest()


def sealed(content: object, magic: bytes = MAGIC) -> bytes:
    """Any content, with the digest that is right for it."""
    return with_digest(magic + msgpack.packb(content))


def refused(data: bytes) -> Problem:
    with pytest.raises(CassetteInvalid) as caught:
        tape.unpack(data, FILE)
    (problem,) = caught.value.problems
    assert problem.file == FILE
    return problem


def streamed() -> Interaction:
    """One with everything in it."""
    interaction = some.small("/model/amazon.nova-lite-v1%3A0/converse-stream")
    events = Events.of([Event(3, event_headers("chunk"), b'{"a":1}', "json")])
    return replace(interaction, response=replace(interaction.response, body=events, after_ms=7))


SUITE = (
    Cassette("a/b", (replace(some.small(), file="a/b/0001-converse-00000000.yaml"),)),
    Cassette("c", (replace(streamed(), file="c/0001-converse-stream-00000000.yaml"),)),
)
PACKED = tape.pack(SUITE)


@quick
@given(st.lists(some.interactions, max_size=3))
def test_what_is_packed_comes_back(interactions: list[Interaction]) -> None:
    named = tuple(
        replace(interaction, file=f"a/{n:04d}-x.yaml") for n, interaction in enumerate(interactions)
    )
    (cassette,) = tape.unpack(tape.pack([Cassette("a", named)]), FILE)
    assert cassette == Cassette("a", named)
    assert [i.file for i in cassette.interactions] == [i.file for i in named]
    for interaction in cassette.interactions:
        if isinstance(interaction.response.body, Events):
            assert all(isinstance(event, Event) for event in interaction.response.body.events)


def test_every_changed_byte_is_noticed() -> None:
    for at in range(len(PACKED)):
        for flip in (0x01, 0xFF):
            torn = bytearray(PACKED)
            torn[at] ^= flip
            assert refused(bytes(torn)).fix


def test_every_truncation_and_addition_is_noticed() -> None:
    for length in range(len(PACKED)):
        refused(PACKED[:length])
    refused(PACKED + b"\0")
    assert tape.unpack(PACKED, FILE) == SUITE


@pytest.mark.parametrize(
    ("data", "expected", "found", "fix"),
    [
        (b"", "a .tape file", "something else", "pack the cassettes again"),
        (b"bedtape: 1\n" * 20, "version 1 or 2 of", "version 58", "upgrade"),
        (b"PK\3\4" * 20, "a .tape file", "something else", "pack"),
        (
            sealed([], b"bedtape\x03"),
            "version 1 or 2 of the .tape format",
            "version 3",
            "upgrade bedtape",
        ),
        (sealed([], b"bedtape\x00"), "a whole .tape file", "cut or changed", "pack"),
        (PACKED[:-1], "a whole .tape file", "cut or changed", "pack the cassettes again"),
        (sealed(1), "packed cassettes", "something else", "pack the cassettes again"),
        (sealed([("../x", [])]), "names inside the folder", "'../x'", "rename that cassette"),
    ],
)
def test_what_is_refused_is_told(data: bytes, expected: str, found: str, fix: str) -> None:
    problem = refused(data)
    assert expected in problem.expected
    assert found in problem.found
    assert fix in problem.fix


BAD_NAMES = ["../x", "..", ".", "", "/etc/passwd", "a/../b", "a//b", "a/", ".hidden"]
BAD_NAMES += ["a\\b", "c:x", "a\nb", "a\0", "a.", "a "]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    assert not tape.is_safe_name(name)
    assert refused(tape.pack([Cassette(name, ())])).found == repr(name)
    assert refused(tape.pack([Cassette("a", (replace(some.small(), file=name),))])).found == repr(
        name
    )


@pytest.mark.parametrize("name", ["a", "a/b-c_d/e.f", "été", "0001-converse-91be03d7.yaml"])
def test_plain_names_are_taken(name: str) -> None:
    assert tape.is_safe_name(name)


# -- right digest, wrong content -------------------------------------------------------------------

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=20),
    st.sampled_from(
        [
            "POST",
            "/model/a/converse",
            "json",
            "text",
            "events",
            b"\x90",
            b"\x91\x94\x00\x90\xc4\x00\xa4json",
        ]
    ),
    st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=12)),
    st.just(msgpack.Timestamp(1)),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(0, 9), st.binary(max_size=3)),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)


def row_of(interaction: Interaction) -> list[Any]:
    unpacked: list[Any] = msgpack.unpackb(msgpack.packb(tape.to_row(interaction)))
    return unpacked


def changed(row: list[Any], path: tuple[int, ...], value: object) -> list[Any]:
    """The row with one place changed."""
    part = row
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return row


PARTS = [(n,) for n in range(6)] + [(4, n) for n in range(5)] + [(5, n) for n in range(6)]


def unpack_or_refuse(data: bytes) -> None:
    """Nothing but CassetteInvalid; and what is taken can be looked at and packed again."""
    try:
        cassettes = tape.unpack(data, FILE)
    except CassetteInvalid:
        return
    for cassette in cassettes:
        for interaction in cassette.interactions:
            body = interaction.response.body
            assert body.data is not None if isinstance(body, Body) else body.events
    assert tape.unpack(tape.pack(cassettes), FILE) == cassettes


@quick
@given(_VALUES)
def test_any_content_is_refused_or_fit(value: object) -> None:
    unpack_or_refuse(sealed(value))
    unpack_or_refuse(sealed([["a", value]]))
    unpack_or_refuse(sealed([["a", [["a", value]]]]))


@quick
@given(st.sampled_from(PARTS), _VALUES, st.booleans())
def test_any_value_in_a_rows_place_is_refused_or_fit(
    path: tuple[int, ...], value: object, stream: bool
) -> None:
    row = changed(row_of(streamed() if stream else some.small()), path, value)
    unpack_or_refuse(sealed([["a", [["a", row]]]]))


@quick
@given(
    st.one_of(
        st.binary(max_size=30),
        _VALUES.map(msgpack.packb),
        st.lists(st.lists(_VALUES, min_size=4, max_size=4)).map(msgpack.packb),
    )
)
def test_any_packed_events_are_refused_or_fit(packed: bytes) -> None:
    unpack_or_refuse(sealed([["a", [["a", changed(row_of(streamed()), (5, 4), packed)]]]]))


@quick
@given(st.binary(max_size=60))
def test_bytes_that_are_no_msgpack_are_refused(data: bytes) -> None:
    unpack_or_refuse(with_digest(MAGIC + data))


@pytest.mark.parametrize(
    "data",
    [b"\x81\x80\x01", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", b"\xc1", b"\xd7\xff" + b"\xff" * 8],
)
def test_msgpack_that_trips_its_reader_is_refused(data: bytes) -> None:
    refused(with_digest(MAGIC + data))


def events(*rows: object) -> bytes:
    packed: bytes = msgpack.packb(rows)
    return packed


FINE = [3, event_headers("chunk"), b"{}", "json"]

HOSTILE: dict[str, tuple[tuple[int, ...], object]] = {
    "an operation that the path does not say": ((0,), "../../x"),
    "a model that the path does not say": ((1,), "amazon.nova-pro-v1:0"),
    "a flag that is a number": ((2,), 1),
    "a method that is a path": ((4, 0), "../../x"),
    "a path with a line break": ((4, 1), "/model\r\nhost: x"),
    "a header that splits the answer": ((5, 1), [["a", "b\r\nset-cookie: c"]]),
    "a header's name that HTTP cannot carry": ((5, 1), [["é", "b"]]),
    "a header that is text": ((5, 1), ["ab"]),
    "headers that are a mapping": ((5, 1), {"a": "b"}),
    "a header of three": ((5, 1), [["a", "b", "c"]]),
    "a status too high": ((5, 0), 600),
    "a status that is true": ((5, 0), True),
    "a time before": ((5, 2), -1),
    "a time after a day": ((5, 2), 86_400_001),
    "a form that nobody knows": ((5, 3), "xml"),
    "text that is not UTF-8": ((4, 4), b"\xff"),
    "no events": ((5, 4), events()),
    "events that are not packed": ((5, 4), b"garbage"),
    "an event too short": ((5, 4), events(FINE[:3])),
    "events of two lengths": ((5, 4), events(FINE, [*FINE, 1])),
    "an event's negative time": ((5, 4), events([-1, *FINE[1:]])),
    "an event's time that is true": ((5, 4), events([True, *FINE[1:]])),
    "an event's header that is a number": ((5, 4), events([3, [["a", 1]], b"{}", "json"])),
    "an event's header that is text": ((5, 4), events([3, ["ab"], b"{}", "json"])),
    "an event's header twice": ((5, 4), events([3, [["a", "b"], ["a", "b"]], b"{}", "json"])),
    "an event's header too long": ((5, 4), events([3, [["a", "b" * 32768]], b"{}", "json"])),
    "an event's payload that is text": ((5, 4), events([3, FINE[1], "{}", "json"])),
    "an event's payload too long for a frame": (
        (5, 4),
        events([3, FINE[1], bytes(24 * 2**20 + 1), "json"]),
    ),
    "an event of no form": ((5, 4), events([3, FINE[1], b"{}", "yaml"])),
    "padding that is a number": ((5, 5), 1),
}


@pytest.mark.parametrize(("path", "value"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_refused(path: tuple[int, ...], value: object) -> None:
    fine = changed(row_of(streamed()), (4, 3), "text") if path == (4, 4) else row_of(streamed())
    assert tape.unpack(sealed([["a", [["a", fine]]]]), FILE)
    row = changed(fine, path, value)
    problem = refused(sealed([["a", [["a", row]]]]))
    assert problem.expected == "packed cassettes"
    assert problem.fix == "pack the cassettes again"


# -- the rows of the load cache --------------------------------------------------------------------


@quick
@given(st.dictionaries(st.binary(max_size=16), some.interactions, max_size=3))
def test_cached_rows_come_back(interactions: dict[bytes, Interaction]) -> None:
    rows = {digest: tape.to_row(interaction) for digest, interaction in interactions.items()}
    read = tape.unpack_rows(tape.pack_rows(rows))
    assert {digest: tape.from_row(row, "") for digest, row in read.items()} == interactions


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", PACKED, PACKED[:-1], sealed(1), sealed(None), sealed({}, b"bedtape\x02")],
)
def test_what_is_no_cache_is_empty(data: bytes) -> None:
    assert tape.unpack_rows(data) == {}


# -- speed -----------------------------------------------------------------------------------------


def test_five_thousand_interactions_load_in_half_a_second() -> None:
    """3.6 KB each, every fourth a stream of 25 events.

    The best of five, for other tests run beside this one.
    """
    plain, stream = some.small(text="x" * 2400, answer="y" * 1000), streamed()
    rows = [
        Event(n, event_headers("contentBlockDelta"), b'{"delta":{"text":"%d"}}' % n, "json")
        for n in range(25)
    ]
    long = replace(
        stream,
        response=replace(stream.response, body=Events.of(rows)),
        request=plain.request,
        operation="Converse",
    )
    many = tuple(
        replace(long if n % 4 == 0 else plain, file=f"a/{n:05d}-converse.yaml") for n in range(5000)
    )
    data = tape.pack([Cassette("a", many)])
    assert 3000 < len(data) / 5000 < 4200
    assert min(map(_timed, [partial(tape.unpack, data, FILE)] * 5)) < 0.5


def _timed(load: partial[tuple[Cassette, ...]]) -> float:
    began = time.process_time()
    load()
    return time.process_time() - began


@pytest.mark.parametrize("region", [None, "eu-west-1"])
@pytest.mark.parametrize("service", [None, "bedrock-runtime", "bedrock-mantle"])
def test_the_region_and_the_service_come_back(region: str | None, service: str | None) -> None:
    interaction = replace(SUITE[0].interactions[0], region=region, service=service)
    (read,) = tape.unpack(tape.pack([Cassette("a/b", (interaction,))]), FILE)
    written = document.read(document.write(interaction), interaction.file)
    for back in (*read.interactions, written):
        assert (back.region, back.service) == (region, service)


def test_another_service_is_refused() -> None:
    interaction = replace(SUITE[0].interactions[0], service="bedrock-agent")
    assert "service" in refused(tape.pack([Cassette("a/b", (interaction,))])).found
    with pytest.raises(CassetteInvalid, match="expected bedrock-runtime or bedrock-mantle, found"):
        document.read(document.write(interaction), interaction.file)
