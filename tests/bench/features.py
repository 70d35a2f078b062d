"""What features cost that do not happen: 20 rules and 5 faults, none of which is
about the calls that come, and simulated features of the service that are all off.
"""

import json
from pathlib import Path

import material
from measuring import Load, Row, median, script, wrk
from servers import bedtape

from bedtape_replayer.overlay.simulation.schema import SIMULATE

ROUNDS = 5


def measure(work: Path) -> list[Row]:
    packed, overlay = work / "features.tape", work / "overlay.yaml"
    material.write_tape(packed, material.plain(1000))
    rules = [
        {"when": {"prompt_contains": f"order {n}"}, "answer": {"text": "no"}} for n in range(20)
    ]
    faults = [
        {"when": {"model": f"*claude-{n}*"}, "error": "ThrottlingException"} for n in range(5)
    ]
    document = {"bedtape-overlay": 1, "rules": rules, "faults": faults}
    overlay.write_text(json.dumps(document))
    off = work / "off.yaml"
    names = SIMULATE["properties"]
    off.write_text(json.dumps({**document, "simulate": dict.fromkeys(names, False)}))
    scripts = {}
    for kind in ("repeat", "do not repeat"):
        scripts[kind] = work / f"features-{len(scripts)}.lua"
        scripts[kind].write_text(
            script([material.request(n) for n in range(500)], vary=kind != "repeat")
        )
    with (
        bedtape(str(packed)) as none,
        bedtape(str(packed), "--overlay", str(overlay)) as all_,
        bedtape(str(packed), "--overlay", str(off)) as without,
    ):
        loads: dict[tuple[str, int], list[Load]] = {}
        for _ in range(ROUNDS):
            for kind, lua in scripts.items():
                for server in (none, all_, without):
                    load = wrk(server.url + material.PATH, server.pid, lua)
                    loads.setdefault((kind, server.pid), []).append(load)
    costs = {key: median(load).cost for key, load in loads.items()}
    rows = [
        (
            f"20 rules and 5 faults that do not match, bodies {kind} (target: 1.25)",
            (
                f"{costs[kind, all_.pid]:.0f} µs of CPU a request instead of"
                f" {costs[kind, none.pid]:.0f}, {costs[kind, all_.pid] / costs[kind, none.pid]:.2f}"
            ),
        )
        for kind in scripts
    ]
    return rows + [
        (
            f"beside them, all simulated features off, bodies {kind} (target: 1.0)",
            (
                f"{costs[kind, without.pid]:.0f} µs of CPU a request instead of"
                f" {costs[kind, all_.pid]:.0f},"
                f" {costs[kind, without.pid] / costs[kind, all_.pid]:.2f}"
            ),
        )
        for kind in scripts
    ]
