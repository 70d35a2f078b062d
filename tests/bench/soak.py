"""A soak: what a server holds after many calls, beside what it held after the first 50,000. BEDTAPE_SOAK says how many."""

import os
from pathlib import Path

import material
from measuring import Row, memory, script, wrk
from servers import bedtape

CALLS = int(os.environ.get("BEDTAPE_SOAK", "1000000"))
SETTLED = 50_000


def measure(work: Path) -> list[Row]:
    packed, lua = work / "soak.tape", work / "soak.lua"
    material.write_tape(packed, material.plain(1000))
    lua.write_text(script([material.request(n) for n in range(500)], vary=True))
    done, settled = 0, 0.0
    with bedtape(str(packed)) as server:
        while done < CALLS or not settled:
            if done >= SETTLED and not settled:
                settled = memory(server.pid)
            done += wrk(server.url + material.PATH, server.pid, lua, seconds=2).done
        held = memory(server.pid)
    grown = (held / settled - 1) * 100
    return [
        (
            f"memory after {done:,} calls, no body repeating, beside that after {SETTLED:,} (target: within 5 %)",
            f"{held:.0f} MB instead of {settled:.0f}, {grown:+.1f} %",
        )
    ]
