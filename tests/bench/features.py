"""What features cost: 20 rules and 5 faults, none of which is about the calls that come;
simulated features of the service that are all off; and each of them on, with requests that use it.
"""

import json
from pathlib import Path
from typing import Any

import material
from measuring import Load, Row, median, script, wrk
from servers import bedtape

from bedtape_replayer.overlay.simulation.schema import SIMULATE

ROUNDS = 5
_GUARDRAIL = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
_SYSTEM = [{"text": material.words(900, 1)}, {"cachePoint": {"type": "default"}}]
_POLICY = {
    "wordPolicyConfig": {"wordsConfig": [{"text": f"word{number}"} for number in range(100)]},
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]
    },
}
# The options of each feature, and the members of a request that uses it.
USES: dict[str, tuple[Any, dict[str, Any]]] = {
    "caching": (True, {"system": _SYSTEM}),
    "guardrails": ({"abc": _POLICY}, {"guardrailConfig": _GUARDRAIL}),
    "limits": (True, {}),
    "quotas": ({"tokens_per_minute": 10**9}, {}),
    "service_tiers": (True, {"serviceTier": {"type": "default"}}),
    "structured_output": (
        True,
        {
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"schema": json.dumps(_SCHEMA)}},
                }
            }
        },
    ),
}


def measure(work: Path) -> list[Row]:
    return [*_measure_absence(work), *_measure_use(work)]


def _measure_absence(work: Path) -> list[Row]:
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
            _compare(costs[kind, all_.pid], costs[kind, none.pid]),
        )
        for kind in scripts
    ]
    return rows + [
        (
            f"beside them, all simulated features off, bodies {kind} (target: 1.0)",
            _compare(costs[kind, without.pid], costs[kind, all_.pid]),
        )
        for kind in scripts
    ]


def _measure_use(work: Path) -> list[Row]:
    """The same requests to two servers with one rule: with the feature, and without it."""
    rule = {"answer": {"json": {"name": "Ada"}}}
    document = {"bedtape-overlay": 1, "rules": [rule]}
    off, on, lua = work / "without.yaml", work / "with.yaml", work / "use.lua"
    off.write_text(json.dumps(document))
    rows = []
    with bedtape("--overlay", str(off)) as without:
        for name, (options, members) in USES.items():
            on.write_text(json.dumps({**document, "simulate": {name: options}}))
            bodies = [
                json.dumps({**json.loads(material.request(n)), **members}).encode()
                for n in range(500)
            ]
            lua.write_text(script(bodies, vary=True))
            with bedtape("--overlay", str(on)) as server:
                loads: dict[int, list[Load]] = {}
                for _ in range(ROUNDS):
                    for each in (without, server):
                        load = wrk(each.url + material.PATH, each.pid, lua)
                        loads.setdefault(each.pid, []).append(load)
                cost, before = (median(loads[each.pid]).cost for each in (server, without))
            rows.append((f"a rule's answer, requests use `{name}`", _compare(cost, before)))
    return rows


def _compare(cost: float, before: float) -> str:
    return f"{cost:.0f} µs of CPU a request instead of {before:.0f}, {cost / before:.2f}"
