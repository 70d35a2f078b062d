"""Users' patterns: what they match is gone from what is meant, the rest keeps its
bytes, and twice is once.
"""

import json
import re
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.redaction.kinds import REDACTED
from bedtape_cassettes.redaction.scrub import (
    Redaction,
    read_patterns,
    redact_path,
    scrub,
    scrub_text,
)
from support import interactions as some
from support.examples import examples

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.too_slow],
)


def of(*patterns: str) -> Redaction:
    return Redaction(tuple(map(re.compile, patterns)))


def sealed(text: str) -> str:
    return b64encode(text.encode()).decode()


# -- what is a pattern -----------------------------------------------------------------------------


def test_every_wrong_pattern_is_told_at_once_with_its_place_and_what_fixes_it() -> None:
    with pytest.raises(CassetteError) as caught:
        read_patterns(["fine", "[a", "b)", "c*"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("--redact: expected a") for line in lines)
    assert "found '[a' (unterminated character set at position 0); fix it there" in lines[0]
    assert "found 'b)' (unbalanced parenthesis at position 1); fix it there" in lines[1]
    assert "found 'c*', which matches nothing at position 0 too; use + in place of *" in lines[2]


def test_good_patterns_are_kept_in_order() -> None:
    assert [pattern.pattern for pattern in read_patterns(["a+", "(?i)b"]).patterns] == [
        "a+",
        "(?i)b",
    ]


def test_personal_data_has_names() -> None:
    redaction = read_patterns(["{email}", "{phone}"])
    text = (
        b'{"text": "ada@analytical.io, +44 20 7946 0958, me@example.com, bo@a.test, (212)'
        b' 555-0143"}'
    )
    clean = b'{"text": "REDACTED, REDACTED, me@example.com, bo@a.test, (212) 555-0143"}'
    assert scrub(text, redaction) == clean
    # as another process gets them
    again = read_patterns(pattern.pattern for pattern in redaction.patterns)
    assert scrub(text, again) == clean


# -- bodies ----------------------------------------------------------------------------------------

MEANT: dict[str, tuple[str, bytes, Any]] = {
    "a text": (
        "Falcon",
        b'{"text": "the Falcon flies", "n": 1.50}',
        {"text": f"the {REDACTED} flies", "n": 1.5},
    ),
    "a key": ("Falcon", b'{"Falcon":1}', {REDACTED: 1}),
    "letters that are escaped": (
        "Zo\u00eb",
        b'{"text":"Zo\\u00eb \\u00e9"}',
        {"text": f"{REDACTED} \u00e9"},
    ),
    "letters that are not": (
        "Zo.\\b",
        '{"text":"Zo\u00eb \u00e9"}'.encode(),
        {"text": f"{REDACTED} \u00e9"},
    ),
    "a line break": (r"Big\s+Corp", rb'{"text":"Big\nCorp"}', {"text": REDACTED}),
    "an escaped slash": ("a/b", rb'{"text":"a\/b"}', {"text": REDACTED}),
    "a number": ("4711", b'{"id": 4711, "n": 5}', {"id": REDACTED, "n": 5}),
    "a number in a list": ("4711", b"[4711,1]", [REDACTED, 1]),
    "json in json": (
        "Zo\u00eb",
        rb'{"input":"{\"a\":\"Zo\\u00eb\"}"}',
        {"input": f'{{"a":"{REDACTED}"}}'},
    ),
    "what an escape spells is not meant": (
        "new|u00|n",
        rb'{"a":"\new","b":"\u00e9"}',
        {"a": "\new", "b": "\u00e9"},
    ),
    "half of a pair": ("Falcon", rb'{"a":"Falcon \ud83d"}', {"a": f"{REDACTED} \ud83d"}),
}


@pytest.mark.parametrize(("pattern", "body", "left"), MEANT.values(), ids=MEANT)
def test_what_is_meant_is_matched(pattern: str, body: bytes, left: object) -> None:
    assert json.loads(scrub(body, of(pattern))) == left


def test_all_that_is_not_matched_keeps_its_spelling() -> None:
    body = b'{ "b" : 1.0e5,"text":"Falcon", "a":"\\u00e9\\/" }\n'
    assert scrub(body, of("Falcon")) == body.replace(b"Falcon", REDACTED.encode())


@pytest.mark.parametrize("text", ["Falcon", "x" * 40 + "Falcon", '{"text":"Zo\\u00eb Falcon"}'])
def test_text_in_base64_is_looked_into(text: str) -> None:
    body = b'{"bytes": "%b"}' % sealed(text).encode()
    inner = b64decode(json.loads(scrub(body, of("Falcon")))["bytes"]).decode()
    assert inner == text.replace("Falcon", REDACTED)


@pytest.mark.parametrize("text", ['{"n":1}', '{"type":"message_stop","text":"' + "x" * 99 + '"}'])
def test_the_spelling_of_base64_is_not_meant(text: str) -> None:
    """A short pattern matches somewhere in it by chance, and the chunk could
    not be read any more.
    """
    body = b'{"bytes":"%b"}' % sealed(text).encode()
    assert scrub(body, of("ey|Jt|J0|eX|eH|IjoxfQ")) == body


def test_a_word_that_only_looks_like_base64_is_a_word() -> None:
    for word in ("Falcon", "Falcon12", "FalconFalcon"):
        assert b"Falcon" not in scrub(b'{"data":"%b"}' % word.encode(), of("Falcon"))


def test_a_pattern_over_several_texts_is_taken_out_all_the_same() -> None:
    assert b"secret" not in scrub(b'{"name": "secret", "a": 1}', of(r'"name":\s*"[^"]*"'))
    assert scrub(b'{"name": "x"}', of('(?<="name": ")[^"]+')) == b'{"name": "REDACTED"}'


def test_server_sent_events_and_plascrub_text() -> None:
    stream = b'event: a\ndata: {"text":"Zo\\u00eb"}\n\ndata: {"id":4711}\n\n'
    clean = scrub(stream, of("Zo\u00eb", "4711"))
    assert clean == b'event: a\ndata: {"text":"REDACTED"}\n\ndata: {"id":"REDACTED"}\n\n'
    assert scrub(b"C:\\new 4711, x", of("new", "4711")) == b"C:\\REDACTED REDACTED, x"
    assert scrub(b"\xff\xfe Falcon \x00", of("Falcon")) == b"\xff\xfe REDACTED \x00"


PATTERNS = [
    "a",
    "[a-z]+",
    ".+",
    r"\w",
    r"\d",
    "(?i)reDACted|E",
    r"\W+",
    '"[^"]*"',
    "é",
    r"\\",
    "b(?=c)",
    "^.|.$",
]


@quick
@given(some.json_objects, st.sampled_from(PATTERNS), st.sampled_from(PATTERNS), st.booleans())
def test_twice_is_once(value: Any, one: str, two: str, ascii_only: bool) -> None:
    """A request is scrubbed when it is journalled, when it is written and when it is
    matched: with one result.
    """
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    redaction = of(one)
    clean = scrub(body, redaction)
    assert scrub(clean, redaction) == clean
    both = scrub(scrub(body, of(one, two)), of(one, two))
    assert scrub(both, of(one, two)) == both


@quick
@given(
    some.json_objects,
    st.sampled_from(["Falcon", "Zo\u00eb", "a/b", "line\nline"]),
    st.booleans(),
    st.booleans(),
)
def test_a_word_is_gone_wherever_it_stands_and_json_stays_json(
    value: dict[str, Any], word: str, ascii_only: bool, spaced: bool
) -> None:
    planted = {"before": value, "list": [f"x{word}", {word: word}]}
    separators = None if spaced else (",", ":")
    body = json.dumps(planted, ensure_ascii=ascii_only, separators=separators).encode(
        errors="surrogatepass"
    )
    clean = json.loads(scrub(body, of(re.escape(word))))
    assert clean == {"before": value, "list": [f"x{REDACTED}", {REDACTED: REDACTED}]}


# -- texts and paths -------------------------------------------------------------------------------


@quick
@given(some.texts, st.sampled_from(PATTERNS))
def test_a_placeholder_is_never_looked_into(text: str, pattern: str) -> None:
    clean = scrub_text(text, of(pattern))
    assert scrub_text(clean, of(pattern)) == clean


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("acme", "/model/acme.one/converse", "/model/REDACTED.one/converse"),
        (
            "profile/acme",
            "/model/arn%3Aaws%2Fprofile%2Facme/invoke",
            "/model/arn:aws/REDACTED/invoke",
        ),
        ("Big Corp", "/agents/Big%20Corp", "/agents/REDACTED"),
        ("Zo\u00eb", "/agents/Zo%C3%AB", "/agents/REDACTED"),
        (r"\d{2}", "/agents/a%20b", "/agents/a b"),
        ("Big Corp", "/x?name=Big%20Corp&b=1", "/x?name=REDACTED&b=1"),
        ("zzz", "/agents/a%2fb%20c?x=%41", "/agents/a/b c?x=A"),
    ],
)
def test_a_path_is_matched_by_what_is_meant(pattern: str, path: str, meant: str) -> None:
    clean = redact_path(path, of(pattern))
    assert unquote(clean) == meant
    assert redact_path(clean, of(pattern)) == clean
    assert clean == path or REDACTED in clean
