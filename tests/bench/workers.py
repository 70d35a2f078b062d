"""`--workers`: one port served from several processes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import material
from measuring import Row, cpu, script, wrk
from servers import Served, bedtape

ROUNDS = 4
WORKERS = 2


def measure(work: Path) -> list[Row]:
    packed, lua = work / "workers.tape", work / "workers.lua"
    material.write_tape(packed, material.plain(1000))
    lua.write_text(script([material.request(n) for n in range(500)], vary=False))
    rates: dict[str, list[float]] = {"one": [], "all": []}
    costs: dict[str, list[float]] = {"one": [], "all": []}
    with ExitStack() as stack:
        servers = {
            "one": stack.enter_context(bedtape(str(packed))),
            "all": stack.enter_context(bedtape(str(packed), "--workers", str(WORKERS))),
        }
        for _ in range(ROUNDS):
            for name, server in servers.items():
                before = _family(server)
                load = wrk(server.url + material.PATH, server.pid, lua)
                rates[name].append(load.rate)
                costs[name].append((_family(server) - before) / load.done)
    one, other = (sorted(costs[name])[ROUNDS // 2] for name in ("one", "all"))
    alone, rate = (sorted(rates[name])[ROUNDS // 2] for name in ("one", "all"))
    return [
        (
            f"--workers {WORKERS}, 16 connections (target: CPU 1.1 times that of one process)",
            f"{other:.0f} µs of CPU a request instead of {one:.0f}, {other / one:.2f}; {rate:,.0f} requests/s instead of {alone:,.0f}",
        )
    ]


def _family(server: Served) -> float:
    """The CPU of a server and its workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return cpu(server.pid) + sum(cpu(int(child)) for child in children)
