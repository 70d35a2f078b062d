"""Typed netstrings: every type, and every way of being damaged is a ValueError. mitmproxy's
own files: test_importers.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.foreign.tnetstring import read
from support.examples import examples


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"0:,", b""),
        (b"5:hello,", b"hello"),
        (b"2:\xc3\xa9;", "é"),
        (b"2:42#", 42),
        (b"3:0.5^", 0.5),
        (b"4:true!", True),
        (b"5:false!", False),
        (b"0:~", None),
        (b"0:]", []),
        (b"8:1:1#1:2#]", [1, 2]),
        (b"8:1:k;1:v,}", {"k": b"v"}),
    ],
)
def test_values(data: bytes, value: object) -> None:
    assert read(b"xx" + data + b"rest", 2) == (value, 2 + len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5:hell,",
        b"5hello,",
        b"-1:a,",
        b"9999999999999:a,",
        b"1:a?",
        b"1:x#",
        b"4:maybe!",
        b"3:1:1#]",
        b"4:1:1#}",
        b"4:9:1#]",
        b"1:\xff;",
    ],
)
def test_damage_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        read(data)


def test_depth_is_bounded() -> None:
    data = b"0:]"
    for _ in range(200):
        data = b"%d:%b]" % (len(data), data)
    with pytest.raises(ValueError, match="levels deep"):
        read(data)


@settings(derandomize=True, max_examples=examples(300))
@given(st.binary(max_size=12), st.integers(0, 20))
def test_whatever_the_bytes(junk: bytes, at: int) -> None:
    sound = b"24:4:name,12:1:a,3:0.5^0:~]}"
    try:
        read(sound[:at] + junk + sound[at:])
    except ValueError:
        pass
