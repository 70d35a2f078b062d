"""What is remembered by bodies is bounded by what they take."""

from __future__ import annotations

import pytest

from bedtape_replayer.remembered import Remembered


def test_it_is_emptied_before_it_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedtape_replayer.remembered._MOST_BYTES", 5000)
    remembered: Remembered[bytes, int] = Remembered()
    most = 0
    for number in range(100):
        body = b"x" * number
        remembered.keep(body, number, body)
        assert remembered[body] == number
        most = max(most, len(remembered))
    assert 1 < most <= 5000 // 512


def test_what_is_large_is_not_remembered() -> None:
    remembered: Remembered[bytes, int] = Remembered()
    remembered.keep(b"x" * 65536, 1, b"x" * 65536)
    remembered.keep(b"x" * 65537, 1, b"x" * 65537)
    assert list(map(len, remembered)) == [65536]
