"""Verdicts on real clients: none on those that do as they come, and the right one on those
that were made to do wrong.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from anthropic import AnthropicBedrock, AnthropicBedrockMantle, APIError, BadRequestError
from anthropic.types import MessageParam
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.retries.standard import ExponentialBackoff

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.overlay.faults.base import FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from bedtape_replayer.overlay.faults.truncation import Truncate
from bedtape_replayer.overlay.overlay import Fault
from bedtape_replayer.overlay.schedule import ALWAYS, Schedule
from bedtape_replayer.overlay.when import ANY, When
from support import WAIT, authored
from support.client import Http1
from support.folders import write

HERE = Path(__file__).parent / "javascript"
MODEL = "anthropic.claude-3-5-haiku-20241022-v1:0"
PATH = f"/model/{MODEL}/converse"
PROMPTS = tuple(f"Question {number}" for number in range(4))
THROTTLED = Failure("ThrottlingException")


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    """Answers every prompt, if no fault comes before."""
    interactions = [
        make(MODEL, text, "Fine")
        for text in PROMPTS
        for make in (authored.converse, authored.invoke)
    ]
    story = authored.converse_stream(MODEL, "Tell me a story", ["Once", " upon", " a time"])
    write(tmp_path, Cassette("made", (*interactions, story)))
    with Replayer(tmp_path) as bedrock:
        yield bedrock


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 as people fix slow tests: it waits for nothing."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock moves a millisecond a call: how busy the machine is
    must not look like patience.
    """
    clock = SimpleNamespace(perf_counter=lambda: 0.0, time=count(1_795_000_000.0, 0.001).__next__)
    monkeypatch.setattr("bedtape_replayer.server.exchanges.time", clock)


def lay(bedrock: Replayer, harm: FaultKind, when: When = ANY, schedule: Schedule = ALWAYS) -> None:
    def add() -> None:
        layers = bedrock.engine.sessions.get("default").layers
        layers.add(Fault(layers.next_id("fault"), harm, when, schedule))

    bedrock.run(add)


def throttle_twice(bedrock: Replayer) -> None:
    """The first two attempts of every call fail; that makes two waits for each."""
    for attempt in (1, 2):
        lay(bedrock, Refuse(THROTTLED), When(attempt=attempt))


def verdict(bedrock: Replayer) -> list[str]:
    return [str(finding) for finding in bedrock.session("default").verdict]


def kinds(bedrock: Replayer) -> set[str]:
    return {finding.kind for finding in bedrock.session("default").verdict}


def sdk_calls(bedrock: Replayer, attempts: int) -> int:
    return len(bedrock.session("default").calls.filter(attempts=attempts))


def client_of(bedrock: Replayer, **retries: Any) -> Any:
    aws = boto3.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")
    return aws.client(
        "bedrock-runtime", endpoint_url=bedrock.url, config=Config(retries=retries or None)
    )


def anthropic_of(bedrock: Replayer) -> AnthropicBedrock:
    return AnthropicBedrock(
        aws_access_key="AKIDEXAMPLE",
        aws_secret_key="secret",
        aws_region="us-east-1",
        base_url=bedrock.url,
    )


def at_once(call: Callable[[str], object], prompts: Sequence[str] = PROMPTS) -> None:
    """All prompts at the same time: their waits add up for nobody."""
    with ThreadPoolExecutor(len(prompts)) as pool:
        list(pool.map(call, prompts))


# -- clients as they come --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive", None])
def test_boto3_does_nothing_wrong(mode: str | None, bedrock: Replayer) -> None:
    throttle_twice(bedrock)
    prompts = PROMPTS[:2] if mode == "adaptive" else PROMPTS  # it lets one call wait for the other
    with closing(client_of(bedrock, **({"mode": mode} if mode else {}))) as client:
        at_once(lambda text: client.converse(modelId=MODEL, **authored.ask(text)), prompts)
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=3) == len(prompts)


def test_boto3_that_used_up_its_attempts_did_nothing_wrong(bedrock: Replayer) -> None:
    lay(bedrock, Refuse(THROTTLED))
    with (
        closing(client_of(bedrock, mode="standard")) as client,
        pytest.raises(ClientError, match="ThrottlingException"),
    ):
        client.converse(modelId=MODEL, **authored.ask("Question 0"))
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=3) == 1


@pytest.mark.parametrize(
    "error", ["ValidationException", "ModelErrorException", "AccessDeniedException"]
)
def test_boto3_does_not_retry_what_it_must_not(error: str, bedrock: Replayer) -> None:
    lay(bedrock, Refuse(Failure(error)))
    with closing(client_of(bedrock)) as client, pytest.raises(ClientError, match=error):
        client.converse(modelId=MODEL, **authored.ask("Question 0"))
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=1) == 1


@pytest.mark.skipif(
    not hasattr(ExponentialBackoff, "_RETRY_AFTER_HEADER"),
    reason="this boto3 is too old to read x-amz-retry-after",
)
def test_boto3_waits_as_long_as_it_is_told(bedrock: Replayer) -> None:
    lay(
        bedrock, Refuse(Failure("ServiceUnavailableException", retry_after_ms=400)), When(attempt=1)
    )
    with closing(client_of(bedrock, mode="standard")) as client:
        at_once(lambda text: client.converse(modelId=MODEL, **authored.ask(text)))
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=2) == len(PROMPTS)


@pytest.mark.parametrize("headers", [(), (("retry-after-ms", "400"),)])
def test_anthropics_client_does_nothing_wrong(
    headers: tuple[tuple[str, str], ...], bedrock: Replayer
) -> None:
    for attempt in (1, 2):
        lay(bedrock, Refuse(Failure("ThrottlingException", headers=headers)), When(attempt=attempt))
    with anthropic_of(bedrock) as client:
        at_once(lambda text: client.messages.create(model=MODEL, **authored.say(text)))
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=3) == len(PROMPTS)


def test_anthropics_client_that_sends_the_same_text_again_does_nothing_wrong(
    bedrock: Replayer,
) -> None:
    """The first call ends with a 400; the second is throttled and retried."""
    lay(bedrock, Refuse(Failure("ValidationException")), schedule=Schedule(times=1))
    lay(bedrock, Refuse(Failure("ThrottlingException")), schedule=Schedule(times=1))
    with anthropic_of(bedrock) as client:
        with pytest.raises(BadRequestError):
            client.messages.create(model=MODEL, **authored.say(PROMPTS[0]))
        client.messages.create(model=MODEL, **authored.say(PROMPTS[0]))
    assert [call.status for call in bedrock.calls] == [400, 429, 200]
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=2) == 1


@pytest.mark.parametrize("retry_after_ms", [None, 400])
@pytest.mark.parametrize("handler", ["default", "http1"])
def test_the_javascript_sdk_does_nothing_wrong(
    handler: str, retry_after_ms: int | None, bedrock: Replayer
) -> None:
    for attempt in (1, 2):
        lay(
            bedrock,
            Refuse(Failure("ThrottlingException", retry_after_ms=retry_after_ms)),
            When(attempt=attempt),
        )
    asked = [{"modelId": MODEL, **authored.ask(text)} for text in PROMPTS]
    in_javascript(
        [
            {"endpoint": bedrock.url, "handler": handler, "operation": "Converse", "input": each}
            for each in asked
        ]
    )
    assert verdict(bedrock) == []
    assert sdk_calls(bedrock, attempts=3) == len(PROMPTS)


def in_javascript(jobs: list[dict[str, Any]]) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the AWS SDK for JavaScript needs Node.js 20 or later")
    if not (HERE / "node_modules" / "@aws-sdk" / "client-bedrock-runtime").is_dir():
        pytest.skip("the AWS SDK for JavaScript is not installed: `make test` installs it")
    told = json.dumps({"concurrency": len(jobs), "jobs": jobs})
    command = [node, str(HERE / "client.mjs")]
    ended = subprocess.run(
        command, input=told, capture_output=True, encoding="utf-8", timeout=WAIT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert not [line for line in ended.stdout.splitlines() if "error" in json.loads(line)]


# -- clients that were made to do wrong ------------------------------------------------------------


@pytest.mark.usefixtures("no_sleep", "quick_clock")
def test_boto3_without_its_waits_is_named(bedrock: Replayer) -> None:
    throttle_twice(bedrock)
    with closing(client_of(bedrock, mode="standard")) as client:
        for text in PROMPTS:
            client.converse(modelId=MODEL, **authored.ask(text))
    assert kinds(bedrock) == {"no_backoff"}


@pytest.mark.usefixtures("no_sleep", "quick_clock")
@pytest.mark.parametrize(
    ("mode", "expected"), [("standard", {"ignored_retry_after"}), ("legacy", set())]
)
def test_boto3_that_ignores_what_it_is_told_is_named(
    mode: str, expected: set[str], bedrock: Replayer
) -> None:
    """The mode legacy reads no such header, and is the default of older versions."""
    lay(bedrock, Refuse(Failure("ThrottlingException", retry_after_ms=4000)), When(attempt=1))
    with closing(client_of(bedrock, mode=mode)) as client:
        client.converse(modelId=MODEL, **authored.ask("Question 0"))
    assert kinds(bedrock) == expected


def test_a_client_that_retries_whatever_failed_is_named(bedrock: Replayer) -> None:
    lay(bedrock, Refuse(Failure("ValidationException")))
    body = json.dumps(authored.ask("Question 0")).encode()
    with Http1(bedrock.url) as line:
        for count in range(2):
            line.request("POST", PATH, [("x-stainless-retry-count", str(count))], body)
    assert kinds(bedrock) == {"retried_what_it_must_not"}


@pytest.mark.usefixtures("quick_clock")
def test_a_loop_around_calls_is_named(bedrock: Replayer) -> None:
    """As many a script does: until it works."""
    lay(bedrock, Refuse(THROTTLED), schedule=Schedule(times=20))
    body = json.dumps(authored.ask("Question 0")).encode()
    with Http1(bedrock.url) as line:
        while line.request("POST", PATH, (), body).status != 200:
            pass
    assert kinds(bedrock) == {"retry_storm"}


def test_a_client_that_said_it_would_try_again_is_named(bedrock: Replayer) -> None:
    lay(bedrock, Refuse(THROTTLED))
    told = [("amz-sdk-invocation-id", "a"), ("amz-sdk-request", "attempt=1; max=3")]
    with Http1(bedrock.url) as line:
        line.request("POST", PATH, told, json.dumps(authored.ask("Question 0")).encode())
    assert kinds(bedrock) == {"gave_up_early"}


@pytest.mark.parametrize("careful", [False, True])
def test_a_chat_that_goes_on_from_part_of_an_answer_is_named(
    careful: bool, bedrock: Replayer
) -> None:
    """boto3 ends such a stream as if it were whole; the careful ask again
    where messageStop is missing.
    """
    lay(bedrock, Truncate(after_events=3), schedule=Schedule(times=1))
    messages: list[dict[str, Any]] = authored.ask("Tell me a story")["messages"]
    with closing(client_of(bedrock)) as client:
        events = list(client.converse_stream(modelId=MODEL, messages=messages)["stream"])
        if careful:
            assert "messageStop" not in events[-1]
            events = list(client.converse_stream(modelId=MODEL, messages=messages)["stream"])
        text = "".join(
            event["contentBlockDelta"]["delta"]["text"]
            for event in events
            if "contentBlockDelta" in event
        )
        messages += [
            {"role": "assistant", "content": [{"text": text}]},
            {"role": "user", "content": [{"text": "On!"}]},
        ]
        with pytest.raises(ClientError, match="No recording answers"):
            client.converse_stream(modelId=MODEL, messages=messages)
    assert text == ("Once upon a time" if careful else "Once upon")
    assert kinds(bedrock) == (set() if careful else {"accepted_truncated_stream"})


def read_text(client: Any, messages: list[dict[str, Any]]) -> Iterator[str]:
    with closing(client.converse_stream(modelId=MODEL, messages=messages)["stream"]) as events:
        for event in events:
            if "contentBlockDelta" in event:
                yield event["contentBlockDelta"]["delta"]["text"]


@pytest.mark.parametrize("careful", [False, True])
def test_a_chat_that_ignores_an_error_in_a_stream_is_named(
    careful: bool, bedrock: Replayer
) -> None:
    bedrock.fail("ThrottlingException", after_events=3)
    messages: list[dict[str, Any]] = authored.ask("Tell me a story")["messages"]
    parts: list[str] = []
    with closing(client_of(bedrock)) as client:
        with suppress(EventStreamError):
            for part in read_text(client, messages):
                parts.append(part)
        if careful:
            parts = list(read_text(client, messages))
        messages += [
            {"role": "assistant", "content": [{"text": "".join(parts)}]},
            authored.ask("On!")["messages"][0],
        ]
        with pytest.raises(ClientError, match="No recording answers"):
            client.converse_stream(modelId=MODEL, messages=messages)
    assert "".join(parts) == ("Once upon a time" if careful else "Once upon")
    assert kinds(bedrock) == (set() if careful else {"ignored_stream_error"})


@pytest.mark.parametrize("again", ["same", "another"])
def test_a_client_that_retries_after_text_is_named(again: str, bedrock: Replayer) -> None:
    """Java's asynchronous client does so, within one call.

    A program that calls again can discard the first part.
    """
    bedrock.fail("ThrottlingException", after_events=3)
    body = json.dumps(authored.ask("Tell me a story")).encode()
    for attempt, invocation in ((1, "same"), (2 if again == "same" else 1, again)):
        told = [
            ("amz-sdk-invocation-id", invocation),
            ("amz-sdk-request", f"attempt={attempt}; max=3"),
        ]
        with Http1(bedrock.url) as line:
            line.request("POST", f"{PATH}-stream", told, body)
    assert kinds(bedrock) == ({"delivered_text_twice"} if again == "same" else set())


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_client_of_another_api_that_ignores_an_error_in_a_stream_is_named(
    goes_on: bool, bedrock: Replayer
) -> None:
    """Anthropic's client raises the error of the stream; the program can catch
    it and use the part.
    """
    bedrock.respond(text="Once upon a time there was a story.")
    bedrock.fail("ThrottlingException", after_events=4)
    url = f"{bedrock.url}/service/bedrock-mantle/anthropic"
    messages: list[MessageParam] = [{"role": "user", "content": "Tell me a story"}]
    parts: list[str] = []
    with AnthropicBedrockMantle(
        aws_access_key="a", aws_secret_key="b", aws_region="us-east-1", base_url=url
    ) as client:
        with (
            suppress(APIError),
            client.messages.create(model=MODEL, max_tokens=99, messages=messages, stream=True) as s,
        ):
            for event in s:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    parts.append(event.delta.text)
        if goes_on:
            messages += [
                {"role": "assistant", "content": "".join(parts)},
                {"role": "user", "content": "On!"},
            ]
        client.messages.create(model=MODEL, max_tokens=99, messages=messages)
    assert parts
    assert [call.error for call in bedrock.calls] == ["ThrottlingException", None]
    assert kinds(bedrock) == ({"ignored_stream_error"} if goes_on else set())
