"""The clock that only tests move."""

import pytest

from bedtape_replayer.engine.clock import Clock


def test_it_stands_still_until_it_is_moved() -> None:
    clock = Clock()
    assert clock.now == clock.now == 0
    clock.advance(1.5)
    clock.advance(0)
    assert clock.now == 1.5


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_it_never_goes_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="expected seconds from 0"):
        Clock().advance(seconds)
