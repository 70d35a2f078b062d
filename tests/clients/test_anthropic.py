"""Anthropic's client for Bedrock gets from a replay what was recorded: every event, and
messages member for member.
"""

import asyncio
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import pytest
from anthropic import (
    AnthropicBedrock,
    APIStatusError,
    AsyncAnthropicBedrock,
    BadRequestError,
    RateLimitError,
)
from anthropic.resources import Messages

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage.store import samples
from bedtape_replayer import Replayer
from bedtape_replayer.server.server import Outcome
from support import WAIT, authored, corpus, sdk
from support.folders import write
from support.sdk import RecordedCall

MODELS = (
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
)
# The last in name order is asked first: without a session, the first would answer.
NAMES = ("two/of two", "one")
CREDENTIALS: dict[str, Any] = {
    "aws_access_key": "AKIDEXAMPLE",
    "aws_secret_key": "secret",
    "aws_region": "us-east-1",
}
_TYPED = frozenset(inspect.signature(Messages.create).parameters)
# Sessions at a time of the asynchronous client; within one, order counts.
_AT_A_TIME = 8


@dataclass(frozen=True)
class Job:
    """A call of `messages.create`, and what it has to give: a message, a list of events, or an
    error's status and body.
    """

    session: str
    arguments: dict[str, Any]
    expected: object


@pytest.fixture
def client() -> Iterator[AnthropicBedrock]:
    with AnthropicBedrock(**CREDENTIALS, max_retries=0) as client:
        yield client


def job_of(row: RecordedCall) -> Job | str:
    """The call that sends the recorded request, or why there is none."""
    try:
        body = json.loads(row.request_body)
    except ValueError:
        return "no JSON in the request"
    if "messages" not in body or "max_tokens" not in body:
        return "no Messages request (text completions)"
    arguments = {name: value for name, value in body.items() if name in _TYPED}
    extra = {name: value for name, value in body.items() if name not in _TYPED}
    model = sdk.arguments(row)["modelId"]
    # A timeout is given because without one the client refuses to send long requests unstreamed.
    call = {
        "model": model,
        "stream": "Stream" in row.operation,
        "extra_body": extra,
        "timeout": WAIT,
    }
    return Job(row.session, arguments | call, _expected(row))


def _expected(row: RecordedCall) -> object:
    outcome = sdk.parse_recorded(row)
    if outcome.failure is not None:
        return outcome.failure.status, json.loads(row.response_body)
    if outcome.events:
        return [json.loads(event["chunk"]["bytes"]) for event in outcome.events]
    return json.loads(outcome.output["body"])


def claude(rows: list[RecordedCall]) -> tuple[list[Job], Counter[str]]:
    """The calls for all InvokeModel exchanges of Claude, and what was left out, by reason."""
    jobs = [
        job_of(row)
        for row in rows
        if row.operation.startswith("InvokeModel") and "anthropic." in row.path
    ]
    return [job for job in jobs if isinstance(job, Job)], Counter(
        why for why in jobs if isinstance(why, str)
    )


def play(client: AnthropicBedrock, bedrock: Replayer, jobs: list[Job]) -> list[object]:
    """What the client gives for each call."""
    results: list[object] = []
    for session, run in groupby(jobs, lambda job: job.session):
        messages = client.with_options(base_url=sdk.endpoint(bedrock, session)).messages
        for job in run:
            try:
                given = messages.create(**job.arguments)
                results.append(
                    [plain(e) for e in given] if job.arguments["stream"] else plain(given)
                )
            except APIStatusError as error:
                results.append((error.status_code, error.body))
    return results


async def play_async(bedrock: Replayer, jobs: list[Job]) -> list[object]:
    """As `play`, by the asynchronous client, several sessions at a time."""
    gate = asyncio.Semaphore(_AT_A_TIME)
    async with AsyncAnthropicBedrock(**CREDENTIALS, max_retries=0) as client:

        async def session(name: str, run: list[Job]) -> list[object]:
            async with gate:
                messages = client.with_options(base_url=sdk.endpoint(bedrock, name)).messages
                return [await given_async(messages, job) for job in run]

        runs = [(name, list(run)) for name, run in groupby(jobs, lambda job: job.session)]
        return list(
            chain.from_iterable(await asyncio.gather(*(session(name, run) for name, run in runs)))
        )


async def given_async(messages: Any, job: Job) -> object:
    try:
        given = await messages.create(**job.arguments)
        return [plain(event) async for event in given] if job.arguments["stream"] else plain(given)
    except APIStatusError as error:
        return error.status_code, error.body


def plain(given: Any) -> object:
    """A message or an event as the JSON that it was made of."""
    return given.to_dict(mode="json")


def assert_all(jobs: list[Job], results: list[object]) -> None:
    differing = [
        f"{job.session} {job.arguments['model']}"
        for job, result in zip(jobs, results, strict=True)
        if result != job.expected
    ]
    assert not differing, f"{len(differing)} of {len(jobs)} differ"


def counted(client: str, jobs: list[Job], left: Counter[str]) -> str:
    streams = sum(job.arguments["stream"] for job in jobs)
    reasons = "".join(f"; {n} left out: {why}" for why, n in sorted(left.items()))
    return (
        f"anthropic, {client}: {len(jobs)} exchanges of Claude sent and compared, {streams} of them"
        f" streams{reasons}"
    )


@corpus.needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_corpus(
    kind: str,
    client: AnthropicBedrock,
    corpus_tape: Path,
    record_property: Callable[[str, object], None],
) -> None:
    jobs, left = claude([sdk.of_exchange(exchange) for exchange in corpus.every()])
    with Replayer(corpus_tape) as bedrock:
        assert_all(
            jobs,
            (
                play(client, bedrock, jobs)
                if kind == "sync"
                else asyncio.run(play_async(bedrock, jobs))
            ),
        )
    record_property("counted", counted(kind, jobs, left))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_samples(kind: str, client: AnthropicBedrock) -> None:
    jobs, _ = claude(sdk.of_samples())
    assert {job.arguments["stream"] for job in jobs} == {True, False}
    with Replayer(samples()) as bedrock:
        assert_all(
            jobs,
            (
                play(client, bedrock, jobs)
                if kind == "sync"
                else asyncio.run(play_async(bedrock, jobs))
            ),
        )


def test_a_stream_is_complete(client: AnthropicBedrock, tmp_path: Path) -> None:
    write(
        tmp_path,
        Cassette(
            "stream", (authored.invoke_stream(MODELS[0], "Hello", ["Hi", " the", "re", "!"]),)
        ),
    )
    with (
        Replayer(tmp_path) as bedrock,
        client.with_options(base_url=bedrock.url).messages.stream(
            model=MODELS[0], **authored.say("Hello")
        ) as stream,
    ):
        events = list(stream)
        message = stream.get_final_message()
    assert [event.text for event in events if event.type == "text"] == ["Hi", " the", "re", "!"]
    assert events[-1].type == "message_stop"
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "Hi there!"}]


@pytest.mark.parametrize("stream", [False, True])
def test_a_miss_is_an_error_after_one_attempt(stream: bool, tmp_path: Path) -> None:
    write(tmp_path, Cassette("hello", (authored.invoke(MODELS[0], "Hello", "Hi"),)))
    seen: list[Outcome] = []
    with (
        Replayer(tmp_path, observer=seen.append) as bedrock,
        AnthropicBedrock(**CREDENTIALS, base_url=bedrock.url) as client,
        pytest.raises(BadRequestError, match="No recording answers") as raised,
    ):
        client.messages.create(model=MODELS[0], stream=stream, **authored.say("Something else"))
    assert raised.value.response.headers["x-amzn-errortype"] == "CassetteMissException"
    assert len(seen) == 1


def test_an_error_is_raised_by_its_status(client: AnthropicBedrock, tmp_path: Path) -> None:
    throttled = authored.invoke_error(
        MODELS[0], "Hello", 429, "ThrottlingException", "Too many requests"
    )
    write(tmp_path, Cassette("error", (throttled,)))
    with Replayer(tmp_path) as bedrock, pytest.raises(RateLimitError, match="Too many requests"):
        client.with_options(base_url=bedrock.url).messages.create(
            model=MODELS[0], **authored.say("Hello")
        )


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_endpoint_names_the_session(
    slash: str, client: AnthropicBedrock, tmp_path: Path
) -> None:
    for name in NAMES:
        write(tmp_path, Cassette(name, (authored.invoke(MODELS[0], "Who?", name),)))
    with Replayer(tmp_path) as bedrock:
        for name in NAMES:
            named = client.with_options(base_url=sdk.endpoint(bedrock, name) + slash)
            message = named.messages.create(model=MODELS[0], **authored.say("Who?"))
            assert [block.to_dict() for block in message.content] == [
                {"type": "text", "text": name}
            ]


def test_model_ids_with_colons_and_slashes(client: AnthropicBedrock, tmp_path: Path) -> None:
    write(
        tmp_path,
        Cassette("models", tuple(authored.invoke(model, "Who?", model) for model in MODELS)),
    )
    with Replayer(tmp_path) as bedrock:
        for model in MODELS:
            named = client.with_options(base_url=bedrock.url)
            message = named.messages.create(model=model, **authored.say("Who?"))
            assert [block.to_dict() for block in message.content] == [
                {"type": "text", "text": model}
            ]
