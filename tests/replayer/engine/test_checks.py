"""When requests are checked, and that the engine does."""

import json
import subprocess
import sys

import pytest

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.checks import Checks, Validate, parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.outputs.raw import Raw
from bedtape_replayer.overlay.overlay import Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.when import When
from support.calls import converse_body, head, model_path
from support.corpus import cassettes, exchanges, needs_corpus, sources
from support.recordings import record_interaction

BAD = json.dumps({"messages": "none"}).encode()
RULE = Overlay((Rule("rule-1", (Message((Text("hi"),)),), When(operation=("Converse",))),))


@pytest.mark.parametrize(
    ("word", "checks"),
    [
        ("always", Checks(True, True)),
        ("rules", Checks(True, False)),
        ("never", Checks(False, False)),
    ],
)
def test_words(word: Validate, checks: Checks) -> None:
    assert parse_checks(word) == checks


def test_another_word_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected validate to be one of always, rules, never, found 'sometimes'"
    ):
        parse_checks("sometimes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "ruled", "recorded_bad", "missed"),
    [
        ("always", "validation", "validation", "validation"),
        ("rules", "validation", "cassette", "miss"),
        ("never", "rule", "cassette", "miss"),
    ],
)
def test_who_answers_a_bad_request(
    word: Validate, ruled: str, recorded_bad: str, missed: str
) -> None:
    tape = Cassette("c", (record_interaction(BAD, b"{}", url=model_path("converse-stream")),))
    with_rule = Engine(Library((tape,)), overlay=RULE, checks=parse_checks(word))
    answer = with_rule.answer("POST", model_path("converse"), head(), BAD)
    assert answer.source == ruled
    assert (answer.reply.status == 400) is (ruled == "validation")
    assert (
        with_rule.answer("POST", model_path("converse-stream"), head(), BAD).source == recorded_bad
    )
    assert (
        with_rule.answer("POST", model_path("converse-stream", "other.model"), head(), BAD).source
        == missed
    )


def test_a_good_request_is_answered_by_the_rule() -> None:
    engine = Engine(Library(()), overlay=RULE, checks=parse_checks("always"))
    assert (
        engine.answer("POST", model_path("converse"), head(), converse_body("hi")).source == "rule"
    )


def test_botocore_is_loaded_by_the_first_check_only() -> None:
    code = "import sys, bedtape_replayer.server.thread; print('botocore' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


# -- what is no operation --------------------------------------------------------------------------

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123xyz000"
UNKNOWN = (
    200,
    b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
)
NOT_FOUND = (404, b"")
ANYTHING = Overlay((Rule("rule-1", (Message((Text("hi"),)),), When()),))


@pytest.mark.parametrize(
    "overlay", [ANYTHING, Overlay(())], ids=["a rule for everything", "no rule"]
)
@pytest.mark.parametrize(
    ("method", "path", "expected", "reason"),
    [
        ("POST", f"/model/{ARN}/converse", UNKNOWN, "contains a plain `/`; send it as %2F"),
        ("POST", f"/model/{ARN}/invoke-with-response-stream", UNKNOWN, "send it as %2F"),
        ("GET", f"/inference-profiles/{ARN}", UNKNOWN, "send it as %2F"),
        ("GET", model_path("converse"), UNKNOWN, "the method of this path is POST (Converse)"),
        (
            "POST",
            "/foundation-models",
            UNKNOWN,
            "the method of this path is GET (ListFoundationModels)",
        ),
        ("POST", model_path("chat"), UNKNOWN, "no operation has this path"),
        ("GET", "/", UNKNOWN, "no operation has this path"),
        ("POST", "/v1/complete", NOT_FOUND, "no operation has this path"),
        ("POST", "/openai/v1/files", NOT_FOUND, "no operation has this path"),
        (
            "GET",
            "/v1/chat/completions",
            NOT_FOUND,
            "the method of this path is POST (ChatCompletions)",
        ),
        ("GET", "/anthropic/v1/messages", NOT_FOUND, "the method of this path is POST (Messages)"),
    ],
)
def test_what_is_no_operation_is_answered_as_bedrock_answers_it(
    method: str, path: str, expected: tuple[int, bytes], reason: str, overlay: Overlay
) -> None:
    engine = Engine(Library(()), overlay=overlay, checks=parse_checks("rules"))
    answer = engine.answer(method, path, head(), b"{}")
    assert (answer.reply.status, answer.reply.body) == expected
    assert (answer.source, answer.error) == ("validation", "UnknownOperationException")
    assert reason in str(answer.miss)
    engine.finish(Outcome(answer, 0, 0, complete=True, sent=1))
    (record,) = engine.sessions.get("default").history.calls
    assert (record.status, record.error, record.content) == (
        expected[0],
        "UnknownOperationException",
        None,
    )
    assert reason in str(record.message)
    unchecked = Engine(Library(()), overlay=Overlay(()), checks=parse_checks("never"))
    assert unchecked.answer(method, path, head(), b"{}").source == "miss"


def test_a_recording_or_a_raw_rule_answers_what_is_no_operation_and_an_sdk_knows_its_operations() -> (
    None
):
    tape = Cassette(
        "c",
        (
            record_interaction(b"{}", b"{}", url=f"/model/{ARN}/converse"),
            record_interaction(b"{}", b"{}", url="/new"),
        ),
    )
    rule = Rule("rule-1", (Raw(b"raw"),), When(header={"x-new": "1"}))
    engine = Engine(Library((tape,)), overlay=Overlay((rule,)), checks=parse_checks("rules"))
    assert engine.answer("POST", f"/model/{ARN}/converse", head(), b"{}").source == "cassette"
    assert engine.answer("POST", "/new", head(), b"{}").source == "cassette"
    assert engine.answer("POST", "/newer", head(x_new="1"), b"{}").reply.body == b"raw"
    assert engine.answer("POST", "/newest", head(amz_sdk_invocation_id="1"), b"{}").source == "miss"


@pytest.mark.slow
@pytest.mark.corpus
@needs_corpus
@pytest.mark.parametrize("source", sources())
def test_every_recorded_200_passes_validate_always(source: str) -> None:
    """A check that refuses a request that Bedrock answered is wrong."""
    rows = tuple(row for row in exchanges(source) if row.status == 200)
    engine = Engine(Library(tuple(cassettes(rows))), checks=parse_checks("always"))
    refused = []
    for row in rows:
        headers = tuple(
            (name.encode(), value.encode())
            for name, value in row.request_headers
            if value.isascii()
        )
        answer = engine.answer(row.method, row.path, Head.of(headers), row.request_body)
        if answer.source != "cassette":
            refused.append(f"{row}: {answer.source} {answer.reply.body[:300]!r}")
    assert refused == []
