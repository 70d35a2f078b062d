"""Times boto3's `converse` under VCR.py.

Takes a file for the cassette and how many interactions; prints seconds.

Runs in `.venv-bench`, where VCR.py is.
"""

import json
import sys
import time
from pathlib import Path

import material
import vcr  # type: ignore[import-not-found]
import yaml
from boto import client


def _recorded(number: int) -> dict[str, object]:
    body = json.dumps(json.loads(material.request(number)))
    return {
        "request": {
            "method": "POST",
            "uri": f"http://127.0.0.1:1{material.PATH}",
            "body": body,
            "headers": {},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Content-Type": ["application/json"]},
            "body": {"string": material.answer(number).decode()},
        },
    }


def main() -> None:
    file, count = Path(sys.argv[1]), int(sys.argv[2])
    file.write_text(
        yaml.safe_dump({"version": 1, "interactions": [_recorded(n) for n in range(count)]})
    )
    # The middle one: VCR.py looks through them in order.
    caller, body = client("http://127.0.0.1:1"), json.loads(material.request(count // 2))
    times = []
    player = vcr.VCR(match_on=["method", "uri", "body"], record_mode="none")
    with player.use_cassette(str(file), allow_playback_repeats=True):
        caller.converse(modelId=material.MODEL, **body)
        for _ in range(20):
            began = time.perf_counter()
            caller.converse(modelId=material.MODEL, **body)
            times.append(time.perf_counter() - began)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
