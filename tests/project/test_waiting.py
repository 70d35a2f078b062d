"""Tests wait for events, not for time.

The few places that may read a clock or sleep are listed here with the reason.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TESTS = ROOT / "tests"
FILES = sorted(
    file
    for file in _TESTS.rglob("*.py")
    # these two measure
    if not {"node_modules", "bench", "fuzz"} & set(file.relative_to(_TESTS).parts)
)
# Calls that sleep or read a clock, and why each does.
CLOCKS = {
    ("support/client.py", "time.monotonic"): "ends a test that hangs",
    ("support/client.py", "time.sleep"): "asks again whether an event has happened",
    ("support/upstream/answering.py", "asyncio.sleep"): "answers late on purpose",
    (
        "wire/test_server.py",
        "time.monotonic",
    ): "answers may come later than they are due, not sooner",
    ("wire/test_server.py", "time.time"): "the Date header lies between two times",
}
_CLOCKS = {
    "time.sleep", "time.time", "time.monotonic", "time.perf_counter", "time.time_ns", "signal.pause", "asyncio.sleep",
}  # fmt: skip
# Timeouts that a test waits for, because it shows what a client does that gives up.
SHORT = {"clients/test_faults.py": 2, "replayer/cli/doctor/test_probe.py": 1}
_LIMITS = {"timeout", "read_timeout", "connect_timeout", "patience", "seconds_to_wait"}
_POSITIONAL = {
    "settimeout",
    "wait",
    "join",
    "result",
    "communicate",
    "wait_for",
    "create_connection",
    "select",
}
_LEAST = 60  # seconds
# The least timeout of a test, in seconds: a loaded machine has taken twenty times as long as usual.
_LEAST_OF_TESTS = 300


def _read_limits(call: ast.Call) -> Iterator[float]:
    """Yields the timeouts of a call that are numbers."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    values = [word.value for word in call.keywords if word.arg in _LIMITS]
    if name in _POSITIONAL:
        values += call.args[-1:]
    for value in values:
        if (
            isinstance(value, ast.Constant)
            and isinstance(value.value, int | float)
            and value.value is not True
        ):
            yield value.value


@cache
def _read_calls(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]


def _is_turn(call: ast.Call) -> bool:
    """Whether the call is `asyncio.sleep(0)`, which gives way to others and waits for nothing."""
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def test_tests_neither_sleep_nor_read_clocks_except_in_listed_places() -> None:
    clocks = {
        (file.relative_to(_TESTS).as_posix(), name)
        for file in FILES
        for call in _read_calls(file)
        if (name := ast.unparse(call.func)) in _CLOCKS and not _is_turn(call)
    }
    assert clocks == CLOCKS.keys()


def test_limits_of_tests_do_not_depend_on_speed() -> None:
    """A limit that ends a test that hangs is `support.WAIT`; numbers would end
    tests on a slow machine.
    """
    short = {
        file.relative_to(_TESTS).as_posix(): count
        for file in FILES
        if (
            count := sum(
                0 < limit < _LEAST for call in _read_calls(file) for limit in _read_limits(call)
            )
        )
    }
    assert short == SHORT


def test_timeouts_of_tests_do_not_depend_on_speed() -> None:
    short = [
        (file.relative_to(_TESTS).as_posix(), ast.unparse(call))
        for file in FILES
        for call in _read_calls(file)
        if ast.unparse(call.func) == "pytest.mark.timeout"
        and ast.literal_eval(call.args[0]) < _LEAST_OF_TESTS
    ]
    assert not short


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("client.get(timeout=3)", [3]),
        ("raw.settimeout(0.5)", [0.5]),
        ("thread.join(1)", [1]),
        ("asyncio.wait_for(event.wait(), 2)", [2]),
        ("process.wait(WAIT)", []),
        ("', '.join(names)", []),
    ],
)
def test_the_search_for_limits(code: str, limits: list[float]) -> None:
    (call,) = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)][:1]
    assert list(_read_limits(call)) == limits


def test_threads_end_with_their_process() -> None:
    """A process waits for other threads when it ends, so that a test that hangs would never end."""
    waited = [
        f"{file.relative_to(_TESTS)}:{call.lineno}"
        for file in FILES
        if "examples" not in file.parts  # applications, as users write them
        for call in _read_calls(file)
        if ast.unparse(call.func).rpartition(".")[2] == "Thread"
        and not any(word.arg == "daemon" for word in call.keywords)
    ]
    assert not waited, "expected daemon=True for the threads of these lines"
