"""Cassettes, gate and token, and what is told of them."""

from collections.abc import Callable, Iterator

import pytest

from bedtape_replayer.cli.doctor import project
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis
from bedtape_replayer.cli.doctor.environment import CassetteFolder, ChosenSettings, Environment

GATE, TOKEN = "RUN_REAL_BEDROCK_TESTS", "BEDTAPE_CONTROL_TOKEN"
BROKEN = CassetteFolder("tapes", problems=("tapes/a.yaml:3: expected this", "tapes/b.yaml:1: expected that"))
Check = Callable[[Environment], Iterator[Diagnosis]]


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        (project.check_cassettes, Environment(), "ok", "none yet"),
        (
            project.check_cassettes,
            Environment(shelves=(CassetteFolder("tapes", 2, 9),)),
            "ok",
            "tapes: 9 interactions in 2 cassettes",
        ),
        (
            project.check_cassettes,
            Environment(shelves=(BROKEN,)),
            "wrong",
            "2 problems in tapes, first tapes/a.yaml:3: exp",
        ),
        (project.check_settings, Environment(), "ok", "no file"),
        (project.check_settings, Environment(settings=ChosenSettings("pyproject.toml")), "ok", "pyproject.toml"),
        (
            project.check_settings,
            Environment(settings=ChosenSettings(problems=("a:1: x", "b"))),
            "wrong",
            "2 problems, first a:1: x;",
        ),
        (
            project.check_settings,
            Environment(settings=ChosenSettings(warnings=("BEDTAPE_X: y",))),
            "note",
            "found BEDTAPE_X: y",
        ),
        (project.check_gate, Environment(), "ok", "off"),
        (project.check_gate, Environment({GATE: "1"}), "note", "and cost money; unset it"),
        (project.check_gate, Environment({GATE: "true"}), "note", "which opens nothing"),
        (project.check_token, Environment(), "ok", "this machine alone"),
        (project.check_token, Environment({TOKEN: "hidden-hidden-16"}), "ok", "is set"),
        (project.check_token, Environment({TOKEN: "hidden"}), "wrong", "found 6; take a longer one"),
    ],
)
def test_what_is_told(check: Check, found: Environment, level: str, said: str) -> None:
    (diagnosis,) = check(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis
    assert "hidden" not in str(diagnosis)


def test_every_folder_is_told() -> None:
    found = Environment(shelves=(CassetteFolder("a", 1, 1), BROKEN))
    assert [diagnosis.level for diagnosis in project.check_cassettes(found)] == ["ok", "wrong"]
