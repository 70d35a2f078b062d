"""The page of frameworks says what was pinned and what became of it; what pytest
reports is read as it means it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from matrix.report import REQUIREMENTS, Case, Result, batches, page, pins, read, shown

ROOT = Path(__file__).parents[2]
WRITTEN = (ROOT / "docs" / "reference" / "compatibility.md").read_text()
NAMES = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))

TESTS = """
import pytest

@pytest.mark.parametrize("which", ["nova", "claude"])
def test_chat(which): pass

def test_many_at_once(): pass

def test_stream(): assert 1 == 2, "no pieces"

@pytest.fixture
def broken(): yield; raise ValueError("left over")

def test_tools(broken): pass

@pytest.mark.xfail(reason="is being fixed")
def test_structured(): assert False

@pytest.mark.skip(reason="has none")
def test_embeddings(): pass
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    """Of a file that pytest itself ran."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "test_framework.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--junitxml=report.xml",
    ]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return read((folder / "report.xml").read_text())


def test_every_outcome_is_read(cases: tuple[Case, ...]) -> None:
    assert [
        (case.tried, case.variant, case.outcome) for case in cases if case.tried != "tools"
    ] == [
        ("chat", "nova", "passed"),
        ("chat", "claude", "passed"),
        ("many at once", "", "passed"),
        ("stream", "", "failed"),
        ("structured", "", "known to fail"),
        ("embeddings", "", "skipped"),
    ]
    assert "no pieces" in next(case.said for case in cases if case.tried == "stream")
    assert "left over" in next(
        case.said for case in cases if case.tried == "tools" and case.outcome == "failed"
    )


def test_the_page_says_what_did_not_pass(cases: tuple[Case, ...]) -> None:
    told = page([Result("botocore", "3.11", cases, failed=True)])
    assert "- chat: nova, claude\n- many at once\n" in told
    assert re.search(r"\*\*failed\*\*: stream : .*no pieces", told)
    assert "**known to fail**: structured : is being fixed" in told
    assert "2 failed, 1 known to fail, 1 skipped |" in told


def test_what_could_not_be_installed_is_told_and_breaks_the_build() -> None:
    result = Result("botocore", "3.11", (), "no such version")
    assert result.broken
    assert "could not be installed or run |" in page([result])


def test_the_page_has_the_versions_that_are_pinned() -> None:
    rows = re.findall(r"^\| \[([\w-]+)\]\(#[\w-]+\) \| ([^|]+) \|", WRITTEN, re.MULTILINE)
    assert rows == [(name, ", ".join(map(" ".join, shown(name)))) for name in NAMES]


def test_the_page_has_every_framework_passing() -> None:
    assert re.findall(r"^## ([\w-]+)$", WRITTEN, re.MULTILINE) == NAMES
    assert len(re.findall(r"\| \d+ passed[^|]* \|$", WRITTEN, re.MULTILINE)) == len(NAMES)
    assert not re.search(r"\d failed|could not be installed", WRITTEN)


@pytest.mark.parametrize("name", NAMES)
def test_requirements_are_pins_alone(name: str) -> None:
    first, *lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    assert first.startswith("# wants: ")
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", line) for line in lines)
    assert {"pytest", "pytest-timeout", "hatchling", "boto3"} <= pins(name).keys()


def test_every_framework_has_tests_and_an_environment() -> None:
    files = (Path(__file__).parent / "frameworks").glob("test_*.py")
    assert sorted(path.stem.removeprefix("test_").replace("_", "-") for path in files) == NAMES


def test_continuous_integration_runs_the_matrix() -> None:
    assert re.search(
        r"^(step )?make .*\btest-matrix\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE
    )
    assert re.search(
        r"^test-matrix:.*\n\t.*tests/matrix/run\.py", (ROOT / "Makefile").read_text(), re.MULTILINE
    )


def test_pip_gets_each_package_once_at_a_time() -> None:
    """pip refuses a list with two names of one package, and then each wheel is fetched alone."""
    for batch in batches(NAMES):
        packages = [re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in batch]
        assert sorted(set(packages)) == sorted(packages)
