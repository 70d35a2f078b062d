"""What goes over the wire when."""

from bedtape_replayer.answering.reply import Piece, Reply
from bedtape_replayer.answering.steps import (
    Finish,
    Send,
    Start,
    Wait,
    build_paced_steps,
    build_steps,
)


def _reply(*times: int, after_ms: int = 0) -> Reply:
    pieces = tuple(Piece(time, b"%d" % number) for number, time in enumerate(times))
    return Reply(200, (), pieces, streamed=True, after_ms=after_ms)


def test_recorded_times_become_waits() -> None:
    assert list(build_paced_steps(_reply(0, 40, 40, 100, after_ms=200), 1)) == [
        Wait(0.2),
        Start(),
        Send(b"0"),
        Wait(0.04),
        Send(b"1"),
        Send(b"2"),
        Wait(0.06),
        Send(b"3"),
        Finish(),
    ]


def test_speed_divides_every_wait() -> None:
    waits = [
        step.seconds
        for step in build_paced_steps(_reply(100, 300, after_ms=1000), 10)
        if isinstance(step, Wait)
    ]
    assert waits == [0.1, 0.01, 0.02]


def test_times_that_run_backwards_do_not_wait() -> None:
    assert [
        step for step in build_paced_steps(_reply(50, 20, 60), 1) if isinstance(step, Wait)
    ] == [Wait(0.05), Wait(0.01)]


def test_no_body_is_an_answer_too() -> None:
    assert list(build_paced_steps(_reply(), 1)) == [Start(), Finish()]


def test_without_a_pace_nothing_waits() -> None:
    reply = _reply(0, 40, 100, after_ms=200)
    assert list(build_steps(reply)) == [
        step for step in build_paced_steps(reply, 1) if not isinstance(step, Wait)
    ]
