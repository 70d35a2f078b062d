"""No text makes a search for secrets slow: twice the text takes about twice the time."""

import re
import time
from collections.abc import Callable

import pytest

from bedtape_cassettes.redaction import kinds, scrub

_SHORT, _LONG = 25_000, 200_000
# Searches of short texts take so little that their time is mostly chance. A quadratic search of the
# long text takes more than ten seconds.
_NOISE = 0.05
_TRIES = 5

PATTERNS: dict[str, Callable[[str], object]] = {
    kind.name: lambda text, kind=kind: [*kind.pattern.finditer(text)]
    for kind in kinds.KINDS.values()  # type: ignore[misc]
}


def own_characters(pattern: str) -> set[str]:
    """The characters of a pattern, and those of classes."""
    return {*pattern, *'aA0_-+/=. \n"\\%'}


def measure(function: Callable[[str], object], text: str) -> float:
    """Seconds of processor time, of which other processes take none."""
    before = time.process_time()
    function(text)
    return time.process_time() - before


def grows_linearly(function: Callable[[str], object], before: str, run: str) -> bool:
    for _ in range(_TRIES):
        long, short = (
            measure(function, before + run * (size // len(run))) for size in (_LONG, _SHORT)
        )
        if long < _NOISE + 3 * (_LONG // _SHORT) * short:
            return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_linear_time_on_runs_of_its_own_characters(name: str) -> None:
    kind = kinds.KINDS[name]
    runs = own_characters(kind.pattern.pattern) | {
        f"-{word}" for word in re.findall(r"\w{3,}", kind.pattern.pattern)
    }
    for before in ("", *kind.hints[:1]):
        for run in runs:
            assert grows_linearly(PATTERNS[name], before, run), (before, run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "run",
    ["\\", '"', "%", "%41", "{", "[", ",", "=", "a", "A", "/", " ", "\n", "a ", "\\/", '"a":'],
)
@pytest.mark.parametrize("before", ["", "akia", '"', '{"secretAccessKey":"', "data: "])
def test_a_whole_search_takes_linear_time(before: str, run: str) -> None:
    assert grows_linearly(lambda text: scrub.scrub(text.encode()), before, run)
    assert grows_linearly(lambda text: scrub.find_secrets(text.encode()), before, run)
