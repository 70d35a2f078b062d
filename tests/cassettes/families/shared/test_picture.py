"""Made-up images are valid PNGs. The oracle is the PNG specification, read here with zlib."""

import struct
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Images
from bedtape_cassettes.families.shared import picture

PROMPTS = st.text(st.characters(exclude_categories=["Cs"]))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body, crc = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(crc, "big")
        yield kind, body
        at += 12 + length


@given(PROMPTS, st.integers(), st.integers(0, 4))
def test_a_png_has_its_chunks_and_as_many_dots_as_it_says(
    prompt: str, seed: int, index: int
) -> None:
    (header, data, end) = _chunks(picture.png(prompt, seed, index))
    assert (header[0], data[0], end) == (b"IHDR", b"IDAT", (b"IEND", b""))
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", header[1])
    assert (bits, colour, rest) == (8, 2, [0, 0, 0])
    rows = zlib.decompress(data[1])
    assert len(rows) == height * (1 + 3 * width)
    assert all(rows[at] == 0 for at in range(0, len(rows), 1 + 3 * width))


def test_equal_arguments_give_equal_files_and_others_do_not() -> None:
    asked = [("a", 1, 0), ("a", 1, 1), ("a", 2, 0), ("b", 1, 0), ("a", 11, 0), ("1 a", 1, 0)]
    files = {picture.png(*each) for each in asked * 2}
    assert len(files) == len(asked)


def test_files_come_back() -> None:
    assert picture.images(picture.encode_images((b"one", b""))) == Images((b"one", b""))


@pytest.mark.parametrize("value", [None, "eA==", [1], ["not base64"], {}])
def test_what_is_no_list_of_images_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        picture.images(value)  # type: ignore[arg-type]
