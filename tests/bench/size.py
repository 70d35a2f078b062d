"""The cost of size: 10 interactions or 100,000."""

import statistics
from itertools import cycle
from pathlib import Path

import material
from measuring import Row, latencies, memory, pinned
from servers import bedtape

MANY = 100_000


def measure(work: Path) -> list[Row]:
    small, large = work / "small.tape", work / "large.tape"
    material.write_tape(small, material.plain(10))
    material.write_tape(large, material.plain(MANY))
    requests = [material.on_the_wire(material.request(n)) for n in range(10)]
    with bedtape(str(small)) as few, bedtape(str(large)) as many:
        held, bare = memory(many.pid), memory(few.pid)
        times: dict[int, list[float]] = {few.port: [], many.port: []}
        with pinned(few.pid, many.pid):
            for _ in range(30):
                for port, seconds in times.items():
                    seconds += latencies(port, cycle(requests), 300)
    packed = large.stat().st_size / 1024 / 1024
    one, other = (statistics.median(times[server.port]) * 1e6 for server in (few, many))
    return [
        (
            f"one connection, {MANY:,} interactions instead of 10, p50 (target: 1.1)",
            f"{other:.0f} µs instead of {one:.0f}, {other / one:.2f}",
        ),
        (
            (
                f"memory of {MANY:,} interactions, {packed:.0f} MB as a .tape (target: 1.5 times"
                " that plus 40)"
            ),
            (
                f"{held:.0f} MB, {(held - 40) / packed:.2f} times that plus 40; {bare:.0f} MB with"
                " 10 interactions"
            ),
        ),
    ]
