"""In pytest: what the fixture costs a test; the spam classifier's two tests; a suite of 500
beside a Stubber and VCR.py.
"""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import material
import yaml
from measuring import Row, timed
from servers import HERE, OTHERS, ROOT

COUNT = 500
ROUNDS = 2
_BARE = (
    "import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_it(n{fixture}): pass\n"
)
# The example's classifier; its two tests as the example has them.
_PAIR = """
import pytest
from spam import file
WIN = "You have won! Send us your card number."
@pytest.mark.parametrize("n", range({count}))
def test_mail_goes_where_the_model_says(bedrock, n):
    bedrock.respond("card number", json={{"label": "spam", "confidence": 0.98}})
    bedrock.respond("Lunch", text='Sure: {{"label": "ham", "confidence": 0.93}}')
    assert [file(WIN), file("Lunch at noon?")] == ["spam", "inbox"]
    bedrock.assert_called("classify spam", times=2)
@pytest.mark.parametrize("n", range({count}))
def test_a_person_looks_at_what_is_borderline(bedrock, n):
    bedrock.respond("classify spam", answers=[{{"json": {{"label": "spam", "confidence": 0.55}}}}, "I cannot say."])
    assert [file(WIN), file(WIN)] == ["review", "review"]
"""
# One call a test, with one client, whatever answers.
_SHARED = """
import json, boto3, pytest, material
from boto import client
BODY = json.loads(material.request(0))
@pytest.fixture(scope="session")
def shared():
    return client("http://127.0.0.1:1")
"""
_OURS = """
def test_it(bedrock, n):
    bedrock.respond("0:", text="spam")
    assert bedrock.client().converse(modelId=material.MODEL, **BODY)
"""
_STUB = """
from botocore.stub import Stubber
ANSWER = json.loads(material.answer(0))
ANSWER["usage"].pop("serverToolUsage")
def test_it(shared, n):
    with Stubber(shared) as stubber:
        stubber.add_response("converse", ANSWER)
        assert shared.converse(modelId=material.MODEL, **BODY)
"""
_VCR = """
import vcr
def test_it(shared, n):
    with vcr.VCR(match_on=["method", "uri", "body"], record_mode="none").use_cassette("one.yaml"):
        assert shared.converse(modelId=material.MODEL, **BODY)
"""
_EACH = "@pytest.mark.parametrize('n', range({count}))\ndef test_it"


def measure(work: Path) -> list[Row]:
    folder = work / "tests"
    folder.mkdir()
    example = (ROOT / "tests" / "examples" / "python" / "spam.py").read_text()
    (folder / "spam.py").write_text(example)
    from_shared = {
        "bedrock": (_OURS, sys.executable),
        "Stubber": (_STUB, sys.executable),
        "VCR.py": (_VCR, str(OTHERS / "bin" / "python")),
    }
    (folder / "one.yaml").write_text(yaml.safe_dump(_cassette()))
    files: dict[str, tuple[str, ...]] = {
        "none": (_BARE.format(count=2000, fixture=""), sys.executable),
        "fixture": (_BARE.format(count=2000, fixture=", bedrock"), sys.executable),
        "pairs": (_PAIR.format(count=COUNT // 2), sys.executable),
        "pairs on two cores": (_PAIR.format(count=COUNT // 2), sys.executable, "-n", "2"),
    }
    for name, (code, python) in from_shared.items():
        each = _EACH.format(count=COUNT)
        files[name] = (_SHARED + code.replace("def test_it", each), python)
    return _rows(_ran(folder, files))


def _cassette() -> dict[str, object]:
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"]},
        "body": {"string": material.answer(0).decode()},
    }
    uri = f"http://127.0.0.1:1{material.PATH}"
    request = {"method": "POST", "uri": uri, "body": material.request(0).decode(), "headers": {}}
    return {"version": 1, "interactions": [{"request": request, "response": response}]}


def _ran(folder: Path, files: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Of each file the median seconds in all, and those of its tests alone;
    nothing of what cannot run.
    """
    durations: dict[str, list[tuple[float, float]]] = {name: [] for name in files}
    for _ in range(ROUNDS):
        for number, (name, (code, python, *more)) in enumerate(files.items()):
            file = folder / f"test_{number}.py"
            file.write_text(code)
            if (both := _run(python, file, *more)) is not None:
                durations[name].append(both)
    return {
        name: (
            statistics.median(all_ for all_, _ in runs),
            statistics.median(tests for _, tests in runs),
        )
        for name, runs in durations.items()
        if runs
    }


def _run(python: str, file: Path, *more: str) -> tuple[float, float] | None:
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--durations=0", "-vv"]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "BEDTAPE_CACHE_DIR": ""}
    said: list[subprocess.CompletedProcess[str]] = []
    try:
        all_ = timed(
            lambda: said.append(
                subprocess.run(
                    [python, "-m", "pytest", *options, *more, str(file)],
                    cwd=file.parent,
                    env=environment,
                    capture_output=True,
                    text=True,
                )
            )
        )
    except OSError:
        return None
    if said[0].returncode:
        return None
    # Each test's setup, call and teardown; the server starts in the setup of the first.
    each = sorted(
        float(took)
        for took in re.findall(r"^([\d.]+)s (?:setup|call|teardown)", said[0].stdout, re.MULTILINE)
    )
    calls = [float(took) for took in re.findall(r"^([\d.]+)s call", said[0].stdout, re.MULTILINE)]
    return all_, sum(calls) if calls else sum(each)


def _rows(durations: dict[str, tuple[float, float]]) -> list[Row]:
    rows = []
    if "none" in durations and "fixture" in durations:
        each = (durations["fixture"][0] - durations["none"][0]) / 2000
        rows.append(
            ("the `bedrock` fixture in 2,000 tests, each (target: 1 ms)", f"{each * 1000:.2f} ms")
        )
    if "pairs" in durations:
        took = durations["pairs"][1] / (COUNT // 2) * 1000
        rows.append(
            ("the spam classifier's two tests, after start-up (target: 30 ms)", f"{took:.0f} ms")
        )
        rows.append(
            (
                f"{COUNT} of them in all, boto3's client made in each",
                f"{durations['pairs'][0]:.1f} s",
            )
        )
    if (both := durations.get("pairs on two cores")) is not None:
        rows.append(("the same on two cores, by pytest-xdist (target: 10 s)", f"{both[0]:.1f} s"))
    for name in ("bedrock", "Stubber", "VCR.py"):
        what = f"a suite of {COUNT} tests of one call with {name}, in all"
        rows.append(
            (
                what,
                (
                    f"{durations[name][0]:.1f} s"
                    if name in durations
                    else "left out: it is not in .venv-bench, or failed"
                ),
            )
        )
    return rows
