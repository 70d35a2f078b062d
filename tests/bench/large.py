"""Large bodies: how long others wait while 8 MB of images are sent, and while 8 MiB are
streamed to a hundred clients.
"""

import json
import os
import statistics
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import material
from measuring import Row, latencies, script, wrk
from servers import bedtape

IMAGE = 6 * 1024 * 1024  # 8 MB of base64
TEXT = "It is cold. " * 700_000
SECONDS = 4
PAUSE = 0.003  # so that short waits are not asked more often than long ones


def measure(work: Path) -> list[Row]:
    overlay, other = work / "large.json", work / "other.tape"
    rules = [
        {"when": {"prompt_contains": "long"}, "answer": {"text": TEXT}},
        {"when": {"prompt_contains": "order"}, "answer": {"text": "Yes."}},
    ]
    overlay.write_text(json.dumps({"bedtape-overlay": 1, "rules": rules}))
    material.write_tape(other, material.plain(1))
    image = {"image": {"format": "png", "source": {"bytes": b64encode(os.urandom(IMAGE)).decode()}}}
    with bedtape(str(other), "--overlay", str(overlay)) as server, ThreadPoolExecutor(1) as pool:
        request = material.on_the_wire(_request("order 7"))

        def wait(ending: str, connections: int, *content: object) -> str:
            """What another client sees meanwhile, and how many large answers there were."""
            lua = work / "large.lua"
            lua.write_text(
                script(
                    [json.dumps({"messages": [{"role": "user", "content": content}]}).encode()],
                    vary=False,
                )
            )
            load = pool.submit(
                wrk, f"{server.url}{material.PATH}{ending}", server.pid, lua, SECONDS, connections
            )
            times = []
            while not load.done():
                time.sleep(PAUSE)
                times += latencies(server.port, repeat(request), 1)
            p50, p99 = (
                statistics.median(times) * 1000,
                statistics.quantiles(times, n=100)[98] * 1000,
            )
            return (
                f"{p50:.1f} ms, p99 {p99:.0f} ms, with {load.result().done / SECONDS:.0f} of these"
                " a second"
            )

        return [
            (
                "another client's p50 while one client sends requests of 8 MB (target: 5 ms)",
                wait("", 1, {"text": "order 8"}, image),
            ),
            (
                "another client's p50 while 100 clients receive streams of 8 MiB (target: 5 ms)",
                wait("-stream", 100, {"text": "long"}),
            ),
        ]


def _request(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]}).encode()
