"""What bedtape runs in, and what is told of it."""

from collections.abc import Callable, Iterator

import pytest

from bedtape_replayer.cli.doctor import machine
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis
from bedtape_replayer.cli.doctor.environment import Environment, Python

Check = Callable[[Environment], Iterator[Diagnosis]]


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        (machine.check_python, Environment(python=Python((3, 11, 0))), "ok", "3.11.0 in /venv"),
        (machine.check_python, Environment(python=Python((3, 10, 9))), "wrong", "expected 3.11 or later, found 3.10.9"),
        (machine.check_environment, Environment(), "ok", "none is active"),
        (machine.check_environment, Environment({"VIRTUAL_ENV": "/venv/"}), "ok", "/venv"),
        (machine.check_environment, Environment({"VIRTUAL_ENV": "/other"}), "note", "expected bedtape in /other"),
        (machine.check_uvloop, Environment(packages={"uvloop": "0.20"}), "ok", "0.20"),
        (machine.check_uvloop, Environment(), "note", "pip install uvloop"),
        (machine.check_uvloop, Environment(python=Python(implementation="pypy", uvloop=False)), "ok", "none for pypy"),
        (machine.check_open_files, Environment(open_files=None), "ok", "no limit"),
        (machine.check_open_files, Environment(open_files=1024), "ok", "at most 1024"),
        (machine.check_open_files, Environment(open_files=1023), "note", "ulimit -n 1024"),
        (machine.check_cache, Environment(cache="/cache"), "ok", "/cache"),
        (machine.check_cache, Environment(cache=None), "ok", "none is wanted"),
        (
            machine.check_cache,
            Environment(cache="/c", cache_problem="/ may not be written"),
            "note",
            "/c (/ may not be",
        ),
    ],
)
def test_what_is_told(check: Check, found: Environment, level: str, said: str) -> None:
    (diagnosis,) = check(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis
