"""HTTP/1.1: one connection and sixteen, bodies that repeat and bodies that do not,
beside nginx and others.
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path

import material
from measuring import Load, Row, latencies, median, pinned, script, wrk
from servers import COMPILED, OPPONENTS, Missing, Served, bedtape, floor, nginx

LOADED = 5000
ROUNDS = 4


def measure(work: Path) -> list[Row]:
    packed = work / "plain.tape"
    material.write_tape(packed, material.plain(LOADED))
    with ExitStack() as stack:
        ours = stack.enter_context(bedtape(str(packed)))
        base, least = stack.enter_context(nginx()), stack.enter_context(floor())
        compiled = (
            stack.enter_context(bedtape(str(packed), compiled=True)) if COMPILED.exists() else None
        )
        rows = _one({"bedtape": ours} | ({"compiled": compiled} if compiled else {}), base, least)
        servers = {"bedtape": ours} | ({"bedtape, compiled": compiled} if compiled else {})
        servers |= {"nginx": base, "the floor": least}
        left_out = []
        for name, opponent in OPPONENTS.items():
            try:
                server = stack.enter_context(opponent(packed))  # type: ignore[arg-type]
                latencies(server.port, iter([material.on_the_wire(material.request(0))]), 1)
                servers[name] = server
            except (Missing, RuntimeError, OSError) as error:
                left_out.append(
                    (f"{name}, the same Converse call", f"left out: {str(error)[:110]}")
                )
        return rows + _sixteen(work, servers) + left_out


def _varied() -> Iterator[bytes]:
    return (material.on_the_wire(material.varied(material.request(n % LOADED), n)) for n in count())


def _one(builds: dict[str, Served], base: Served, least: Served) -> list[Row]:
    wires = [material.on_the_wire(material.request(n)) for n in range(500)]
    kinds = {
        "one body": cycle(wires[:1]),
        "500 bodies that repeat": cycle(wires),
        "no body repeats": _varied(),
    }
    times: dict[tuple[str, str], list[float]] = {
        (build, kind): [] for build in builds for kind in kinds
    }
    constant: dict[str, list[float]] = {"nginx": [], "floor": []}
    with pinned(*[server.pid for server in builds.values()], base.pid, least.pid):
        for _ in range(20):
            for kind, requests in kinds.items():
                for build, server in builds.items():
                    times[build, kind] += latencies(server.port, requests, 300)
            constant["nginx"] += latencies(base.port, cycle(wires), 300)
            constant["floor"] += latencies(least.port, cycle(wires), 300)
    p50 = {name: statistics.median(seconds) * 1e6 for name, seconds in constant.items()}
    rows = [
        ("HTTP/1.1, one connection: nginx's constant, p50", f"{p50['nginx']:.0f} µs"),
        ("the floor, p50", f"{p50['floor']:.0f} µs, {p50['floor'] / p50['nginx']:.2f} of nginx's"),
    ]
    for (build, kind), seconds in times.items():
        own = statistics.median(seconds) * 1e6
        figure = (
            f"{own:.0f} µs, {own / p50['nginx']:.2f} of nginx's, {own / p50['floor']:.2f} of the"
            " floor"
        )
        rows.append((f"{build}, {kind}, p50{_TARGETS.get(kind, '')}", figure))
        rows.append(("the same, p99", f"{statistics.quantiles(seconds, n=100)[98] * 1e6:.0f} µs"))
    return rows


_TARGETS = {"500 bodies that repeat": " (target: 1.35)", "no body repeats": " (target: 1.6)"}


def _sixteen(work: Path, servers: dict[str, Served]) -> list[Row]:
    bodies = [material.request(n) for n in range(500)]
    with tempfile.NamedTemporaryFile("w", dir=work, suffix=".lua", delete=False) as repeating:
        repeating.write(script(bodies, vary=False))
    with tempfile.NamedTemporaryFile("w", dir=work, suffix=".lua", delete=False) as never:
        never.write(script(bodies, vary=True))
    loads: dict[str, list[Load]] = {}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            url = server.url + material.PATH
            loads.setdefault(name, []).append(
                wrk(url, server.pid, Path(repeating.name), may_fail=True)
            )
            if name.startswith(("bedtape", "nginx")):
                loads.setdefault(f"{name}, no body repeats", []).append(
                    wrk(url, server.pid, Path(never.name), may_fail=True)
                )
    medians = {name: median(each) for name, each in loads.items()}
    rows = []
    for name, load in medians.items():
        against = medians["nginx, no body repeats" if "no body" in name else "nginx"]
        ratio = "" if name.startswith("nginx") else f", {load.rate / against.rate:.2f} of nginx's"
        failed = f", {load.failed} failed" if load.failed else ""
        times = (
            ""
            if name.startswith(("bedtape", "nginx", "the floor"))
            else f"; bedtape does {medians['bedtape'].rate / load.rate:.1f} times that"
        )
        rows.append(
            (
                f"16 connections: {name}",
                (
                    f"{load.rate:,.0f} requests/s{ratio}, {load.cost:.0f} µs of CPU"
                    f" each{failed}{times}"
                ),
            )
        )
    return rows
