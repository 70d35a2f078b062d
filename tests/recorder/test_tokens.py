"""Tokens are found under each family's names."""

from __future__ import annotations

import pytest

from bedtape_cassettes.storage import store
from bedtape_recorder.tokens import tokens_of

SAMPLES = {i.file: i for cassette in store.read([store.samples()]) for i in cassette.interactions}


@pytest.mark.parametrize(
    ("folder", "start", "expected"),
    [
        ("hello", "0001", (14, 26)),
        ("hello", "0002", (14, 26)),
        ("invoke", "0001", (16, 7)),
        ("invoke", "0003", (3, 0)),
        ("invoke", "0007", (0, 0)),
        ("invoke-stream", "0001", (16, 7)),
        ("invoke-stream", "0002", (9, 4)),
        ("invoke-stream", "0003", (9, 5)),
        ("mantle", "0001", (70, 12)),
        ("mantle", "0002", (70, 12)),
        ("errors", "0001", (0, 0)),
    ],
)
def test_samples(folder: str, start: str, expected: tuple[int, int]) -> None:
    (sample,) = [i for file, i in SAMPLES.items() if file.startswith(f"{folder}/{start}")]
    assert tokens_of(sample) == expected
