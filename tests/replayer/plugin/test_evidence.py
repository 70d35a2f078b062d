"""What a run of pytest leaves for CI: the report as one page, annotations of GitHub,
properties in JUnit files.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import Any
from xml.etree import ElementTree

import pytest

from bedtape_cassettes.model import Cassette
from support import folders
from support.recordings import MODEL, converse
from support.runs import Run, runs

# Most tests start processes.
pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

# A key id as AWS makes them, which is nobody's.
KEY = "AKIA" + "QZJ4WLRK7TPM2XNB"
HOSTILE = f"</script><!--<script>alert(1)</script> {KEY} 100%, done: \\u2028"
CODE = f"""
    def test_played(bedrock):
        assert ask(bedrock.client(), "hi") == "recorded"

    def test_missed(bedrock):
        bedrock.respond("refund", "no")
        ask(bedrock.client(), "{HOSTILE}")

    @pytest.mark.parametrize("text", ["a", "b/c"])
    def test_retried(bedrock, text):
        bedrock.respond(text=text)
        bedrock.fail("ThrottlingException", times=1)
        bedrock.fast_retries()
        assert ask(bedrock.client(), "hi") == "a"

    @pytest.mark.bedrock(allow_misses=True)
    def test_allowed(bedrock):
        with pytest.raises(Exception):
            ask(bedrock.client(), "hi")
    """


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    folders.write(
        pytester.path / "cassettes", Cassette("test_it/test_played", (converse("hi", "recorded"),))
    )
    return runs(pytester, monkeypatch)


def read_report(text: str) -> Any:
    match = re.search(
        r'<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL
    )
    assert match is not None
    return json.loads(match[1])


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n2")], ids=["alone", "workers"])
def test_the_report_has_the_calls_of_all_tests(
    run: Run, pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    result = run({"test_it.py": CODE}, "--bedtape-report=out/calls.html", *workers)
    result.assert_outcomes(passed=3, failed=2)
    assert f"bedtape: report: {pytester.path}/out/calls.html" in result.outlines
    text = (pytester.path / "out/calls.html").read_text()
    assert KEY not in text
    answers = read_report(text)["answers"]
    feed = answers["events"]
    outcomes = {
        each["name"].partition("::")[2]: (each["outcome"], each["calls"])
        for each in feed["sessions"]
    }
    assert outcomes == {
        "test_played": ("passed", 1),
        "test_missed": ("failed", 1),
        "test_retried[a]": ("passed", 2),
        "test_retried[b/c]": ("failed", 2),
        "test_allowed": ("passed", 1),
    }
    failure = next(each["failure"] for each in feed["sessions"] if each["name"].endswith("[b/c]"))
    assert "AssertionError" in failure
    assert len(feed["calls"]) == 7
    missed = answers["inspector/sessions/test_it.py%3A%3Atest_missed/calls/1"]
    assert "alert(1)" in missed["call"]["body"]
    assert missed["call"]["session"] == "test_it.py::test_missed"
    retried = answers["inspector/sessions/test_it.py%3A%3Atest_retried%5Bb%2Fc%5D/calls/2"]
    assert [each["number"] for each in retried["attempts"]] == [1, 2]
    (recording,) = answers["cassettes/test_it%2Ftest_played"]
    assert recording["model"] == MODEL


def test_a_report_that_cannot_be_written_fails_the_run(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "folder").mkdir()
    (pytester.path / "bedtape.toml").write_text('[pytest]\nreport = "folder"\n')
    result = run({"test_it.py": "def test_it(bedrock): pass"})
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "cannot write the report" in result.stdout.str()


def test_misses_are_annotations_on_github(
    run: Run, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    result = run({"tests/test_it.py": CODE}, "--junitxml=junit.xml")
    annotations = [line for line in result.outlines if line.startswith("::error ")]
    line = next(
        at
        for at, each in enumerate((pytester.path / "tests/test_it.py").read_text().splitlines(), 1)
        if "alert" in each
    )
    titles = [re.sub(r"::No .*", "", each) for each in annotations]
    name = pytester.path.name
    assert (
        f"::error file={name}/tests/test_it.py,line={line},title=test_missed%3A a Bedrock call"
        " without an answer" in titles
    )
    assert not any("test_allowed" in title for title in titles)
    assert all("%0A" in each for each in annotations)
    tests = {
        each.get("name"): each
        for each in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    }
    own = {
        each.get("name"): each.get("value") for each in tests["test_retried[a]"].iter("property")
    }
    assert own == {
        "bedtape_cassette": "test_it/test_retried[a]",
        "bedtape_calls": "2",
        "bedtape_misses": "0",
    }


WIDE = """
import pytest

@pytest.fixture(scope="module")
def shop(bedrock_factory):
    with bedrock_factory("shop", allow_misses=True) as shop:
        shop.respond("buy", "bought")
        yield shop

def test_one(bedrock_module):
    bedrock_module.respond("hi", "hello")
    ask(bedrock_module.client(), "hi")
    ask(bedrock_module.client(), "hi")

def test_two(bedrock_module, bedrock):
    ask(bedrock_module.client(), "hi")

def test_none(bedrock_module): pass

def test_shop(shop):
    ask(shop.client(), "buy")
    with pytest.raises(Exception): ask(shop.client(), "sell")
"""


def test_properties_of_fixtures_of_wider_scope_count_the_calls_of_each_test(
    run: Run, pytester: pytest.Pytester
) -> None:
    run({"test_it.py": WIDE}, "--junitxml=junit.xml").assert_outcomes(passed=4)
    properties = {
        case.get("name"): {
            str(each.get("name")).removeprefix("bedtape_"): each.get("value")
            for each in case.iter("property")
        }
        for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    }
    module = {"module_cassette": "test_it/bedrock_module", "module_misses": "0"}
    assert properties == {
        "test_one": {**module, "module_calls": "2"},
        "test_two": {
            **module,
            "module_calls": "1",
            "cassette": "test_it/test_two",
            "calls": "0",
            "misses": "0",
        },
        "test_none": {**module, "module_calls": "0"},
        "test_shop": {"factory_cassette": "shop", "factory_calls": "2", "factory_misses": "1"},
    }


def test_the_server_can_be_kept(run: Run, pytester: pytest.Pytester) -> None:
    run(
        {
            "test_it.py": (
                'def test_it(bedrock): bedrock.respond("hi", "yes"); ask(bedrock.client(), "hi")'
            )
        }
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "bedtape_replayer.pytest_plugin",
        "--bedtape-keep",
    ]
    with subprocess.Popen(
        command, cwd=pytester.path, env=os.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "inspector" in line)
        url = re.search(r"http://\S+/_bedtape/", line)
        assert url is not None
        with urllib.request.urlopen(f"{url[0]}sessions") as answer:
            (session,) = json.load(answer)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0
    assert (session["name"], session["calls"]) == ("test_it/test_it", 1)


def test_workers_cannot_be_kept(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run({"test_it.py": "def test_it(): pass"}, "-p", "xdist", "-n1", "--bedtape-keep")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "expected one process, found workers of pytest-xdist" in result.stderr.str()
