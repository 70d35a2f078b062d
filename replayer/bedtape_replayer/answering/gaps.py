"""Bytes with gaps for ids: an answer, or its head, encoded once and sent with other ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

HeaderPairs: TypeAlias = Sequence[tuple[bytes, bytes]]


class Gaps:
    """Bytes that contain sample ids, which other ids replace. samples: the sample ids."""

    __slots__ = ("_numbers", "_parts")

    def __init__(self, data: bytes, samples: Sequence[bytes]) -> None:
        pattern = b"|".join(map(re.escape, samples))
        # The bytes between the gaps, and, in every second place, a sample.
        self._parts = re.split(b"(%b)" % pattern, data) if samples else [data]
        self._numbers = [samples.index(sample) for sample in self._parts[1::2]]

    def fill(self, ids: Sequence[bytes]) -> bytes:
        """Return the bytes with these ids, which have the order of the samples."""
        parts, numbers = self._parts, self._numbers
        if not numbers:
            return parts[0]
        if len(numbers) == 1:
            return parts[0] + ids[numbers[0]] + parts[2]
        filled = parts.copy()
        filled[1::2] = [ids[number] for number in numbers]
        return b"".join(filled)


class SampleHeaders:
    """Headers with sample ids. places: the numbers of the headers with ids, and the
    number of the id of each.

    encoded: what a wire keeps about its encoding of these headers, by a key of its choice.
    """

    __slots__ = ("_places", "_samples", "encoded", "headers")

    def __init__(self, headers: HeaderPairs, places: Sequence[tuple[int, int]]) -> None:
        self.headers = tuple(headers)
        self.encoded: dict[object, Any] = {}
        self._places = [(at, headers[at][0], number) for at, number in places]
        by_number = {number: headers[at][1] for at, number in places}
        self._samples = [by_number[number] for number in sorted(by_number)]

    def fill(self, ids: Sequence[bytes]) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers with these ids."""
        headers = list(self.headers)
        for at, name, number in self._places:
            headers[at] = (name, ids[number])
        return tuple(headers)

    def find_gaps(self, encoded: bytes) -> Gaps:
        """Return a part of the encoding of these headers with gaps for the ids."""
        return Gaps(encoded, self._samples)
