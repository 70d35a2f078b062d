"""The scripts of tests/clients/javascript, run with JSON to read; skipped, with how to get
it, where there is no SDK.
"""

import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from support import WAIT

HERE = Path(__file__).parents[1] / "clients" / "javascript"

Job: TypeAlias = dict[str, Any]
Result: TypeAlias = dict[str, Any]


def run_script(script: str, value: object) -> str:
    """Runs the script with the value as input and returns its output.

    Bytes are {"$b64": "..."} in both.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the AWS SDK for JavaScript needs Node.js 20 or later")
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        pytest.skip(
            "the SDKs for JavaScript are not installed: `make test`, or `npm ci --prefix"
            " tests/clients/javascript`"
        )
    command = [node, str(HERE / script)]
    text = json.dumps(value, default=_add_tag)
    ended = subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", timeout=WAIT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def run_jobs(jobs: list[Job], concurrency: int = 8) -> list[Result]:
    """Runs jobs through the SDK (client.mjs tells what a job is) and gives their
    results in the same order.
    """
    lines = run_script("client.mjs", {"concurrency": concurrency, "jobs": jobs}).splitlines()
    results: list[Result] = [json.loads(line, object_hook=_remove_tag) for line in lines]
    results.sort(key=lambda result: int(result["index"]))
    assert [result["index"] for result in results] == list(range(len(jobs)))
    return results


def _add_tag(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"$b64": b64encode(value).decode()}


def _remove_tag(value: dict[str, Any]) -> object:
    return b64decode(value["$b64"]) if value.keys() == {"$b64"} else value
