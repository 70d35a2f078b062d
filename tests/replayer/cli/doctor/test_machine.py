"""What bedtape runs in, and what is told of it."""

from collections.abc import Callable, Iterator

import pytest

from bedtape_replayer.cli.doctor import machine
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis
from bedtape_replayer.cli.doctor.environment import Environment, Python

NO_AUTOLOAD = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SDK = "@aws-sdk/client-bedrock-runtime"
Check = Callable[[Environment], Iterator[Diagnosis]]


@pytest.mark.parametrize(
    ("check", "found", "level", "said"),
    [
        (machine.check_python, Environment(python=Python((3, 11, 0))), "ok", "3.11.0 in /venv"),
        (
            machine.check_python,
            Environment(python=Python((3, 10, 9))),
            "wrong",
            "expected 3.11 or later, found 3.10.9",
        ),
        (machine.check_environment, Environment(), "ok", "no virtual environment is active"),
        (machine.check_environment, Environment({"VIRTUAL_ENV": "/venv/"}), "ok", "/venv"),
        (
            machine.check_environment,
            Environment({"VIRTUAL_ENV": "/other"}),
            "note",
            "expected bedtape in /other",
        ),
        (machine.check_uvloop, Environment(packages={"uvloop": "0.20"}), "ok", "0.20"),
        (machine.check_uvloop, Environment(), "note", "pip install uvloop"),
        (
            machine.check_uvloop,
            Environment(python=Python(implementation="pypy", uvloop=False)),
            "ok",
            "not available for pypy",
        ),
        (machine.check_open_files, Environment(open_files=None), "ok", "no limit"),
        (machine.check_open_files, Environment(open_files=1024), "ok", "at most 1024"),
        (machine.check_open_files, Environment(open_files=1023), "note", "ulimit -n 1024"),
        (machine.check_cache, Environment(cache="/cache"), "ok", "/cache"),
        (machine.check_cache, Environment(cache=None), "ok", "off: BEDTAPE_CACHE_DIR"),
        (
            machine.check_cache,
            Environment(cache="/c", cache_problem="/ is not writable"),
            "note",
            "/c (/ is not",
        ),
    ],
)
def test_what_is_told(check: Check, found: Environment, level: str, said: str) -> None:
    (diagnosis,) = check(found)
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(
    ("installed", "levels"),
    [
        ({"boto3": "1.35.0", "botocore": "1.44.5"}, ["ok", "ok"]),
        ({"boto3": "1.34.162", "botocore": "1.35.0rc1"}, ["wrong", "ok"]),
        ({"boto3": "2.0"}, ["ok", "wrong"]),
    ],
)
def test_boto3_and_botocore(installed: dict[str, str], levels: list[str]) -> None:
    assert [
        diagnosis.level for diagnosis in machine.check_boto3(Environment(packages=installed))
    ] == levels


@pytest.mark.parametrize(
    ("installed", "level", "said"),
    [
        ({}, "ok", "pip install 'bedtape[record]'"),
        ({"mitmproxy": "12.2.3", "certifi": "2026.1"}, "ok", "12.2.3"),
        ({"mitmproxy": "12.2.3"}, "wrong", "expected certifi, which recording needs too"),
        (
            {"mitmproxy": "10.4.2", "certifi": "2026.1"},
            "wrong",
            "expected 11.0.2 or later, found 10.4.2",
        ),
    ],
)
def test_mitmproxy(installed: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = machine.check_mitmproxy(Environment(packages=installed))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(
    ("environ", "installed", "level", "said"),
    [
        ({}, {}, "ok", "not installed"),
        ({}, {"pytest": "7.4.0"}, "ok", "it has the fixture bedrock"),
        ({}, {"pytest": "7.3.2"}, "wrong", "expected 7.4 or later"),
        (NO_AUTOLOAD, {"pytest": "9.0"}, "note", "pytest -p bedtape"),
        (NO_AUTOLOAD, {}, "ok", "not installed"),
    ],
)
def test_pytest(environ: dict[str, str], installed: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = machine.check_pytest(Environment(environ, packages=installed))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(
    ("npm", "levels"), [({}, []), ({SDK: ""}, ["note"]), ({SDK: "3.1163.0"}, ["ok"])]
)
def test_the_sdk_for_javascript(npm: dict[str, str], levels: list[str]) -> None:
    assert [
        diagnosis.level for diagnosis in machine.check_javascript(Environment(npm=npm))
    ] == levels
