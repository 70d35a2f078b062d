"""A `bedtape replay` that ends with its test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.running import Running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def run(*arguments: str, cwd: Path = tmp_path) -> Running:
        running.append(Running(*arguments, cwd=cwd))
        return running[-1]

    yield run
    for each in running:
        each.clean_up()
