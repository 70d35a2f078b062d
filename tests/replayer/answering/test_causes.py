"""The cause of a miss: what differs, and the options that make the recording answer."""

import json
import re
import shlex

import pytest

from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.match import Index, Near
from support.recordings import path, prompt, record_interaction

DATES = ("Today is 2026-11-28. Be kind.", "Today is 2026-11-29. Be kind.")
IDS = ("used tooluse_AAAAbbbbCCCCdddd0000 now", "used tooluse_ZZZZbbbbCCCCdddd0001 now")


def ask(text: str, **members: object) -> bytes:
    return json.dumps({**json.loads(prompt(text)), **members}).encode()


def miss(
    one: bytes,
    other: bytes,
    url: str | None = None,
    sent_to: str | None = None,
    rules: tuple[str, ...] = (),
) -> Near | None:
    """The nearest recording, `None` if the recording answers. rules:
    options as a user types them.
    """
    matching = match_rules(
        [value for option, value in _pairs(rules) if option == "--ignore"],
        [value for option, value in _pairs(rules) if option == "--placeholder"],
        any_profile="--any-profile" in rules,
    )
    index = Index([Cassette("c", (record_interaction(one, b"{}", url=url),))], matching)
    call = Call("default", "POST", sent_to or url or path(), Head.of(()), other)
    return None if index.queue(index.key(call)) else index.report_miss(call).nearest[0]


def _pairs(rules: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(zip(rules, [*rules, ""][1:], strict=True))


AGENT = "/agents/A/agentAliases/B/sessions/{}/text"
UUIDS = ("6c1e8f0e-1f5a-4b6e-9a55-0b7a3f3d1c11", "7c1e8f0e-1f5a-4b6e-9a55-0b7a3f3d1c12")
ALLOWED = {
    "a date": (ask(DATES[0]), ask(DATES[1]), None, None, "in a date"),
    "a tool-use id": (ask(IDS[0]), ask(IDS[1]), None, None, "in a tool-use id"),
    "both": (
        ask(DATES[0] + IDS[0]),
        ask(DATES[1] + IDS[1]),
        None,
        None,
        "in a tool-use id and in a date",
    ),
    "a UUID in a path": (b"{}", b"{}", AGENT.format(UUIDS[0]), AGENT.format(UUIDS[1]), "in a UUID"),
    "a temporary path": (
        ask("see /tmp/x1/a.txt"),
        ask("see /tmp/y2/b.txt"),
        None,
        None,
        "in a temporary path",
    ),
    "a timestamp": (ask("at 1786613416"), ask("at 1786613999"), None, None, "in a timestamp"),
    "a response id": (
        ask("a", id="resp_68af4030592c"),
        ask("a", id="resp_99bf4030592d"),
        None,
        None,
        "in a response id",
    ),
    "a hexadecimal id": (
        ask("in 5f2a9c0de11f4b"),
        ask("in 0f2a9c0de11f4b"),
        None,
        None,
        "in a hexadecimal id",
    ),
    "a ULID": (
        ask("in 01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ask("in 01BX5ZZKBKACTAV9WEVGEMMVRZ"),
        None,
        None,
        "in a ULID",
    ),
    "a session id": (
        b"{}",
        b"{}",
        AGENT.format("ann-1"),
        AGENT.format("ben-20261129"),
        "in a session id",
    ),
    "a label": (
        ask("a", requestMetadata={"run": "nightly of monday"}),
        ask("a", requestMetadata={"run": "17"}),
        None,
        None,
        "in requestMetadata",
    ),
    "an id that is no UUID": (
        ask("a", sessionState={"invocationId": "first"}),
        ask("a", sessionState={"invocationId": "2"}),
        None,
        None,
        "in sessionState.invocationId",
    ),
    "a member": (ask("a"), ask("a", extra=1), None, None, "in extra"),
    "a number": (
        ask("a", inferenceConfig={"topP": 1}),
        ask("a", inferenceConfig={"topP": 0}),
        None,
        None,
        "in inferenceConfig.topP",
    ),
    "a profile": (
        ask("a"),
        ask("a"),
        path(model="us.a.b-v1:0"),
        path(model="eu.a.b-v1:0"),
        "in the inference profile",
    ),
}


@pytest.mark.parametrize(("one", "other", "url", "sent_to", "cause"), ALLOWED.values(), ids=ALLOWED)
def test_the_options_of_a_cause_make_the_recording_answer(
    one: bytes, other: bytes, url: str | None, sent_to: str | None, cause: str
) -> None:
    near = miss(one, other, url, sent_to)
    assert near is not None
    assert near.cause is not None
    assert str(near.cause) == cause
    sentence = near.cause.describe()
    said = re.fullmatch(r"Differs .*\. If that may differ, use (.*)\.", sentence)
    assert said is not None, sentence
    options = tuple(shlex.split(said[1]))
    assert miss(one, other, url, sent_to, options) is None


def test_changed_words_are_marked() -> None:
    near = miss(
        ask("You are a helpful and friendly assistant."),
        ask("You are a careful and friendly assistant."),
    )
    assert near is not None
    assert near.cause is not None
    assert near.cause.describe() == "Differs in messages[0].content[0].text `helpful` → `careful`."
    near = miss(ask(f"Be kind and brief. {DATES[0]}"), ask(f"Be kind. {DATES[1]}"))
    assert near is not None
    assert "removed `and brief`" in str(near.cause)


@pytest.mark.parametrize("other", ["Something else altogether, in other words", "x" * 20_000])
def test_another_request_has_no_cause(other: str) -> None:
    near = miss(ask("Why do teams record their calls?"), ask(other))
    assert near is not None
    assert near.cause is None
