"""What an answer from a rule costs: ten rules, of which the last one matches, beside a
cassette and beside nginx.
"""

import json
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from random import choices
from statistics import median as median_of

import material
from measuring import Load, Row, latencies, median, pinned, script, wrk
from servers import COMPILED, Served, bedtape, nginx

from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Cassette, Interaction

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"
# The last words of each prompt. wrk replaces the X for requests that do not repeat.
WEATHER = "How is the weather in Oslo? XXXXXXXXXXXX"
BODIES = 50
ROUNDS = 4


def _converse(prompt: str) -> dict[str, object]:
    return {
        "messages": [{"role": "user", "content": [{"text": prompt}]}],
        "inferenceConfig": {"maxTokens": 300},
    }


def _claude(prompt: str) -> dict[str, object]:
    messages = [{"role": "user", "content": prompt}]
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": messages}


def _chat(prompt: str) -> dict[str, object]:
    return {"model": "openai.gpt-oss-20b-1:0", "messages": [{"role": "user", "content": prompt}]}


def _chat_stream(prompt: str) -> dict[str, object]:
    return {**_chat(prompt), "stream": True}


# The name of an API, its path, and the body that sends a prompt.
APIS = (
    ("Converse", material.PATH, _converse),
    ("ConverseStream", f"{material.PATH}-stream", _converse),
    ("InvokeModel (Claude)", f"/model/{CLAUDE}/invoke", _claude),
    ("Chat Completions", "/openai/v1/chat/completions", _chat),
    ("Chat Completions, a stream", "/openai/v1/chat/completions", _chat_stream),
)


def measure(work: Path) -> list[Row]:
    overlay = work / "rules.json"
    others = [
        {"when": {"prompt_contains": f"order {n}"}, "answer": {"text": "no"}} for n in range(9)
    ]
    last = {
        "when": {"prompt_contains": "in Oslo?"},
        "answer": {"text": material.words(material.ANSWERED, 3)},
    }
    overlay.write_text(json.dumps({"bedtape-overlay": 1, "rules": [*others, last]}))
    sent = {(name, path): [_request(body, n) for n in range(BODIES)] for name, path, body in APIS}
    packed, other = work / "rules.tape", work / "other.tape"
    material.write_tape(other, material.plain(1))
    # For each build, a server with the rules and a server with their answers as a cassette.
    builds: dict[str, tuple[Served, Served]] = {}
    with ExitStack() as stack:
        for build in ("", "compiled, ") if COMPILED.exists() else ("",):
            started = {"log": True, "compiled": bool(build)}
            rules = stack.enter_context(bedtape(str(other), "--overlay", str(overlay), **started))
            if not builds:
                answers = [
                    _record(rules.url, path, body)
                    for (_, path), bodies in sent.items()
                    for body in bodies
                ]
                material.write_tape(packed, [Cassette("rules", tuple(answers))])
            builds[build] = rules, stack.enter_context(bedtape(str(packed), **started))
        waits = _one({build: rules for build, (rules, _) in builds.items()}, sent)
        loads: dict[tuple[str, bool, int], list[Load]] = {}
        for _ in range(ROUNDS):
            for (name, path), bodies in sent.items():
                for vary in (False, True):
                    for rules, cassette in builds.values():
                        for server in (rules, cassette):
                            # A cassette answers the recorded prompts, so its bodies vary in blanks.
                            place = (
                                {"letters": "abcd", "at": "XXXXXXXXXXXX"} if server is rules else {}
                            )
                            lua = work / "rules.lua"
                            lua.write_text(script(bodies, vary=vary, **place))
                            load = wrk(server.url + path, server.pid, lua)
                            loads.setdefault((name, vary, server.pid), []).append(load)
    costs = {key: median(runs).cost for key, runs in loads.items()}
    return [
        _row(build + name, costs[name, vary, rules.pid], costs[name, vary, cassette.pid], vary=vary)
        for build, (rules, cassette) in builds.items()
        for name, _, _ in APIS
        for vary in (False, True)
    ] + waits


def _one(builds: dict[str, Served], sent: dict[tuple[str, str], list[bytes]]) -> list[Row]:
    """The p50 at one connection, in turns with nginx's constant."""
    times: dict[tuple[str, str, bool], list[float]] = {
        (build, name, vary): [] for build in builds for name, _ in sent for vary in (False, True)
    }
    constant: list[float] = []
    with nginx() as base, pinned(*[server.pid for server in builds.values()], base.pid):
        wires = cycle([material.on_the_wire(material.request(n)) for n in range(BODIES)])
        for _ in range(10):
            for (name, path), bodies in sent.items():
                complete = b"0\r\n\r\n" if "tream" in name else b""
                for vary in (False, True):
                    for build, server in builds.items():
                        requests = (
                            material.on_the_wire(_vary(body) if vary else body, path)
                            for body in cycle(bodies)
                        )
                        times[build, name, vary] += latencies(server.port, requests, 200, complete)
            constant += latencies(base.port, wires, 200)
    least = median_of(constant)
    return [("one connection: nginx's constant, p50", f"{least * 1e6:.0f} µs")] + [
        (
            (
                f"{build}{name}, the last of ten rules, bodies"
                f" {'do not repeat' if vary else 'repeat'}, one connection,"
                f" p50{_TARGETS.get((build, vary), '')}"
            ),
            f"{median_of(runs) * 1e6:.0f} µs, {median_of(runs) / least:.2f} of nginx's",
        )
        for (build, name, vary), runs in times.items()
    ]


# By build, and whether bodies vary.
_TARGETS = {("compiled, ", False): " (target: 1.35)"}


def _vary(body: bytes) -> bytes:
    return body.replace(b"XXXXXXXXXXXX", "".join(choices("abcd", k=12)).encode())


def _row(name: str, ours: float, base: float, *, vary: bool) -> Row:
    kind, target = ("do not repeat", 1.5) if vary else ("repeat", 1.2)
    return (
        f"{name}, the last of ten rules, bodies {kind} (target: {target})",
        f"{ours:.0f} µs of CPU a request, a cassette {base:.0f}, {ours / base:.2f}",
    )


def _request(body: Callable[[str], object], number: int) -> bytes:
    return json.dumps(body(f"{number}: {material.words(70, number)}. {WEATHER}")).encode()


def _record(url: str, path: str, body: bytes) -> Interaction:
    """The rule's answer as a recording, so that both servers send the same."""
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return build_interaction(
            method="POST",
            path=path,
            request_headers=(("Content-Type", "application/json"),),
            request_body=body,
            status=answer.status,
            response_headers=tuple(answer.getheaders()),
            response_body=answer.read(),
        )
