"""What is remembered by bodies is bounded by what they take."""

from bedtape_replayer.answering.memo import Memo


def test_it_is_emptied_before_it_holds_too_much() -> None:
    remembered: Memo[bytes, int] = Memo(5000)
    most = 0
    for number in range(100):
        body = b"x" * number
        remembered.keep(body, number, len(body))
        assert remembered[body] == number
        most = max(most, len(remembered))
    assert 1 < most <= 5000 // 512


def test_what_is_large_is_not_remembered() -> None:
    remembered: Memo[bytes, int] = Memo(1 << 30)
    for size in (65536, 65537):
        remembered.keep(b"x" * size, 1, size)
    assert list(map(len, remembered)) == [65536]
