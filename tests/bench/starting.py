"""From the command to the first answer; and loading: cold, from a warm cache, from a `.tape`."""

import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path

import material
from measuring import Row, interleaved, require_200, timed
from servers import bedtape

from bedtape_cassettes.model import Interaction
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer

COUNT = 5000


def measure(work: Path) -> list[Row]:
    folder, cache, packed = work / "suite", work / "cache", work / "suite.tape"
    suite = material.suite(COUNT)
    for cassette in suite:
        material.write(folder, cassette)
    material.write_tape(packed, suite)
    store.read([folder], cache=cache)
    return [
        *_starting(folder, cache, packed, suite[0].interactions[0]),
        *_loading(folder, cache, packed),
        *_checking(folder, work),
    ]


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _first_answer(asked: Interaction, *arguments: str, cache: str = "") -> None:
    os.environ["BEDTAPE_CACHE_DIR"] = cache
    request = material.on_the_wire(asked.request.body.data, asked.request.path)
    with (
        bedtape(*arguments) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(request)
        require_200(client.recv(65536))


def _starting(folder: Path, cache: Path, packed: Path, asked: Interaction) -> list[Row]:
    samples = store.read([store.samples()])
    sampled = next(c.interactions[0] for c in samples if c.name == "hello")
    works = {
        "python": lambda: _python("pass"),
        "import": lambda: _python("import bedtape_replayer"),
        "use": lambda: _python("from bedtape_replayer import Replayer"),
        "samples": lambda: _first_answer(sampled, str(store.samples())),
        "cached": lambda: _first_answer(asked, str(folder), cache=str(cache)),
        "packed": lambda: _first_answer(asked, str(packed)),
    }
    times = interleaved(5, works)
    os.environ["BEDTAPE_CACHE_DIR"] = ""
    with Replayer(store.samples()):  # warms the imports
        pass
    ready = statistics.median(
        timed(lambda: Replayer(store.samples()).start().stop()) for _ in range(9)
    )
    first = "`bedtape replay`, from the command to the first answer and the end"
    return [
        (
            "`import bedtape_replayer`, over a bare Python",
            f"{(times['import'] - times['python']) * 1000:.0f} ms",
        ),
        (
            "`from bedtape_replayer import Replayer`, the same",
            f"{(times['use'] - times['python']) * 1000:.0f} ms",
        ),
        (f"{first}: the samples", f"{times['samples']:.2f} s"),
        (
            f"the same with {COUNT:,} interactions, warm cache (target: 0.7 s)",
            f"{times['cached']:.2f} s",
        ),
        (
            f"the same with {COUNT:,} interactions in a `.tape` (target: 0.7 s)",
            f"{times['packed']:.2f} s",
        ),
        ("`Replayer` on the samples, start to stop", f"{ready * 1000:.1f} ms"),
    ]


def _loading(folder: Path, cache: Path, packed: Path) -> list[Row]:
    size = sum(path.stat().st_size for path in folder.rglob("*.yaml")) / COUNT
    works = {
        "cold": lambda: store.read([folder]),
        "warm": lambda: store.read([folder], cache=cache),
        "packed": lambda: store.read([packed]),
    }
    times = interleaved(3, works)
    cold = times["cold"]
    return [
        (f"{COUNT:,} interactions of {size / 1000:.1f} KB: cold, from folders", f"{cold:.2f} s"),
        (
            "the same from a warm cache",
            f"{times['warm']:.2f} s ({times['warm'] / cold:.2f} of cold)",
        ),
        (
            "the same from a `.tape`",
            f"{times['packed']:.2f} s ({times['packed'] / cold:.2f} of cold)",
        ),
    ]


def _checking(folder: Path, work: Path) -> list[Row]:
    """Commands that read every body, each in a process of its own, without a load cache."""
    os.environ["BEDTAPE_CACHE_DIR"] = ""
    program = "from bedtape_cassettes.cli.main import main; main()"

    def command(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-c", program, "cassette", *arguments],
            stdout=subprocess.DEVNULL,
            check=False,
        )

    works = {
        "check": lambda: command("check", "--in", str(folder)),
        "pack": lambda: command(
            "pack", "--in", str(folder), "--to", str(work / "packed.tape"), "--force"
        ),
        "scan": lambda: command("scan", "--in", str(folder)),
    }
    times = interleaved(3, works)
    return [
        (
            f"`bedtape cassette {name}` of {COUNT:,} interactions (target: 5 s)",
            f"{times[name]:.2f} s",
        )
        for name in works
    ]
