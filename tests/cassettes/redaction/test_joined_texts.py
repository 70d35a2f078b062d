"""A search that does not read clean streams finds what a search finds that reads all of them."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import (
    EMPTY,
    Event,
    Events,
    Interaction,
    Request,
    Response,
    event_headers,
)
from bedtape_cassettes.redaction import kinds
from bedtape_cassettes.redaction.engine import Search
from bedtape_cassettes.redaction.joined_texts import may_find_in_events
from bedtape_cassettes.redaction.scrub import SCRUB
from bedtape_cassettes.redaction.walk import rewrite
from support.examples import examples

quick = settings(derandomize=True, deadline=None, max_examples=examples(100))
EVERY = Search(tuple(kinds.KINDS[name] for name in kinds.NAMES))
SECRET = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ2bC4dF6gH8"


def read_all(search: Search) -> Search:
    """The same search, which reads every text, because a look may find something in any."""
    return replace(search, looks=(lambda _: (),))


def make(payloads: list[bytes], *, framed: bool = True) -> Interaction:
    headers = event_headers("contentBlockDelta") if framed else ()
    events = [
        Event(0, headers, payload, bodies.choose_form(payload, framed=framed))
        for payload in payloads
    ]
    request = Request("POST", "/model/m/converse-stream", (), EMPTY)
    return Interaction(None, "m", request, Response(200, (), Events.of(events)))


def list_finds(interaction: Interaction, search: Search) -> tuple[Interaction, list[object]]:
    finds: list[object] = []

    def write(find: object, where: str) -> str:
        finds.append((find, where))
        return "REDACTED"

    return rewrite(interaction, search, write), finds


def cut(text: str) -> list[str]:
    return [text[at : at + 7] for at in range(0, len(text), 7)]


def chunk(value: object) -> bytes:
    inner = json.dumps(value, separators=(",", ":")).encode()
    return json.dumps({"bytes": b64encode(inner).decode(), "p": "abc"}).encode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


WRITERS = {
    "delta": lambda text: compact({"contentBlockIndex": 0, "delta": {"text": text}, "p": "ab"}),
    "blanks": lambda text: json.dumps({"delta": {"text": text}, "n": 1.0}).encode(),
    "escapes": lambda text: json.dumps({"by": "é", "text": text}).encode(),
    "chunk": lambda text: chunk({"delta": {"text": text}}).replace(b" ", b""),
    "index": lambda text: compact({"choices": [{"index": 1, "delta": {"content": text}}]}),
    "word-index": lambda text: compact({"index": "a", "delta": {"content": text}}),
    "tags": lambda text: compact({"delta": f"<reasoning>{text}</reasoning>"}),
    "binary": lambda text: compact({"data": text, "x": "y"}),
    "twice": lambda text: b'{"a":%b,"a":"x","b":1}' % json.dumps(text).encode(),
    "lone": lambda text: compact({text: True}),
    "list": lambda text: compact([text]),
    "text": lambda text: json.dumps(text).encode(),
    "raw": lambda text: text.encode(),
    "sse": lambda text: b"data: %b\n\n" % compact({"choices": [{"text": text}]}),
}


# Texts that events do not continue: a name, one of two members with the same name, JSON's text.
_APART = ("twice", "lone", "text")


@pytest.mark.parametrize("name", WRITERS)
def test_a_secret_in_pieces_is_found_in_every_form_of_payload(name: str) -> None:
    interaction = make([WRITERS[name](piece) for piece in cut(f"The key is {SECRET} today")])
    told = list_finds(interaction, SCRUB)
    assert told == list_finds(interaction, read_all(SCRUB))
    assert bool(told[1]) == (name not in _APART)


def test_a_clean_stream_is_not_read() -> None:
    body = make([WRITERS["delta"](f"word {n} of many") for n in range(9)]).response.body
    assert isinstance(body, Events)
    assert not may_find_in_events(body, SCRUB)
    assert not may_find_in_events(body, EVERY)


_NAMES = st.sampled_from(["text", "delta", "index", "id", "bytes", "data", "a", "toolUseId"])
_PIECES = st.sampled_from([*cut(SECRET), "a@b", ".example.org", "4111 11", "<b>", "é", "\n", "sk-"])
_TEXTS = st.lists(_PIECES, max_size=4).map("".join)
_VALUES = st.recursive(
    _TEXTS | st.integers(-9, 99) | st.booleans() | st.none() | st.just(1.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=5,
)
_PAYLOADS = st.one_of(
    st.dictionaries(_NAMES, _VALUES, max_size=3).map(compact),
    st.dictionaries(_NAMES, _VALUES, max_size=3).map(chunk),
    st.dictionaries(_NAMES, _VALUES, max_size=3).map(lambda value: json.dumps(value).encode()),
    st.tuples(st.sampled_from(list(WRITERS)), _TEXTS).map(lambda pair: WRITERS[pair[0]](pair[1])),
)


@quick
@given(st.lists(_PAYLOADS, max_size=8), st.sampled_from([SCRUB, EVERY]))
def test_both_searches_find_the_same_in_any_stream(payloads: list[bytes], search: Search) -> None:
    interaction = make(payloads)
    assert list_finds(interaction, search) == list_finds(interaction, read_all(search))


@quick
@given(st.permutations(cut(SECRET)), st.sampled_from(list(WRITERS)), st.integers(0, 5))
def test_both_searches_join_the_same_texts(pieces: list[str], name: str, other: int) -> None:
    """The pieces in order, with events of other forms between them."""
    names = [name, *WRITERS]
    payloads = [
        WRITERS[name if n % 3 else names[(n + other) % len(names)]](piece)
        for n, piece in enumerate(cut(SECRET))
    ]
    payloads += [WRITERS[name](piece) for piece in pieces]
    interaction = make(payloads)
    assert list_finds(interaction, SCRUB) == list_finds(interaction, read_all(SCRUB))
