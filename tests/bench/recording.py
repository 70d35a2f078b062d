"""What the recorder adds. Its upstream is a replay at the recorded pace: a second of events."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import material
from botocore.config import Config
from measuring import Row
from servers import ROOT, bedtape

from bedtape_cassettes.model import Cassette


def measure(work: Path) -> list[Row]:
    recorder = ROOT / ".venv-record" / "bin" / "bedtape"
    if not recorder.exists():
        return [("the recorder", "left out: `make test` installs it into .venv-record")]
    folder = work / "paced"
    material.write(folder, Cassette("paced", (material.stream(1),)))
    with (
        bedtape(str(folder), "--speed", "1") as direct,
        _recording(recorder, direct.url, work) as through,
    ):
        calls = {"direct": _first_event(direct.url), "through": _first_event(through)}
        for call in calls.values():
            call()
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(15):
            for name, call in calls.items():
                times[name].append(call())
    one, other = (statistics.median(times[name]) * 1000 for name in ("direct", "through"))
    return [
        ("time to the first event of a paced stream, direct", f"{one:.1f} ms"),
        ("the same through `bedtape record`", f"{other:.1f} ms"),
    ]


@contextmanager
def _recording(recorder: Path, upstream: str, work: Path) -> Iterator[str]:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "any",
        "RUN_REAL_BEDROCK_TESTS": "1",
    }
    environment = {**os.environ, **keys, "BEDTAPE_STATE_DIR": str(work / "state")}
    command = [str(recorder), "record", "--to", str(work / "recorded"), "--upstream", upstream]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().partition("=")[2]
        process.terminate()


def _first_event(url: str) -> Callable[[], float]:
    session = boto3.Session(
        aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1"
    )
    client = session.client(
        "bedrock-runtime", endpoint_url=url, config=Config(signature_version="v4")
    )
    body = json.loads(material.request(1, 180))

    def call() -> float:
        began = time.perf_counter()
        events = iter(client.converse_stream(modelId=material.MODEL, **body)["stream"])
        next(events)
        took = time.perf_counter() - began
        for _ in events:
            pass
        return took

    return call
