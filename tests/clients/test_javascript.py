"""The AWS SDK for JavaScript gets from a replay what botocore makes of the recorded response,
over HTTP/2 and HTTP/1.1.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage.store import samples
from bedtape_replayer import Replayer
from bedtape_replayer.server.server import Outcome
from support import WAIT, authored, corpus, sdk
from support.client import until
from support.folders import write
from support.javascript import Job, Result, run_jobs
from support.sdk import RecordedCall
from support.tap import Tap
from support.waits import HeldAnswers

OPERATIONS = (
    "Converse",
    "ConverseStream",
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "CountTokens",
    "ApplyGuardrail",
)
HANDLERS = ("default", "http1")
MODELS = (
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text-lite-v1",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
)
MODEL = MODELS[0]


both_handlers = pytest.mark.parametrize("handler", HANDLERS)


def job(url: str, row: RecordedCall, **options: object) -> Job:
    """The job that sends the recorded request."""
    return {"endpoint": url, "operation": row.operation, "input": sdk.arguments(row), **options}


def outcome(result: Result) -> sdk.Outcome:
    error = result.get("error")
    failure = sdk.Failure(error["name"], error["message"], error.get("status")) if error else None
    return sdk.Outcome(result["output"], tuple(result["events"]), failure)


def expected(row: RecordedCall) -> sdk.Outcome:
    """What botocore makes of the recorded response, but for three things that the two SDKs
    have different names for.
    """
    wanted = sdk.parse_recorded(row)
    failure = wanted.failure
    if failure is None:
        return wanted
    if failure.status is None:
        # In a stream the error has its class's name, and as the first thing in it, it leaves
        # nothing of the output.
        pascal = failure.code[0].upper() + failure.code[1:]
        output = wanted.output if wanted.events else {}
        return replace(wanted, output=output, failure=replace(failure, code=pascal))
    # Without `x-amzn-errortype` (some recorders drop it) boto3 makes the status the code.
    return (
        replace(wanted, failure=replace(failure, code="Unknown"))
        if failure.code.isdecimal()
        else wanted
    )


def assert_replayed(bedrock: Replayer, rows: list[RecordedCall], handler: str) -> None:
    """Sends all, each session's in their order.

    One attempt: a recorded error may be worth a retry.
    """
    jobs = [
        job(
            sdk.endpoint(bedrock, row.session),
            row,
            lane=row.session,
            handler=handler,
            maxAttempts=1,
        )
        for row in rows
    ]
    results = run_jobs(jobs)
    differing = [
        str(row)
        for row, result in zip(rows, results, strict=True)
        if outcome(result) != expected(row)
    ]
    assert not differing, f"{len(differing)} of {len(rows)} differ"


@corpus.needs_corpus
@pytest.mark.corpus
@both_handlers
def test_the_corpus(
    handler: str, corpus_tape: Path, record_property: Callable[[str, object], None]
) -> None:
    every = [sdk.of_exchange(exchange) for exchange in corpus.every()]
    rows = [row for row in every if row.operation in OPERATIONS]
    with Replayer(corpus_tape) as bedrock:
        assert_replayed(bedrock, rows, handler)
    left = Counter(row.operation for row in every if row.operation not in OPERATIONS)
    sent = ", ".join(
        f"{n} {name}" for name, n in Counter(row.operation for row in rows).most_common()
    )
    others = ", ".join(f"{n} {name}" for name, n in sorted(left.items()))
    record_property(
        "counted", f"JavaScript, {handler} handler: {len(rows)} exchanges sent and compared: {sent}"
    )
    record_property(
        "counted", f"JavaScript, {handler} handler: left out, not of this client: {others}"
    )


@both_handlers
def test_the_samples(handler: str) -> None:
    rows = [row for row in sdk.of_samples() if row.operation in OPERATIONS]
    assert {row.operation for row in rows} >= set(OPERATIONS[:4])
    with Replayer(samples()) as bedrock:
        assert_replayed(bedrock, rows, handler)


def authored_rows(
    folder: Path, *interactions: Interaction, name: str = "authored"
) -> list[RecordedCall]:
    write(folder, Cassette(name, interactions))
    return [sdk.of_interaction(name, interaction) for interaction in interactions]


def test_fifty_streams_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None goes on before all are under way; each tells another text, so that
    none can stand for another.
    """
    texts = [[f"{number}, " * 20, f"piece {number}", "the end"] for number in range(50)]
    streams = [
        authored.converse_stream(MODEL, str(number), told, 150) for number, told in enumerate(texts)
    ]
    rows = authored_rows(tmp_path, *streams)
    held = HeldAnswers(monkeypatch)
    seen: list[Outcome] = []
    with (
        Replayer(tmp_path, speed=1, observer=seen.append) as bedrock,
        ThreadPoolExecutor(1) as threads,
    ):
        results = threads.submit(run_jobs, [job(bedrock.url, row) for row in rows], concurrency=50)
        held.until(50)
        held.release()
        assert [outcome(result) for result in results.result(WAIT)] == [
            expected(row) for row in rows
        ]
    assert [told.complete for told in seen] == [True] * 50


@both_handlers
@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_a_miss_is_an_error_after_one_attempt(operation: str, handler: str, tmp_path: Path) -> None:
    authored_rows(tmp_path, authored.converse(MODEL, "Hello", "Hi"))
    seen: list[Outcome] = []
    asked = {"modelId": MODEL, **authored.ask("Something else")}
    with Replayer(tmp_path, observer=seen.append) as bedrock:
        [result] = run_jobs(
            [{"endpoint": bedrock.url, "handler": handler, "operation": operation, "input": asked}]
        )
    assert result["error"]["name"] == "CassetteMissException"
    assert "No recording answers" in result["error"]["message"]
    assert (result["error"]["attempts"], result["error"]["status"]) == (1, 400)
    assert len(seen) == 1


@both_handlers
def test_the_endpoint_names_the_session(handler: str, tmp_path: Path) -> None:
    """With and without a slash at its end: with one, this SDK doubles it.

    The last of the cassettes is asked first: without a session, the first would answer.
    """
    rows = [
        *authored_rows(tmp_path, authored.converse(MODEL, "Who?", "the second"), name="two/of two"),
        *authored_rows(tmp_path, authored.converse(MODEL, "Who?", "the first"), name="one"),
    ]
    with Replayer(tmp_path) as bedrock:
        urls = [
            (sdk.endpoint(bedrock, row.session) + slash, row) for row in rows for slash in ("", "/")
        ]
        results = run_jobs([job(url, row, handler=handler) for url, row in urls], concurrency=1)
    assert [outcome(result) for result in results] == [expected(row) for _, row in urls]


@both_handlers
def test_model_ids_with_colons_and_slashes(handler: str, tmp_path: Path) -> None:
    whole = [authored.converse(model, "Who?", model) for model in MODELS]
    streams = [authored.converse_stream(model, "Who?", [model]) for model in MODELS]
    rows = authored_rows(tmp_path, *whole, *streams)
    with Replayer(tmp_path) as bedrock:
        results = run_jobs([job(bedrock.url, row, handler=handler) for row in rows])
    assert [outcome(result) for result in results] == [expected(row) for row in rows]


@both_handlers
def test_a_paced_stream_is_complete(handler: str, tmp_path: Path) -> None:
    rows = authored_rows(
        tmp_path, authored.converse_stream(MODEL, "Hello", ["Hi", " the", "re"], 50)
    )
    with Replayer(tmp_path, speed=1) as bedrock:
        [result] = run_jobs([job(bedrock.url, row, handler=handler) for row in rows])
    assert outcome(result) == expected(rows[0])


def test_a_stream_goes_on_after_goaway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default handler says goodbye as soon as it has the head; the rest of the
    stream is still to come.
    """
    rows = authored_rows(
        tmp_path, authored.converse_stream(MODEL, "Hello", ["Hi", " the", "re"], 200)
    )
    held = HeldAnswers(monkeypatch)
    with (
        Replayer(tmp_path, speed=1) as bedrock,
        Tap(bedrock.port) as tap,
        ThreadPoolExecutor(1) as threads,
    ):
        results = threads.submit(run_jobs, [job(tap.url, row) for row in rows])
        until(tap.has_goaway)
        held.release()
        [result] = results.result(WAIT)
    after = tap.read_after_goaway()
    assert b"messageStop" in after
    assert b"messageStart" not in after
    assert outcome(result) == expected(rows[0])
