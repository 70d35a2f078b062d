"""`bedtape record --verify` from end to end: drifts, made on purpose in an HTTPS
upstream, reported alone.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.format import eventstream
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Cassette, Headers, Interaction
from support import folders
from support.commands import run_program
from support.recorder import environment
from support.recordings import answer, path, prompt
from support.upstream import Answer, Upstream
from support.upstream.answers import EVENT_STREAM

JSON: Headers = (("Content-Type", "application/json"), ("x-amzn-RequestId", "a"))
EVENTS: Headers = (("Content-Type", EVENT_STREAM), ("x-amzn-RequestId", "a"))
RETIRED = (
    "This model version has reached the end of its life. Please refer to the AWS documentation for"
    " more details."
)


@dataclass(frozen=True)
class Said:
    """What the service says: once when it is recorded, and once when it is asked again."""

    status: int
    headers: Headers
    frames: tuple[bytes, ...]
    operation: str = "converse"

    def answer(self) -> Answer:
        streamed = self.operation == "converse-stream"
        return Answer(
            path(self.operation),
            prompt("a"),
            status=self.status,
            headers=self.headers,
            frames=self.frames,
            streamed=streamed,
        )

    def recorded(self) -> Interaction:
        return build_interaction(
            method="POST",
            path=path(self.operation),
            request_headers=(("Content-Type", "application/json"),),
            request_body=prompt("a"),
            status=self.status,
            response_headers=self.headers,
            response_body=b"".join(self.frames),
        )


def says(body: dict[str, Any], **changed: Any) -> Said:
    return replace(Said(200, JSON, (json.dumps(body).encode(),)), **changed)


def error(status: int, kind: str, message: str) -> Said:
    headers = (
        *JSON,
        ("x-amzn-ErrorType", f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"),
    )
    return Said(status, headers, (json.dumps({"message": message}).encode(),))


def streams(*events: bytes) -> Said:
    return Said(200, EVENTS, events, "converse-stream")


def event(kind: str, value: Any) -> bytes:
    headers = (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    )
    return eventstream.encode_strings(headers, json.dumps(value).encode())


START = event("messageStart", {"role": "assistant"})
DELTA = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}})
MORE = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": " there"}})
BLOCK = event("contentBlockStop", {"contentBlockIndex": 0})
STOP = event("messageStop", {"stopReason": "end_turn"})
METADATA = event("metadata", {"usage": {"inputTokens": 1}, "metrics": {"latencyMs": 1}})
WHOLE = streams(START, DELTA, BLOCK, STOP, METADATA)
BODY = answer("Hello")
PLAIN = says(BODY)
LIMITED = error(400, "ValidationException", "The model returned the following errors: too long")


# What is recorded, what is answered now, and the line of its finding: one drift of each form that a
# service's answer has. `test_drift.py` has every kind.
DRIFTS: dict[str, tuple[Said, Said, str]] = {
    "body": (
        PLAIN,
        says({**BODY, "trace": "x"}),
        "added: field gained trace: recorded not there, now text",
    ),
    "header": (
        says(BODY, headers=(*JSON, ("x-amzn-bedrock-cache", "hit"))),
        PLAIN,
        "lost: header lost x-amzn-bedrock-cache: recorded there, now not there",
    ),
    "event order": (
        WHOLE,
        streams(START, DELTA, BLOCK, METADATA, STOP),
        (
            "changed: event order: recorded messageStart → contentBlockDelta text →"
            " contentBlockStop → messageStop → metadata, now messageStart → contentBlockDelta text"
            " → contentBlockStop → metadata → messageStop"
        ),
    ),
    "error type": (
        LIMITED,
        error(400, "ServiceQuotaExceededException", "too long"),
        "changed: error type: recorded ValidationException, now ServiceQuotaExceededException",
    ),
    "error text": (
        LIMITED,
        error(400, "ValidationException", "The input is too long"),
        (
            "changed: error text: recorded The model returned the following errors: too long, now"
            " The input is too long"
        ),
    ),
    "missing permission": (
        PLAIN,
        error(
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        "lost: missing permission: recorded an answer, now 403 AccessDeniedException",
    ),
    "content blocks": (
        PLAIN,
        says(
            {
                **BODY,
                "output": {
                    "message": {
                        **BODY["output"]["message"],
                        "content": [{"text": "a"}, {"text": "b"}],
                    }
                },
            }
        ),
        "added: content blocks: recorded Text, now Text, Text",
    ),
    "cut stream": (
        WHOLE,
        streams(START, DELTA[:-7]),
        "lost: cut stream: recorded complete, now mid-frame",
    ),
    "model retired": (
        PLAIN,
        error(404, "ResourceNotFoundException", RETIRED),
        f'lost: model retired: recorded an answer, now {{"message": "{RETIRED}"}}',
    ),
    "a stream no more": (
        WHOLE,
        says(BODY, operation="converse-stream"),
        "changed: body: recorded a stream, now no stream",
    ),
}
# The same again; and wording, pace and ids: whatever a service says differently every time.
SAME: dict[str, tuple[Said, Said]] = {
    "nothing": (WHOLE, WHOLE),
    "a body": (PLAIN, says(answer("Other words"), headers=(JSON[0], ("x-amzn-RequestId", "b")))),
    "a stream": (WHOLE, streams(START, DELTA, MORE, BLOCK, STOP, METADATA)),
    "an error": (
        error(400, "ValidationException", "3 of 17"),
        error(400, "ValidationException", "4 of 2"),
    ),
}


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


def verified(
    bedrock: Upstream, before: Said, now: Said, folder: Path
) -> subprocess.CompletedProcess[str]:
    """What the command says of a cassette that holds one answer where the
    service gives another now.
    """
    bedrock.clear()
    bedrock.add(now.answer())
    folders.write(folder / "tapes", Cassette("a", (before.recorded(),)))
    code = "from bedtape_cassettes.cli.main import main; main()"
    arguments = ["record", "--verify", "--to", str(folder / "tapes"), "--upstream", bedrock.url]
    ended = run_program(
        [sys.executable, "-c", code, *arguments],
        environment(bedrock, folder, NO_PROXY="localhost", no_proxy="localhost"),
    )
    assert not bedrock.failures
    assert len(bedrock.requests) == 1
    return ended


@pytest.mark.parametrize("kind", DRIFTS)
def test_a_drift_is_reported_and_nothing_else(kind: str, bedrock: Upstream, tmp_path: Path) -> None:
    before, now, line = DRIFTS[kind]
    ended = verified(bedrock, before, now, tmp_path)
    cause, files, _ = ended.stdout.splitlines()
    assert cause == line, ended.stderr
    assert re.fullmatch(rf"  1 recording: a/0001-{before.operation}-[0-9a-f]{{8}}\.yaml", files)
    assert ended.returncode == 1
    assert re.search(r"sent 1 again \(\d+ tokens\): 1 finding \(1 \w+\)\n$", ended.stderr)


@pytest.mark.parametrize("kind", SAME)
def test_other_words_are_no_drift(kind: str, bedrock: Upstream, tmp_path: Path) -> None:
    ended = verified(bedrock, *SAME[kind], tmp_path)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stdout
    assert re.search(r"sent 1 again \(\d+ tokens\): no findings\n$", ended.stderr)
