"""The journal: what is whole comes back, what is torn ends it, and nothing that is not
ours is taken for a record.
"""

import math
import struct
from collections.abc import Callable
from zlib import crc32

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.format import journal
from bedtape_cassettes.format.journal import (
    Chunk,
    DamagedPart,
    End,
    Head,
    JournalStart,
    Record,
    SentRequest,
)
from support import interactions as some
from support.examples import examples

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)

FILE = "x.journal"
FIRST = JournalStart(journal.VERSION, None, False)

numbers = st.integers(0, 2**40)
times = st.floats(0, 1e9)
opened = st.builds(
    JournalStart,
    st.just(journal.VERSION),
    st.one_of(st.none(), some.texts),
    st.booleans(),
    st.sampled_from([None, "once", "new", "all"]),
)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        SentRequest,
        numbers,
        times,
        some.texts,
        st.just("POST"),
        some.paths,
        some.headers,
        st.binary(max_size=40),
    ),
    st.builds(Head, numbers, times, st.integers(100, 599), some.headers),
    st.builds(Chunk, numbers, times, st.binary(max_size=40)),
    st.builds(End, numbers, times, st.one_of(st.none(), some.texts)),
)
journals = st.builds(lambda first, rest: [first, *rest], opened, st.lists(records, max_size=5))


def encoded(written: list[Record]) -> bytes:
    return b"".join(map(journal.encode, written))


def read(data: bytes) -> list[Record]:
    return list(journal.read(data, FILE))


def framed(content: object) -> bytes:
    """Whatever content, with the length and the checksum that are right for it."""
    data: bytes = content if isinstance(content, bytes) else msgpack.packb(content)
    return struct.pack(">II", len(data), crc32(data)) + data


BEGIN = journal.encode(FIRST)[: -len(framed([0, journal.VERSION, None, False, None]))]


def refused(data: bytes) -> str:
    with pytest.raises(CassetteInvalid) as caught:
        read(data)
    (problem,) = caught.value.problems
    assert problem.file == FILE
    assert problem.fix
    return problem.found


@quick
@given(journals)
def test_what_is_written_comes_back(written: list[Record]) -> None:
    assert read(encoded(written)) == written


@quick
@given(journals)
def test_every_truncation_gives_the_records_that_are_whole(written: list[Record]) -> None:
    data = encoded(written)
    ends = [
        sum(len(journal.encode(record)) for record in written[: n + 1]) for n in range(len(written))
    ]
    for length in range(len(data)):
        assert read(data[:length]) == written[: sum(end <= length for end in ends)]


@quick
@given(journals, st.integers(1, 255), st.data())
def test_a_changed_byte_costs_the_record_that_it_is_in_and_says_where(
    written: list[Record], flip: int, data: st.DataObject
) -> None:
    whole = encoded(written)
    at = data.draw(st.integers(len(BEGIN), len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= flip
    begins = [len(BEGIN), *(len(encoded(written[:n])) for n in range(1, len(written)))]
    hit = max(number for number, begin in enumerate(begins) if begin <= at)
    journal_read = read(bytes(damaged))
    if hit == len(written) - 1:  # at the end it may be that writing stopped there
        assert journal_read in (written[:hit], [*written[:hit], DamagedPart(begins[hit])])
    else:
        assert journal_read == [*written[:hit], DamagedPart(begins[hit]), *written[hit + 1 :]]


def test_records_after_a_hole_of_any_bytes_are_found() -> None:
    rest: list[Record] = [
        SentRequest(2, 1.0, "s", "POST", "/", (), b"{}"),
        Head(2, 1.5, 200, ()),
        End(2, 2.0, None),
    ]
    for hole in (b"\0" * 4096, b"\xff" * 99, b"\x94\x03" * 50, bytes(range(256)) * 3, b"x"):
        begun = encoded([FIRST, Chunk(1, 0.5, b"a")])
        assert read(begun + hole + encoded(rest)) == [
            FIRST,
            Chunk(1, 0.5, b"a"),
            DamagedPart(len(begun)),
            *rest,
        ]


def test_a_last_record_whose_bytes_are_there_and_wrong_is_damage() -> None:
    whole = encoded([FIRST, Chunk(1, 0.5, b"abc")])
    assert read(whole[:-1] + b"x") == [FIRST, DamagedPart(len(encoded([FIRST])))]


def test_a_journal_of_the_version_before_has_no_mode() -> None:
    old = BEGIN + framed([0, 1, "suite", True]) + encoded([Chunk(1, 0.5, b"a")])
    assert read(old) == [JournalStart(journal.VERSION, "suite", True, None), Chunk(1, 0.5, b"a")]


def test_a_changed_byte_of_the_beginning_makes_it_somebody_elses_file() -> None:
    for at in range(len(BEGIN)):
        changed = bytearray(encoded([FIRST, Chunk(1, 0.0, b"a")]))
        changed[at] ^= 0x20
        assert refused(bytes(changed)) == "something else"


@pytest.mark.parametrize(
    "data", [b"\0" * 64, b"{}", b"bedtape\x01rest", b"PK\x03\x04" * 9, framed([0, 1, None, False])]
)
def test_somebody_elses_file_is_refused(data: bytes) -> None:
    assert refused(data) == "something else"


def test_an_empty_file_is_a_recording_of_nothing() -> None:
    assert read(b"") == []


def test_zeros_at_the_end_are_where_the_disk_stopped() -> None:
    assert read(encoded([FIRST, Chunk(1, 0.5, b"a")]) + b"\0" * 4096) == [
        FIRST,
        Chunk(1, 0.5, b"a"),
    ]


@pytest.mark.parametrize(
    ("content", "actual"),
    [
        ([0, journal.VERSION + 1, None, False, None], f"version {journal.VERSION + 1}"),
        ([0, journal.VERSION + 1, "of", {"another": "shape"}], f"version {journal.VERSION + 1}"),
        ([0, "two"], "version 'two'"),
        ([0], "something else in record 0"),
        ([3, 1, 0.0, b"a"], "something else in record 0"),
    ],
)
def test_another_versions_journal_is_refused(content: object, actual: str) -> None:
    assert refused(BEGIN + framed(content)) == actual


WRONG: list[object] = [
    b"\xc1",
    b"\x93\x03",
    b"\xdd\xff\xff\xff\xff",
    b"\xff" * 9,
    b"\x90" * 5,
    b"\x91" * 5000,
    b"\xa2\xff\xff",
    7,
    None,
    [],
    {},
    "abc",
    [None],
    [-1, 1, 0.0, None],
    [5, 1, 0.0, None],
    [4.0, 1, 0.0, None],
    [True, 1, 0.0, "s", "POST", "/", [], b""],
    ["4", 1, 0.0, None],
    [0, journal.VERSION, None, False, None],  # a second beginning
    [4, 1, 0.0],
    [4, 1, 0.0, None, None],
    [4, "1", 0.0, None],
    [4, True, 0.0, None],
    [4, 1, "0", None],
    [4, 1, None, None],
    [4, 1, math.nan, None],
    [4, 1, math.inf, None],
    [4, 1, True, None],
    [4, 1, 0.0, b"x"],
    [4, 1, 0.0, 5],
    [3, 1, 0.0, "text"],
    [3, 1, 0.0, None],
    [2, 1, 0.0, "200", []],
    [2, 1, 0.0, 200, None],
    [2, 1, 0.0, 200, "ab"],
    [2, 1, 0.0, 200, {"a": "b"}],
    [2, 1, 0.0, 200, ["ab"]],
    [2, 1, 0.0, 200, [["a", "b", "c"]]],
    [2, 1, 0.0, 200, [["a", 1]]],
    [2, 1, 0.0, 200, [[b"a", "b"]]],
    [1, 1, 0.0, None, "POST", "/", [], b""],
    [1, 1, 0.0, "s", 1, "/", [], b""],
    [1, 1, 0.0, "s", "POST", b"/", [], b""],
    [1, 1, 0.0, "s", "POST", "/", [], "text"],
    [4, msgpack.ExtType(5, b"x"), 0.0, None],
    [4, 1, msgpack.Timestamp(1, 0), None],
]


@pytest.mark.parametrize("content", WRONG, ids=lambda content: repr(content)[:40])
def test_what_no_recorder_writes_is_refused_after_what_is_good(content: object) -> None:
    data = encoded([FIRST, Chunk(1, 0.5, b"a")]) + framed(content)
    journal_read = journal.read(data, FILE)
    assert [next(journal_read), next(journal_read)] == [FIRST, Chunk(1, 0.5, b"a")]
    assert refused(data) == "something else in record 2"


_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 2**33),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=10,
)


@quick
@given(
    st.one_of(
        st.binary(max_size=30), _values, st.tuples(st.integers(0, 4), _values, _values, _values)
    )
)
def test_a_hostile_journal_is_read_or_refused(content: object) -> None:
    data = encoded([FIRST]) + framed(content)
    try:
        journal_read = read(data)
    except CassetteInvalid:
        return
    assert encoded(journal_read) == data or content == b""


@pytest.mark.parametrize(
    "make",
    [
        lambda b: Chunk(2**63, 1.0, b),
        lambda b: Chunk(1, 5, b),
        lambda b: Chunk(1, 5.0, b * 1_000_000),
    ],
)
def test_large_numbers_and_bodies_come_back(make: Callable[[bytes], Record]) -> None:
    written = [FIRST, make(b"0123456789")]
    assert read(encoded(written)) == written
