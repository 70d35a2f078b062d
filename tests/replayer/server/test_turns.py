"""Large answers go on one after the other, and others have their turn between them."""

import asyncio
from collections.abc import Callable

import pytest

from bedtape_replayer.server.player import Turns
from bedtape_replayer.server.server import new_event_loop


@pytest.fixture(params=[new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"])
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    return factory


def test_one_in_each_turn_of_the_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop, turns, order = new_loop(), Turns(), list[str]()

    def go_on(name: str, parts: int) -> None:
        order.append(f"{name}{parts}")
        if parts > 1:
            turns.add(loop, lambda: go_on(name, parts - 1))

    def small() -> None:
        order.append("small")
        if "a1" in order:
            loop.stop()
        else:
            loop.call_soon(small)

    turns.add(loop, lambda: go_on("a", 3))
    turns.add(loop, lambda: go_on("b", 2))
    loop.call_soon(small)
    loop.run_forever()
    loop.close()
    assert order == ["a3", "small", "b2", "small", "a2", "small", "b1", "small", "a1", "small"]


def test_an_error_in_one_ends_no_other(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop, turns, errors = new_loop(), Turns(), list[object]()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    turns.add(loop, lambda: 1 // 0)
    turns.add(loop, loop.stop)
    loop.run_forever()
    loop.close()
    assert [type(error) for error in errors] == [ZeroDivisionError]
