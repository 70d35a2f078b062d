"""Every reader takes a few hundred damaged inputs; `make fuzz` feeds more."""

import sys
from itertools import islice
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS, inputs, run, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_a_reader_raises_what_it_documents(target: str) -> None:
    for data in islice(inputs(target, 1), len(seeds(target)) + 300):
        run(target, data)


def test_equal_seeds_give_equal_inputs() -> None:
    one, other, third = (list(islice(inputs("requests", seed), 200)) for seed in (1, 1, 2))
    assert one == other != third
