"""Values taken out of requests, answers and streams: one placeholder a value, whatever it stands in."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.format.json_view import opened
from bedtape_cassettes.model import Interaction, event_headers
from bedtape_cassettes.redaction.spans import by_pattern, looking
from bedtape_cassettes.suites.redacting import Names, Taking, redacted
from support.heard import events_heard, text_heard
from support.recordings import converse, path, prompt, recorded, stream

EMAIL = "ada@analytical.io"
ALL = Taking(looking())


def clean(interaction: Interaction, taking: Taking = ALL) -> Interaction:
    return redacted(interaction, taking, Names())


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.text("ab ", max_size=9))
def test_a_value_that_a_stream_cuts_is_taken_out(sizes: list[int], around: str) -> None:
    text = f"{around} {EMAIL} {around}"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    recording = stream("q", [*pieces, text[at:]], at_ms=range(0, 900, 10))
    made = clean(recording)
    assert text_heard(made) == f"{around} REDACTED-email-1 {around}"
    assert len(events_heard(made)) == len(events_heard(recording))


def test_deltas_that_hold_none_of_it_stay_as_they_are() -> None:
    made = clean(stream("q", ["It is ", "ada@an", "alytica", "l.io, sir"]))
    texts = [e["contentBlockDelta"]["delta"]["text"] for e in events_heard(made) if "contentBlockDelta" in e]
    assert texts == ["It is ", "REDACT", "ED-emai", "l-1, sir"]


def test_agents_bytes_are_joined_too() -> None:
    pieces = [b"mail ada@ana", b"lytical.io now"]
    frames = [bodies.compact({"bytes": b64encode(piece).decode()}) for piece in pieces]
    data = b"".join(eventstream.encode_strings(event_headers("chunk"), frame) for frame in frames)
    url = "/agents/A/agentAliases/B/sessions/c/text"
    headers = (("Content-Type", bodies.EVENT_STREAM),)
    made = clean(recorded(b"{}", data, url=url, headers=headers))
    values = opened(made.response.body)
    said = [value["bytes"] for value in values if isinstance(value, dict)]
    assert b"".join(b64decode(str(piece)) for piece in said) == b"mail REDACTED-email-1 now"


def test_every_place_of_an_interaction_is_looked_at() -> None:
    token = "ghp_" + "a1B2c3" * 6
    asked = recorded(
        json.dumps({"a": [token], "n": 4929123456789015}).encode(),
        json.dumps({"b": {"c": f"x {token}"}}).encode(),
        url=path("invoke") + f"?mail={EMAIL.replace('@', '%40')}",
        headers=(("Content-Type", "application/json"), ("X-Said", EMAIL)),
        request_headers=(("X-Amzn-Bedrock-Note", EMAIL),),
    )
    made = clean(asked)
    assert made.request.path.endswith("?mail=REDACTED-email-1")
    assert dict(made.request.headers) == {"x-amzn-bedrock-note": "REDACTED-email-1"}
    assert dict(made.response.headers)["x-said"] == "REDACTED-email-1"
    (body,), (answer,) = opened(made.request.body), opened(made.response.body)
    assert body == {"a": ["REDACTED-github-token-1"], "n": "REDACTED-card-1"}
    assert answer == {"b": {"c": "x REDACTED-github-token-1"}}
    assert made.operation == "InvokeModel"


def test_paths_take_whatever_is_there() -> None:
    made = clean(converse("who?", "me"), Taking(looking(()), ("messages.*.content", "output.message.content[0].text")))
    assert opened(made.request.body) == [{"messages": [{"role": "user", "content": [{"text": "REDACTED-path-1"}]}]}]
    assert b'"text":"REDACTED-path-2"' in made.response.body.data  # type: ignore[union-attr]
    streamed = clean(stream("who?", ["on", "ly me"]), Taking(looking(()), ("delta.text",)))
    assert text_heard(streamed) == "REDACTED-path-1"


def test_the_same_value_has_the_same_placeholder_and_numbers_go_on() -> None:
    names = Names()
    names.see("REDACTED-email-4 and REDACTED-card-1")
    taking = Taking(looking(["email"], [by_pattern(re.compile("c[0-9]+"))]))
    one, two = (redacted(converse(f"{EMAIL} c7", f"b@c.io {EMAIL}"), taking, names) for _ in range(2))
    assert one == two
    assert opened(one.request.body) == opened(recorded(prompt("REDACTED-email-5 REDACTED-pattern-1"), b"").request.body)
    assert b'"REDACTED-email-6 REDACTED-email-5"' in one.response.body.data  # type: ignore[union-attr]
    assert redacted(one, taking, names) is one


def test_a_text_of_ones_own_may_stand_there() -> None:
    assert (
        b'"hi me@example.com"'
        in redacted(converse("q", f"hi {EMAIL}"), ALL, Names("me@example.com")).response.body.data
    )  # type: ignore[union-attr]
