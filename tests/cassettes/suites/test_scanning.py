"""What a suite holds is listed, and is gone afterwards."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote

import pytest

from bedtape_cassettes.format import document
from bedtape_cassettes.matching.key import key_of_request
from bedtape_cassettes.model import Cassette, Events, Interaction, Suite
from bedtape_cassettes.redaction.spans import looking
from bedtape_cassettes.suites import scanning
from bedtape_cassettes.suites.assign import assign, parse_assignments
from bedtape_cassettes.suites.redacting import Names, Taking
from bedtape_cassettes.suites.selector import pick
from support.corpus import cassettes, every, exchanges, needs_corpus, sources
from support.heard import text_heard
from support.recordings import converse, stream

ALL = Taking(looking())
TOKEN = "ghp_" + "a1B2c3" * 6
EMAIL = "ada@analytical.io"
_STREAMS = ("ConverseStream", "InvokeModelWithResponseStream")


def suite(*interactions: Interaction) -> Suite:
    return (Cassette("a", tuple(replace(i, file=f"a/{n:04d}-x.yaml") for n, i in enumerate(interactions, 1))),)


def found(of: Suite) -> list[scanning.Found]:
    return scanning.scan(of, pick(of, ["*"]), ALL)


PLANTED = suite(
    converse(f"I am {EMAIL}", f"Hello {EMAIL}"),
    stream("q", ["your key: gh", "p_a1B2c3a1B2c3a1B2c3", "a1B2c3a1B2c3a1B2c3."]),
    converse("in base64", b64encode(f"token={TOKEN}".encode()).decode()),
    converse("encoded", f"https://x.example/?mail={quote(EMAIL, safe='')}"),
)


def test_what_is_planted_is_listed_where_it_is() -> None:
    told = [(f.number, f.kind, f.where, f.how) for f in found(PLANTED)]
    text = "output.message.content[0].text"
    assert told == [
        (1, "email", "request.body messages[0].content[0].text", ""),
        (1, "email", f"response.body {text}", ""),
        (2, "github-token", "response.events[1-3] delta.text", ""),
        (3, "github-token", f"response.body {text}", "in base64"),
        (4, "email", f"response.body {text}", "percent-encoded"),
    ]


def test_nothing_is_shown_whole() -> None:
    assert not any(TOKEN[8:] in f.shown or EMAIL in f.shown for f in found(PLANTED))


def test_what_was_found_is_gone_and_stays_gone() -> None:
    clean = scanning.without(PLANTED, pick(PLANTED, ["*"]), ALL, Names())
    assert found(clean) == []
    written = b"".join(document.write(i) for c in clean for i in c.interactions)
    assert EMAIL.encode() not in written
    assert b"REDACTED-email-1" in written
    assert scanning.without(clean, pick(clean, ["*"]), ALL, Names()) == clean


def test_an_answer_that_comes_back_in_the_next_request_still_matches() -> None:
    """What the client gets is the placeholder, and that is what the next recorded request holds."""
    person = "Ada Lovelace"
    asked = suite(converse("who?", f"{person} did"), converse(f"what did {person} do?", "much"))
    by_path = Taking(looking(()), ("output.message.content[0].text",))
    (clean,) = scanning.without(suite(converse("q", person), asked[0].interactions[1]), {"a": (0, 1)}, by_path, Names())
    answer = "REDACTED-path-1"
    expected = converse(f"what did {answer} do?", "").request
    assert key_of_request(clean.interactions[1].request) == key_of_request(expected)


def test_what_is_not_picked_stays() -> None:
    clean = scanning.without(PLANTED, pick(PLANTED, ["a:1"]), ALL, Names())
    assert clean[0].interactions[1:] == PLANTED[0].interactions[1:]
    assert clean[0].interactions[0] != PLANTED[0].interactions[0]


def test_a_secret_header_is_found_by_its_name() -> None:
    one = converse("q", "a")
    kept = replace(one, exact=True, request=replace(one.request, headers=(("X-Api-Key", "hunter2hunter2"),)))
    (told,) = found(suite(kept))
    assert (told.kind, told.where) == ("secret-header", "request.headers.X-Api-Key")


@needs_corpus
@pytest.mark.corpus
def test_real_recordings_are_clean_afterwards_and_still_load() -> None:
    for source in sources()[:6]:
        real = tuple(cassettes(exchanges(source)))
        clean = scanning.without(real, pick(real, ["*"]), ALL, Names())
        assert found(clean) == []
        changed = [
            new
            for old_cassette, cassette in zip(real, clean, strict=True)
            for old, new in zip(old_cassette.interactions, cassette.interactions, strict=True)
            if new != old
        ]
        assert all(document.read(document.write(i), "x") == i for i in changed)


@needs_corpus
@pytest.mark.corpus
def test_what_real_streams_of_every_model_cut_in_pieces_is_found_and_gone() -> None:
    """The planted text is cut as the model cut its own."""
    rows = [row for row in every() if row.status == 200 and row.operation in _STREAMS]
    streams = {row.model: row.interaction() for row in rows}
    spoken = {model: i for model, i in streams.items() if isinstance(i.response.body, Events) and text_heard(i)}
    assert len(spoken) > 15
    for interaction in spoken.values():
        planted = assign(
            interaction, parse_assignments([f"answer.text=Mail {EMAIL} the token {TOKEN}, please."])
        ).interaction
        of = suite(planted)
        assert {"email", "github-token"} <= {f.kind for f in found(of) if f.where.startswith("response")}
        ((clean,),) = (c.interactions for c in scanning.without(of, {"a": (0,)}, ALL, Names()))
        told = text_heard(clean)
        assert told is not None
        assert re.fullmatch(r"Mail REDACTED-email-\d+ the token REDACTED-github-token-\d+, please.", told), told
        assert found(suite(clean)) == []
        assert isinstance(planted.response.body, Events)
        assert isinstance(clean.response.body, Events)
        times = [[event.at_ms for event in i.response.body.events] for i in (planted, clean)]  # type: ignore[union-attr]
        assert times[0] == times[1]
