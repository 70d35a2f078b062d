"""Values of a suite listed, and replaced: one placeholder a value, wherever it stands."""

import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import bodies, document, eventstream
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.model import Cassette, Events, Interaction, Suite, event_headers
from bedtape_cassettes.redaction.engine import Find, Search, find_edits, find_pattern
from bedtape_cassettes.redaction.kinds import KINDS, NAMES
from bedtape_cassettes.suites import secrets
from bedtape_cassettes.suites.assign import assign, parse_assignments
from bedtape_cassettes.suites.secrets import Names, load_detectors, redact
from bedtape_cassettes.suites.selector import pick
from support.corpus import cassettes, every, exchanges, needs_corpus, sources
from support.decoding import decode_events, decode_text
from support.examples import examples
from support.recordings import converse, prompt, record_interaction, stream

EMAIL = "ada@analytical.io"
IBAN = "GB82WEST12345698765432"
ALL = Search(tuple(KINDS[name] for name in NAMES))
_STREAMS = ("ConverseStream", "InvokeModelWithResponseStream")


def clean(interaction: Interaction, search: Search = ALL) -> Interaction:
    return redact(interaction, search, Names())


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.text("ab ", max_size=9))
def test_a_value_that_a_stream_cuts_is_taken_out(sizes: list[int], around: str) -> None:
    text = f"{around} {EMAIL} {around}"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    recording = stream("q", [*pieces, text[at:]], at_ms=range(0, 900, 10))
    made = clean(recording)
    assert decode_text(made) == f"{around} REDACTED-email-1 {around}"
    assert len(decode_events(made)) == len(decode_events(recording))


def test_deltas_that_hold_none_of_it_stay_as_they_are() -> None:
    made = clean(stream("q", ["It is ", "ada@an", "alytica", "l.io, sir"]))
    texts = [
        e["contentBlockDelta"]["delta"]["text"]
        for e in decode_events(made)
        if "contentBlockDelta" in e
    ]
    assert texts == ["It is ", "REDACT", "ED-emai", "l-1, sir"]


def test_agents_bytes_are_joined_too() -> None:
    pieces = [b"mail ada@ana", b"lytical.io now"]
    frames = [bodies.compact({"bytes": b64encode(piece).decode()}) for piece in pieces]
    data = b"".join(eventstream.encode_strings(event_headers("chunk"), frame) for frame in frames)
    url = "/agents/A/agentAliases/B/sessions/c/text"
    headers = (("Content-Type", bodies.EVENT_STREAM),)
    made = clean(record_interaction(b"{}", data, url=url, headers=headers))
    values = read_values(made.response.body)
    said = [value["bytes"] for value in values if isinstance(value, dict)]
    assert b"".join(b64decode(str(piece)) for piece in said) == b"mail REDACTED-email-1 now"


def test_paths_take_whatever_is_there() -> None:
    made = clean(
        converse("who?", "me"),
        Search(paths=("messages.*.content", "output.message.content[0].text")),
    )
    assert read_values(made.request.body) == [
        {"messages": [{"role": "user", "content": [{"text": "REDACTED-path-1"}]}]}
    ]
    assert b'"text":"REDACTED-path-2"' in made.response.body.data  # type: ignore[union-attr]
    streamed = clean(stream("who?", ["on", "ly me"]), Search(paths=("delta.text",)))
    assert decode_text(streamed) == "REDACTED-path-1"


def test_the_same_value_has_the_same_placeholder_and_numbers_go_on() -> None:
    names = Names()
    names.reserve("REDACTED-email-4 and REDACTED-card-1")
    search = Search((KINDS["email"],), (find_pattern(re.compile("c[0-9]+")),))
    one, two = (redact(converse(f"{EMAIL} c7", f"b@c.io {EMAIL}"), search, names) for _ in range(2))
    assert one == two
    assert read_values(one.request.body) == read_values(
        record_interaction(prompt("REDACTED-email-5 REDACTED-pattern-1"), b"").request.body
    )
    assert b'"REDACTED-email-6 REDACTED-email-5"' in one.response.body.data  # type: ignore[union-attr]
    assert redact(one, search, names) is one


def test_a_text_of_ones_own_may_stand_there() -> None:
    assert (
        b'"hi me@example.com"'
        in redact(converse("q", f"hi {EMAIL}"), ALL, Names("me@example.com")).response.body.data
    )  # type: ignore[union-attr]


def suite(*interactions: Interaction) -> Suite:
    return (
        Cassette(
            "a", tuple(replace(i, file=f"a/{n:04d}-x.yaml") for n, i in enumerate(interactions, 1))
        ),
    )


def found(of: Suite) -> list[secrets.ScanResult]:
    return secrets.scan(of, pick(of, ["*"]), ALL)


PLANTED = suite(
    converse(f"I am {EMAIL}", f"Hello {EMAIL}"),
    stream("q", ["your number: GB", "82WEST1234", "5698765432."]),
    converse("in base64", b64encode(f"number={IBAN}".encode()).decode()),
    converse("encoded", f"https://x.example/?mail={quote(EMAIL, safe='')}"),
)


def test_what_is_planted_is_listed_where_it_is() -> None:
    told = [(f.number, f.kind, f.where, f.how) for f in found(PLANTED)]
    text = "output.message.content[0].text"
    assert told == [
        (1, "email", "request.body messages[0].content[0].text", ""),
        (1, "email", f"response.body {text}", ""),
        (2, "iban", "response.events[1-3] delta.text", ""),
        (3, "iban", f"response.body {text}", "in base64"),
        (4, "email", f"response.body {text}", "percent-encoded"),
    ]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("0001-converse-aa45255f.yaml", []),
        ("0003.1-converse-stream-12345678.yaml", []),
        (f"0001-{EMAIL}.yaml", ["email"]),
        ("0001-converse-AKIA0123456789ABCDEF.yaml", ["access-key-id"]),
    ],
)
def test_names_of_files_are_searched(name: str, kinds: list[str]) -> None:
    one = replace(converse("q", "a"), file=f"a/{name}")
    listed = found((Cassette("a", (one,)),))
    assert [(f.kind, f.where) for f in listed] == [(kind, "the file's name") for kind in kinds]


def test_a_pattern_is_searched_for_in_the_names_that_bedtape_gives() -> None:
    suite = (Cassette("a", (replace(converse("q", "a"), file="a/0001-converse-aa45255f.yaml"),)),)
    search = Search(looks=(find_pattern(re.compile("^0001-(converse)")),))
    assert [f.shown for f in secrets.scan(suite, pick(suite, ["*"]), search)] == [
        "co… (8 characters)"
    ]


def test_nothing_is_shown_whole() -> None:
    assert not any(IBAN[8:] in f.shown or EMAIL in f.shown for f in found(PLANTED))


def test_what_was_found_is_gone_and_stays_gone() -> None:
    clean = secrets.redact_suite(PLANTED, pick(PLANTED, ["*"]), ALL, Names())
    assert found(clean) == []
    written = b"".join(document.write(i) for c in clean for i in c.interactions)
    assert EMAIL.encode() not in written
    assert b"REDACTED-email-1" in written
    assert secrets.redact_suite(clean, pick(clean, ["*"]), ALL, Names()) == clean


def test_an_answer_that_comes_back_in_the_next_request_still_matches() -> None:
    """What the client gets is the placeholder, and that is what the next recorded request holds."""
    person = "Ada Lovelace"
    asked = suite(converse("who?", f"{person} did"), converse(f"what did {person} do?", "much"))
    by_path = Search(paths=("output.message.content[0].text",))
    (clean,) = secrets.redact_suite(
        suite(converse("q", person), asked[0].interactions[1]), {"a": (0, 1)}, by_path, Names()
    )
    answer = "REDACTED-path-1"
    expected = converse(f"what did {answer} do?", "").request
    assert compute_request_key(clean.interactions[1].request) == compute_request_key(expected)


def test_what_is_not_picked_stays() -> None:
    clean = secrets.redact_suite(PLANTED, pick(PLANTED, ["a:1"]), ALL, Names())
    assert clean[0].interactions[1:] == PLANTED[0].interactions[1:]
    assert clean[0].interactions[0] != PLANTED[0].interactions[0]


def test_a_secret_header_is_found_by_its_name() -> None:
    one = converse("q", "a")
    kept = replace(
        one, exact=True, request=replace(one.request, headers=(("X-Api-Key", "hunter2hunter2"),))
    )
    (told,) = found(suite(kept))
    assert (told.kind, told.where) == ("secret-header", "request.headers.X-Api-Key")


def test_detectors_find_what_the_kinds_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    look = load_detectors()
    monkeypatch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
    assert load_detectors() is None
    if look is None:
        pytest.skip("detect-secrets is not installed: pip install 'bedtape[scan]'")
    text = 'use https://bob:hunter22@svc.internal and password = "correct-horse-battery"'
    told = {(span.kind, text[span.start : span.end]) for span in look(text)}
    assert ("basic-auth-credentials", "hunter22") in told
    assert ("secret-keyword", "correct-horse-battery") in told
    assert (
        list(
            look("Ids such as msg_bdrk_01Fa62yoE5qsW3mPG95wgFqa and AKIAIOSFODNN7EXAMPLE are none.")
        )
        == []
    )


def _encode(text: str) -> str:
    return b64encode(text.encode()).decode()


def list_kinds(document: str, search: Search) -> list[str]:
    kinds: list[str] = []

    def write(find: Find) -> str:
        kinds.append(find.kind)
        return "x"

    find_edits(document, search, write)
    return kinds


_DETECTED = {
    "basic-auth-credentials": "https://bob:hunter22@svc.internal/x",
    "secret-keyword": 'the password = "correct-horse-battery"',
    "public-ip-ipv": "the host 8.8.4.4 answers",
    "stripe-access-key": "rk_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "artifactory-credentials": "the token: AKCp" + "5e3Yx9Lq7Wn2Rt8",
}


@pytest.mark.parametrize("kind", _DETECTED)
@pytest.mark.parametrize(
    "spell", [str, json.dumps, _encode, partial(quote, safe="")], ids=["raw", "json", "64", "url"]
)
def test_documents_with_what_a_detector_finds_are_read(
    kind: str, spell: Callable[[str], str]
) -> None:
    """A scan does not read the texts of documents in which no detector can find anything."""
    detectors = load_detectors()
    if detectors is None:
        pytest.skip("detect-secrets is not installed: pip install 'bedtape[scan]'")
    document = json.dumps({"messages": [{"text": spell(_DETECTED[kind])}], "x": "é"})
    hinted, plain = (Search((KINDS["us-ssn"],), (look,)) for look in (detectors, detectors.look))
    assert hinted.is_hinted
    assert list_kinds(document, hinted) == list_kinds(document, plain)
    assert kind in list_kinds(document, hinted)


def test_a_document_without_hints_is_not_read() -> None:
    detectors = load_detectors()
    if detectors is None:
        pytest.skip("detect-secrets is not installed: pip install 'bedtape[scan]'")
    search = Search(ALL.kinds, (detectors,))
    assert not search.may_find(b'{"messages":[{"text":"What is the weather in Oslo today?"}]}')


@pytest.mark.slow
@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(20),
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.parametrize("name", [*secrets._LONG, *secrets._MARKS, *secrets._FOLDED_MARKS])
@given(data=st.data())
def test_what_a_hinted_detector_finds_has_the_hint(name: str, data: st.DataObject) -> None:
    util = pytest.importorskip("detect_secrets.core.plugins.util")
    (kind,) = [
        one
        for one in util.get_mapping_from_secret_type_to_class().values()
        if one.__name__ == f"{name}Detector"
    ]
    ascii_only = st.characters(codec="ascii")  # as tokens are; `\d` has the digits of all scripts
    texts = [st.from_regex(pattern, alphabet=ascii_only) for pattern in kind.denylist]
    text = data.draw(st.one_of(texts))
    if name in secrets._LONG:
        assert secrets._has_long_word(text)
    elif name in secrets._MARKS:
        assert any(mark in text for mark in secrets._MARKS[name])
    else:
        assert any(mark in text.casefold() for mark in secrets._FOLDED_MARKS[name])


def test_keywords_of_the_keyword_detector_are_hints_of_it() -> None:
    keyword = pytest.importorskip("detect_secrets.plugins.keyword")
    parts = secrets._list_keywords()
    assert all(any(part in word for part in parts) for word in keyword.DENYLIST)
    assert not any(part in "cassette, tape, records" for part in parts)


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
def test_real_recordings_are_clean_afterwards_and_still_load() -> None:
    for source in sources()[:6]:
        real = tuple(cassettes(exchanges(source)))
        clean = secrets.redact_suite(real, pick(real, ["*"]), ALL, Names())
        assert found(clean) == []
        changed = [
            new
            for old_cassette, cassette in zip(real, clean, strict=True)
            for old, new in zip(old_cassette.interactions, cassette.interactions, strict=True)
            if new != old
        ]
        assert all(document.read(document.write(i), "x") == i for i in changed)


@pytest.mark.slow
@needs_corpus
@pytest.mark.corpus
def test_what_real_streams_of_every_model_cut_in_pieces_is_found_and_gone() -> None:
    """The planted text is cut as the model cut its own."""
    rows = [row for row in every() if row.status == 200 and row.operation in _STREAMS]
    streams = {row.model: row.interaction() for row in rows}
    spoken = {
        model: i
        for model, i in streams.items()
        if isinstance(i.response.body, Events) and decode_text(i)
    }
    assert len(spoken) > 15
    for interaction in spoken.values():
        planted = assign(
            interaction, parse_assignments([f"answer.text=Mail {EMAIL} the number {IBAN}, please."])
        ).interaction
        of = suite(planted)
        assert {"email", "iban"} <= {f.kind for f in found(of) if f.where.startswith("response")}
        ((clean,),) = (c.interactions for c in secrets.redact_suite(of, {"a": (0,)}, ALL, Names()))
        told = decode_text(clean)
        assert told is not None
        assert re.fullmatch(
            r"Mail REDACTED-email-\d+ the number REDACTED-iban-\d+, please.", told
        ), told
        assert found(suite(clean)) == []
        assert isinstance(planted.response.body, Events)
        assert isinstance(clean.response.body, Events)
        times = [[event.at_ms for event in i.response.body.events] for i in (planted, clean)]  # type: ignore[union-attr]
        assert times[0] == times[1]
