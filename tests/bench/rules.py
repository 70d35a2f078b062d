"""What an answer from a rule costs beside the same answer from a cassette: ten rules, of which the last one matches."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import material
from measuring import Load, Row, median, script, wrk
from servers import bedtape

from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Cassette, Interaction

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"
# The last words of each prompt. wrk replaces the X for requests that do not repeat.
WEATHER = "How is the weather in Oslo? XXXXXXXXXXXX"
BODIES = 50
ROUNDS = 4


def _converse(prompt: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": [{"text": prompt}]}], "inferenceConfig": {"maxTokens": 300}}


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
    others = [{"when": {"prompt_contains": f"order {n}"}, "answer": {"text": "no"}} for n in range(9)]
    last = {"when": {"prompt_contains": "in Oslo?"}, "answer": {"text": material.words(material.ANSWERED, 3)}}
    overlay.write_text(json.dumps({"bedtape-overlay": 1, "rules": [*others, last]}))
    sent = {(name, path): [_request(body, n) for n in range(BODIES)] for name, path, body in APIS}
    packed, other = work / "rules.tape", work / "other.tape"
    material.write_tape(other, material.plain(1))
    with bedtape(str(other), "--overlay", str(overlay), log=True) as rules:
        answers = [_record(rules.url, path, body) for (_, path), bodies in sent.items() for body in bodies]
        material.write_tape(packed, [Cassette("rules", tuple(answers))])
        with bedtape(str(packed), log=True) as cassette:
            loads: dict[tuple[str, bool, int], list[Load]] = {}
            for _ in range(ROUNDS):
                for (name, path), bodies in sent.items():
                    for vary in (False, True):
                        for server in (rules, cassette):
                            # A cassette answers the recorded prompts, so its bodies vary in blanks.
                            place = {"letters": "abcd", "at": "XXXXXXXXXXXX"} if server is rules else {}
                            lua = work / "rules.lua"
                            lua.write_text(script(bodies, vary=vary, **place))
                            load = wrk(server.url + path, server.pid, lua)
                            if load.failed:
                                raise RuntimeError(f"{load.failed} answers of {server.url}{path} were errors")
                            loads.setdefault((name, vary, server.pid), []).append(load)
    costs = {key: median(found).cost for key, found in loads.items()}
    return [
        _row(name, costs[name, vary, rules.pid], costs[name, vary, cassette.pid], vary=vary)
        for name, _, _ in APIS
        for vary in (False, True)
    ]


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
