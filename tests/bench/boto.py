"""boto3's `converse`, whole: through bedtape, to nginx's constant, with
botocore's Stubber, with VCR.py.
"""

import json
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import material
from botocore.config import Config
from botocore.stub import Stubber
from measuring import Row, interleaved
from servers import HERE, OTHERS, bedtape, nginx


def client(url: str) -> Any:
    session = boto3.Session(
        aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1"
    )
    return session.client(
        "bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4")
    )


def measure(work: Path) -> list[Row]:
    packed = {count: work / f"boto-{count}.tape" for count in (10, 10_000)}
    for count, file in packed.items():
        material.write_tape(file, material.plain(count))
    with nginx() as base, bedtape(str(packed[10])) as small, bedtape(str(packed[10_000])) as large:
        works = {
            "nginx": _calling(base.url),
            "10": _calling(small.url),
            "10,000": _calling(large.url),
            "stub": _stubbed(),
        }
        times = interleaved(400, works)
    one = times["nginx"]
    rows = [("boto3's `converse` to nginx's constant", f"{one * 1e3:.2f} ms")]
    for count in ("10", "10,000"):
        took = times[count]
        rows.append(
            (
                f"the same through bedtape, {count} interactions (target: 1.15)",
                f"{took * 1e3:.2f} ms, {took / one:.2f}",
            )
        )
    rows.append(("the same with botocore's Stubber, no wire", f"{times['stub'] * 1e3:.2f} ms"))
    return rows + [_vcr(work, count) for count in (10, 100, 1000)]


def _calling(url: str) -> Callable[[], object]:
    caller, body = client(url), json.loads(material.request(0))
    return lambda: caller.converse(modelId=material.MODEL, **body)


def _stubbed() -> Callable[[], object]:
    caller, body = client("http://127.0.0.1:1"), json.loads(material.request(0))
    answer = json.loads(material.answer(0))
    answer["usage"].pop("serverToolUsage")
    stubber = Stubber(caller)
    stubber.activate()

    def call() -> object:
        stubber.add_response("converse", answer)
        return caller.converse(modelId=material.MODEL, **body)

    return call


def _vcr(work: Path, count: int) -> Row:
    what = f"the same with VCR.py, matching on bodies, {count:,} interactions"
    said = subprocess.run(
        [
            str(OTHERS / "bin" / "python"),
            str(HERE / "vcr_child.py"),
            str(work / f"vcr-{count}.yaml"),
            str(count),
        ],
        capture_output=True,
        text=True,
    )
    if said.returncode:
        return (what, "left out: VCR.py is not in .venv-bench, or failed")
    return (what, f"{statistics.median(json.loads(said.stdout)) * 1e3:.1f} ms")
