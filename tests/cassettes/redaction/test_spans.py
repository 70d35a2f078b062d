"""What is sensitive in a text, however it is written."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given

from bedtape_cassettes.redaction.spans import KINDS, Look, Span, applied, by_pattern, edits, literal, looking
from support.contents import WORDS

PLANTED = {
    "access-key-id": "AKIA" + "QWERTYUIOPASDF12",
    "github-token": "ghp_" + "a1B2c3" * 6,
    "slack-token": "xoxb-" + "1234567890-abcdefghij",
    "openai-or-anthropic-key": "sk-ant-" + "aB3-" * 10,
    "google-api-key": "AIza" + "Sy12345" * 5,
    "stripe-key": "sk_live_" + "aB3d" * 6,
    "json-web-token": "eyJ" + "hbGciOiJI" * 2 + ".eyJ" + "zdWIiOiIx" * 2 + "." + "sflKxwRJSM" * 3,
    "private-key": "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
    "email": "ada.lovelace@analytical.io",
    "phone": "+44 20 7946 0958",
    "card": "4929 1234 5678 9015",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "us-ssn": "536-90-4399",
}
HARMLESS = [
    "someone@example.com",
    "ops@svc.test",
    "(212) 555-0143",
    "4929 1234 5678 9012",
    "4111 1111 1111 1111",
    "GB82 WEST 1234 5698 7654 33",
    "000-12-3456",
    "AKIAIOSFODNN7EXAMPLE",
    "msg_bdrk_01Fa62yoE5qsW3mPG95wgFqa",
    "1761958585123",
    "2026-11-22T13:36:15Z",
    "REDACTED-email-1",
]
SPELLINGS = {
    "": str,
    "percent-encoded": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "in base64": lambda text: b64encode(f"say: {text}!!".encode()).decode(),
}


def found(text: str, look: Look) -> list[tuple[str, str, str]]:
    told: list[tuple[str, str, str]] = []
    edits(text, look, lambda *what: told.append(what) or "X")  # type: ignore[func-returns-value]
    return told


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_planted_is_found_however_it_is_written(kind: str, spelling: str) -> None:
    value = PLANTED[kind]
    text = f"well, {SPELLINGS[spelling](value)} it is"
    told = found(text, looking())
    assert (kind, value, spelling) in told
    assert not found(applied(text, edits(text, looking(), lambda *_: "REDACTED-x-1")), looking())


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_alike_is_left_alone(text: str) -> None:
    assert not found(f"well, {text} it is", looking())


def test_a_kind_that_nobody_asked_for_is_not_looked_for() -> None:
    text = " and ".join(PLANTED.values())
    assert {kind for kind, _, _ in found(text, looking(["email"]))} == {"email"}
    assert set(PLANTED) <= set(KINDS)


def test_base64_keeps_its_alphabet_and_its_padding() -> None:
    text = "??>>" + PLANTED["email"]
    for encode, strip in ((b64encode, ""), (urlsafe_b64encode, ""), (urlsafe_b64encode, "=")):
        word = encode(text.encode()).decode().rstrip(strip)
        made = applied(word, edits(word, looking(), lambda *_: "REDACTED-email-10"))
        assert made == encode(b"??>>REDACTED-email-10").decode().rstrip(strip)


def test_base64_in_base64_is_found() -> None:
    word = b64encode(b64encode(PLANTED["email"].encode())).decode()
    assert found(word, looking()) == [("email", PLANTED["email"], "in base64")]


def test_a_pattern_s_group_is_what_is_meant() -> None:
    assert list(by_pattern(re.compile("ticket-([0-9]+)"))("my ticket-123")) == [Span(10, 13, "pattern")]
    assert list(by_pattern(re.compile("x*"))("axxb")) == [Span(1, 3, "pattern")]


def test_values_are_found_as_words() -> None:
    look = literal({"alice": "path", "al": "path"})
    assert [(s.start, s.end) for s in look("alice, malice, alices, al: alice")] == [(0, 5), (27, 32)]
    assert list(literal({})("anything")) == []


@given(WORDS)
def test_any_text_may_be_looked_at(text: str) -> None:
    assert applied(text, edits(text, lambda _: (), lambda *_: "X")) == text
    edits(text, looking(), lambda *_: "X")
