"""What is installed beside bedtape, and what is told of it."""

import pytest

from bedtape_replayer.cli.doctor import packages
from bedtape_replayer.cli.doctor.environment import Environment

NO_AUTOLOAD = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SDK = "@aws-sdk/client-bedrock-runtime"


@pytest.mark.parametrize(
    ("installed", "levels"),
    [
        ({"boto3": "1.35.0", "botocore": "1.44.5"}, ["ok", "ok"]),
        ({"boto3": "1.34.162", "botocore": "1.35.0rc1"}, ["wrong", "ok"]),
        ({"boto3": "2.0"}, ["ok", "wrong"]),
    ],
)
def test_boto3_and_botocore(installed: dict[str, str], levels: list[str]) -> None:
    assert [diagnosis.level for diagnosis in packages.check_boto3(Environment(packages=installed))] == levels


@pytest.mark.parametrize(
    ("installed", "level", "said"),
    [
        ({}, "ok", "pip install 'bedtape[record]'"),
        ({"mitmproxy": "12.2.3", "certifi": "2026.1"}, "ok", "12.2.3"),
        ({"mitmproxy": "12.2.3"}, "wrong", "expected certifi beside it"),
        ({"mitmproxy": "10.4.2", "certifi": "2026.1"}, "wrong", "expected 11.0.2 or later, found 10.4.2"),
    ],
)
def test_mitmproxy(installed: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = packages.check_mitmproxy(Environment(packages=installed))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(
    ("environ", "installed", "level", "said"),
    [
        ({}, {}, "ok", "none here"),
        ({}, {"pytest": "7.4.0"}, "ok", "the fixture bedrock is there"),
        ({}, {"pytest": "7.3.2"}, "wrong", "expected 7.4 or later"),
        (NO_AUTOLOAD, {"pytest": "9.0"}, "note", "pytest -p bedtape"),
        (NO_AUTOLOAD, {}, "ok", "none here"),
    ],
)
def test_pytest(environ: dict[str, str], installed: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = packages.check_pytest(Environment(environ, packages=installed))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(("npm", "levels"), [({}, []), ({SDK: ""}, ["note"]), ({SDK: "3.1163.0"}, ["ok"])])
def test_the_sdk_for_javascript(npm: dict[str, str], levels: list[str]) -> None:
    assert [diagnosis.level for diagnosis in packages.check_javascript(Environment(npm=npm))] == levels
