"""When requests are checked, and that the engine does."""

import json
import subprocess
import sys

import pytest

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.checks import Checks, Validate, parse_checks
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.overlay.overlay import Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.when import When
from support.calls import converse_body, head, model_path
from support.recordings import recorded

BAD = json.dumps({"messages": "none"}).encode()
RULE = Overlay((Rule("rule-1", (Message((Text("hi"),)),), When(operation=("Converse",))),))


@pytest.mark.parametrize(
    ("word", "checks"),
    [("always", Checks(True, True)), ("rules", Checks(True, False)), ("never", Checks(False, False))],
)
def test_words(word: Validate, checks: Checks) -> None:
    assert parse_checks(word) == checks


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="expected validate to be one of always, rules, never, found 'sometimes'"):
        parse_checks("sometimes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "ruled", "recorded_bad", "missed"),
    [
        ("always", "validation", "validation", "validation"),
        ("rules", "validation", "cassette", "miss"),
        ("never", "rule", "cassette", "miss"),
    ],
)
def test_who_answers_a_bad_request(word: Validate, ruled: str, recorded_bad: str, missed: str) -> None:
    tape = Cassette("c", (recorded(BAD, b"{}", url=model_path("converse-stream")),))
    with_rule = Engine(Library((tape,)), overlay=RULE, checks=parse_checks(word))
    answer = with_rule.answer("POST", model_path("converse"), head(), BAD)
    assert answer.source == ruled
    assert (answer.reply.status == 400) is (ruled == "validation")
    assert with_rule.answer("POST", model_path("converse-stream"), head(), BAD).source == recorded_bad
    assert with_rule.answer("POST", model_path("converse-stream", "other.model"), head(), BAD).source == missed


def test_a_good_request_is_answered_by_the_rule() -> None:
    engine = Engine(Library(()), overlay=RULE, checks=parse_checks("always"))
    assert engine.answer("POST", model_path("converse"), head(), converse_body("hi")).source == "rule"


def test_botocore_is_loaded_by_the_first_check_only() -> None:
    code = "import sys, bedtape_replayer.server.thread; print('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
