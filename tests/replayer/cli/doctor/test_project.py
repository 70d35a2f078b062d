"""Cassettes, gate and token, and what is told of them."""

import pytest

from bedtape_replayer.cli.doctor import project
from bedtape_replayer.cli.doctor.environment import CassetteFolder, ChosenSettings, Environment

GATE, TOKEN = "RUN_REAL_BEDROCK_TESTS", "BEDTAPE_CONTROL_TOKEN"
BROKEN = CassetteFolder(
    "tapes", problems=("tapes/a.yaml:3: expected this", "tapes/b.yaml:1: expected that")
)


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        ("cassettes", Environment(), "ok", "no cassettes"),
        (
            "cassettes",
            Environment(cassette_folders=(CassetteFolder("tapes", 2, 9),)),
            "ok",
            "tapes: 9 interactions in 2 cassettes",
        ),
        (
            "cassettes",
            Environment(cassette_folders=(BROKEN,)),
            "wrong",
            "2 problems in tapes, first tapes/a.yaml:3: exp",
        ),
        ("settings", Environment(), "ok", "no file"),
        (
            "settings",
            Environment(settings=ChosenSettings("pyproject.toml")),
            "ok",
            "pyproject.toml",
        ),
        (
            "settings",
            Environment(settings=ChosenSettings(problems=("a:1: x", "b"))),
            "wrong",
            "2 problems, first a:1: x;",
        ),
        (
            "settings",
            Environment(settings=ChosenSettings(warnings=("BEDTAPE_X: y",))),
            "note",
            "found BEDTAPE_X: y",
        ),
        ("gate", Environment(), "ok", "off"),
        ("gate", Environment({GATE: "1"}), "note", "and cost money; unset it"),
        ("gate", Environment({GATE: "true"}), "note", "which does not open the gate"),
        ("token", Environment(), "ok", "this machine alone"),
        ("token", Environment({TOKEN: "hidden-hidden-16"}), "ok", "is set"),
        (
            "token",
            Environment({TOKEN: "hidden"}),
            "wrong",
            "found 6 characters; set a longer token",
        ),
    ],
)
def test_what_is_told(check: str, found: Environment, level: str, said: str) -> None:
    (diagnosis,) = getattr(project, f"check_{check}")(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis
    assert "hidden" not in str(diagnosis)


def test_every_folder_is_told() -> None:
    environment = Environment(cassette_folders=(CassetteFolder("a", 1, 1), BROKEN))
    assert [diagnosis.level for diagnosis in project.check_cassettes(environment)] == [
        "ok",
        "wrong",
    ]
