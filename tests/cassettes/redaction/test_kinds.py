"""What is a secret and what is not, whatever stands before it and however JSON spells it."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, JsonValue, is_path
from bedtape_cassettes.redaction import engine, kinds
from bedtape_cassettes.redaction.engine import (
    Search,
    Span,
    find_edits,
    find_pattern,
    find_words,
    replace_all,
)
from bedtape_cassettes.redaction.hints import HintIndex
from bedtape_cassettes.redaction.kinds import ACCESS_KEY, ACCOUNT, REDACTED, is_secret_header
from bedtape_cassettes.redaction.scrub import Redaction, scrub
from bedtape_cassettes.redaction.walk import Finding, scan, scrub_interaction
from bedtape_cassettes.storage import store
from support import folders
from support import interactions as some
from support.contents import WORDS
from support.corpus import every, needs_corpus
from support.examples import examples
from support.secret_places import API_KEY, KEY_ID, KINDS, OTHER_ACCOUNT, SECRET, TOKEN, with_events


def assert_hinted(text: str) -> None:
    for kind in kinds.SECRETS:
        assert any(hint in text.lower() for hint in kind.hints) or not kind.pattern.search(text), (
            kind.name
        )


quick = settings(derandomize=True, deadline=None, max_examples=examples(100))
ALL = Search(tuple(kinds.KINDS[name] for name in kinds.NAMES))

# What is written; what may stand in its place; what must be gone.
SIGNATURE = "0123456789abcdef0123"
SECRETS: dict[str, tuple[str, str, str]] = {
    "a SigV4 authorization": (
        (
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20240101/us-east-1/bedrock/aws4_request,"
            " SignedHeaders=host, Signature=ab12"
        ),
        f"AWS4-HMAC-SHA256 {REDACTED}",
        "ab12",
    ),
    "a SigV4a authorization": (
        (
            "AWS4-ECDSA-P256-SHA256"
            f" Credential={KEY_ID}/20240101/bedrock/aws4_request,X-Amz-Region-Set=*,Signature=ab12"
        ),
        f"AWS4-ECDSA-P256-SHA256 {REDACTED}",
        "ab12",
    ),
    "an access key id": (KEY_ID, ACCESS_KEY, KEY_ID),
    "an account id under its name": (
        f'"bucketOwner":"{OTHER_ACCOUNT}"',
        f'"bucketOwner":"{ACCOUNT}"',
        OTHER_ACCOUNT,
    ),
    "an account id in an ARN": (
        f"arn:aws:bedrock:us-east-1:{OTHER_ACCOUNT}:inference-profile/x",
        f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/x",
        OTHER_ACCOUNT,
    ),
    "an encoded ARN": (
        f"arn%3Aaws-us-gov%3Aiam%3A%3a{OTHER_ACCOUNT}%3Arole%2Fx",
        f"arn%3Aaws-us-gov%3Aiam%3A%3a{ACCOUNT}%3Arole%2Fx",
        OTHER_ACCOUNT,
    ),
    "a presigned URL": (
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SIGNATURE}&a=1",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={REDACTED}&a=1",
        SIGNATURE,
    ),
    "an older presigned URL": (
        f"https://b.s3.amazonaws.com/k?Signature={SIGNATURE}%3D",
        f"https://b.s3.amazonaws.com/k?Signature={REDACTED}",
        SIGNATURE,
    ),
    "a URL in a URL": (
        f"/go?to=https%3A%2F%2Fb%3FX-Amz-Security-Token%3D{SIGNATURE}",
        f"/go?to=https%3A%2F%2Fb%3FX-Amz-Security-Token%3D{REDACTED}",
        SIGNATURE,
    ),
    "a bearer token": (f"Bearer {TOKEN}", f"Bearer {REDACTED}", TOKEN),
    "a Bedrock API key": (API_KEY, REDACTED, API_KEY),
    "a short-term Bedrock API key": (f"bedrock-api-key-{TOKEN}", REDACTED, TOKEN),
    "a secret access key": (
        f"aws_secret_access_key = {SECRET}",
        f"aws_secret_access_key = {REDACTED}",
        SECRET,
    ),
    "a secret access key in words": (
        f"Secret access key: {SECRET}",
        f"Secret access key: {REDACTED}",
        SECRET,
    ),
    "a secret access key after a no-break space": (
        f"Secret access key\u00a0:\u00a0{SECRET}",
        f"Secret access key\u00a0:\u00a0{REDACTED}",
        SECRET,
    ),
    "a secret access key after an ideographic space": (
        f"secret_key\u3000is\u3000{SECRET}",
        f"secret_key\u3000is\u3000{REDACTED}",
        SECRET,
    ),
    "a session token": (
        f"AWS_SESSION_TOKEN={SECRET}{SECRET}",
        f"AWS_SESSION_TOKEN={REDACTED}",
        SECRET,
    ),
    "a session token in XML": (f"<SessionToken>{SECRET}<", f"<SessionToken>{REDACTED}<", SECRET),
}
each_secret = pytest.mark.parametrize(("secret", "clean", "gone"), SECRETS.values(), ids=SECRETS)


@each_secret
def test_every_kind_is_replaced(secret: str, clean: str, gone: str) -> None:
    assert scrub(secret.encode()) == clean.encode()
    assert scrub(clean.encode()) == clean.encode()
    assert gone not in clean


# What may stand before it: in JSON and in URLs, letters and digits that belong to an escape.
BEFORE = ["", " ", "\n", "\t", '"', "'", "=", "(", "/", ":", "\u001f", "&", "<", "é", "漢", "x\n"]


@each_secret
@pytest.mark.parametrize("ascii_only", [True, False])
def test_every_kind_is_replaced_in_json_whatever_stands_before(
    secret: str, clean: str, gone: str, ascii_only: bool
) -> None:
    for before in BEFORE:
        inner = json.dumps({"a": before + secret}, ensure_ascii=ascii_only)
        for spelt in (inner, json.dumps({"text": inner}), json.dumps([json.dumps(inner)])):
            scrubbed = scrub(spelt.encode()).decode()
            assert gone not in scrubbed, (before, scrubbed)
            json.loads(scrubbed)
        assert json.loads(scrub(inner.encode())) == {"a": before + clean}


def test_gos_json_escapes_the_ampersand_and_phps_the_slash() -> None:
    go = rb'{"u":"https://b/k?a=1\u0026X-Amz-Signature=0123456789abcdef0123\u0026Signature=0123456789abcdef0123"}'
    assert scrub(go).count(REDACTED.encode()) == 2
    php = b'{"SecretAccessKey":"%b"}' % SECRET.replace("/", "\\/").encode()
    assert scrub(php) == b'{"SecretAccessKey":"REDACTED"}'
    assert b"ABSK" not in scrub(b'["%b"]' % ("ABSK" + "a\\/" * 30).encode())
    assert KEY_ID not in scrub(f"/x?a=1%26b%3D{KEY_ID}".encode()).decode()


NO_SECRETS = [
    ACCESS_KEY,
    f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/x",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    OTHER_ACCOUNT,
    "AKIASHORT",
    "AKIA" + "A" * 17,
    "xAKIA" + "A" * 16,
    "a bearer of good news",
    "Signature=short",
    "the session token: see below",
    "secret_access_key=short",
    "ABSKETCH",
]


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_is_no_secret_stays_the_same_object(text: str) -> None:
    data = text.encode()
    assert scrub(data) is data


def test_lengths_are_kept_where_aws_documents_an_example() -> None:
    assert len(ACCESS_KEY) == len(KEY_ID)
    assert len(ACCOUNT) == len(OTHER_ACCOUNT)


SECRET_HEADERS = [
    "Authorization",
    "Proxy-Authorization",
    "X-Amz-Security-Token",
    "x-api-key",
    "Api-Key",
    "Cookie",
]
SECRET_HEADERS += [
    "set-cookie",
    "x-bedtape-control-token",
    "X-Portkey-Api-Key",
    "x-vault-token",
    "x-client-secret",
]
SECRET_HEADERS += ["apikey"]


@pytest.mark.parametrize("name", SECRET_HEADERS)
def test_secret_headers_lose_their_value_whatever_it_is(name: str) -> None:
    assert is_secret_header(name)
    interaction = replace(
        some.small(), request=replace(some.small().request, headers=((name, "hunter2"),))
    )
    assert scan(interaction) == [Finding("a secret header", f"request.headers.{name}")]
    clean = scrub_interaction(interaction)
    assert clean.request.headers == ((name, REDACTED),)
    assert scan(clean) == []


@pytest.mark.parametrize(
    "name",
    [
        "x-amzn-bedrock-input-token-count",
        "content-type",
        "x-tokens",
        "access-control-allow-credentials",
        "cookies",
    ],
)
def test_other_headers_keep_theirs(name: str) -> None:
    assert not is_secret_header(name)


# -- one's own patterns ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "payload"),
    [
        (r'"text":"[^"]*"', "/model/a.b/converse", b'{"text":"a"}'),  # no JSON any more
        (r"\xe9", "/model/a.b/converse", '{"text":"é"}'.encode()),
        (r"u00", "/model/a.b/converse", b'{"text":"\\u00e9"}'),  # half an escape
        (r"model", "/model/a.b/converse", b"{}"),  # another operation
        (r"a\.b", "/model/a.b/converse", b"{}"),  # another model
        (r".+", "/model/a.b/converse", b"{}"),
    ],
)
def test_own_patterns_may_break_anything_but_the_cassette(
    pattern: str, path: str, payload: bytes
) -> None:
    mine = Redaction((re.compile(pattern, re.DOTALL),))
    plain_ = some.small(path)
    for interaction in (
        replace(plain_, request=replace(plain_.request, body=bodies.read_body(payload))),
        replace(plain_, response=replace(plain_.response, body=bodies.read_body(payload))),
        with_events(payload),
        with_events(bodies.seal_chunk(bodies.parse(payload))),
        with_events(b"data: " + payload + b"\n\n", framed=False),
    ):
        clean = scrub_interaction(interaction, mine)
        with TemporaryDirectory() as folder:
            if not is_path(clean.request.path):
                with pytest.raises(CassetteInvalid, match="a percent-encoded path"):
                    folders.write(Path(folder), Cassette("a", (interaction,)), redaction=mine)
                continue
            folders.write(Path(folder), Cassette("a", (interaction,)), redaction=mine)
            assert store.read([Path(folder)])[0].interactions == (clean,)


# -- by chance -------------------------------------------------------------------------------------

GONE = [(secret, gone) for secret, _, gone in SECRETS.values()]


def paths_of(value: JsonValue, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    match value:
        case dict():
            return [p for key, member in value.items() for p in paths_of(member, (*path, key))] or [
                path
            ]
        case list():
            return [
                p for number, member in enumerate(value) for p in paths_of(member, (*path, number))
            ] or [path]
    return [path]


def planted(value: JsonValue, path: tuple[str | int, ...], secret: str) -> JsonValue:
    if not path:
        return secret
    match value:
        case dict():
            return {
                key: planted(member, path[1:], secret) if key == path[0] else member
                for key, member in value.items()
            }
        case list():
            return [
                planted(member, path[1:], secret) if n == path[0] else member
                for n, member in enumerate(value)
            ]
    return secret


@quick
@given(some.json_values, st.lists(st.sampled_from(GONE), max_size=2), st.data())
def test_scrubbed_json_is_json_of_the_same_structure(
    value: JsonValue, secrets: list[tuple[str, str]], data: st.DataObject
) -> None:
    for secret, _ in secrets:
        value = planted(value, data.draw(st.sampled_from(paths_of(value))), secret)
    for spelt in (
        bodies.compact(value),
        json.dumps(value).encode(),
        json.dumps(value, indent=1).encode(),
    ):
        clean = scrub(spelt)
        assert paths_of(json.loads(clean)) == paths_of(value)
        assert scrub(clean) == clean


_WORDS = [
    "arn",
    ":",
    "%3A",
    "%3a",
    "aws",
    "-cn",
    "bedrock",
    OTHER_ACCOUNT,
    "AKIA",
    "ASIA",
    "ABSK",
    "Z" * 16,
    "a" * 40,
]
_WORDS += [
    "AWS4-HMAC-SHA256 ",
    "Credential=",
    "X-Amz-",
    "x-amz-",
    "Signature",
    "Security-Token",
    "=",
    "%3D",
    "\\u003d",
]
_WORDS += [
    "AWSAccessKeyId",
    "Bearer",
    "bearer",
    " ",
    "+",
    "%20",
    "bedrock-api-key-",
    "Secret",
    "_",
    "Access",
    "Key",
]
_WORDS += [
    "key",
    "session",
    "Token",
    "token",
    '"',
    "\\",
    "\\n",
    ">",
    "/",
    "secretAccessKey",
    "sessionToken",
    "SIGNATURE",
]
_WORDS += ["\n"]


@settings(derandomize=True, deadline=None, max_examples=examples(500))
@given(st.lists(st.sampled_from(_WORDS), max_size=14).map("".join))
def test_whatever_a_pattern_matches_is_hinted_at(text: str) -> None:
    assert_hinted(text)
    once = scrub(text.encode())
    assert scrub(once) == once


@pytest.mark.parametrize("name", kinds.NAMES)
def test_every_secret_has_a_hint_and_a_cue(name: str) -> None:
    """Or else documents that contain it are not searched."""
    kind = kinds.KINDS[name]
    search = Search((kind,))
    for text, _ in KINDS[name]:
        assert kind.pattern.search(text)
        for spelled in (text, text.upper(), text.lower(), text.title()):
            if kind.pattern.search(spelled):
                assert not kind.hints or any(hint in spelled.lower() for hint in kind.hints)
                assert not search.is_hinted or search.may_find(spelled.encode())


@quick
@pytest.mark.parametrize("name", [name for name in kinds.NAMES if kinds.KINDS[name].personal])
@given(data=st.data())
def test_whatever_a_pattern_of_personal_data_matches_has_a_hint_and_a_cue(
    name: str, data: st.DataObject
) -> None:
    kind = kinds.KINDS[name]
    text = data.draw(st.from_regex(kind.pattern))
    assert any(hint in text.lower() for hint in kind.hints)
    assert Search((kind,)).may_find(json.dumps({"text": text}).encode())


@pytest.mark.parametrize("member", ["bytes", "body", "data"])
def test_short_personal_data_is_found_in_base64_of_a_binary_member(member: str) -> None:
    for document in (
        {member: b64encode(b"a@b.io").decode()},
        {"x": json.dumps({member: b64encode(b"a@b.io").decode()})},
    ):
        assert find_edits(json.dumps(document), ALL, lambda _: REDACTED)


@pytest.mark.parametrize("name", kinds.NAMES)
def test_base64_after_an_escape_of_json_is_searched(name: str) -> None:
    unhinted = Search((kinds.KINDS[name],), looks=(lambda _: (),))
    hinted = Search(unhinted.kinds)
    for (text, _), before in product(KINDS[name], "\n\r\t\b\f\\\u4e2d\U0001f511"):
        inner = json.dumps([before + b64encode(text.encode()).decode()])
        for document in (inner, json.dumps([inner])):
            edits = find_edits(document, unhinted, lambda _: REDACTED)
            assert find_edits(document, hinted, lambda _: REDACTED) == edits


@quick
@given(st.lists(st.one_of(WORDS, some.json_values.map(json.dumps)), max_size=8))
def test_a_search_that_remembers_clean_texts_finds_the_same(texts: list[str]) -> None:
    shared = Search(ALL.kinds)
    for text in [*texts, *texts]:
        assert find_edits(text, shared, lambda _: REDACTED) == find_edits(
            text, Search(ALL.kinds), lambda _: REDACTED
        )


def test_a_search_remembers_a_bounded_number_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_MOST_REMEMBERED", 10)
    search = Search(ALL.kinds)
    for number in range(100):
        find_edits(f"text {number}", search, lambda _: REDACTED)
        assert 0 < len(search.clean) <= 10


# -- the corpus ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.corpus
@needs_corpus
def test_the_corpus_has_no_false_positives() -> None:
    """What is replaced in it are account ids, and the values of the headers that sign; and
    nothing is left to find.
    """
    replaced: dict[str, set[str]] = {}
    for row in every():
        interaction = row.interaction(exact=True)
        assert scan(interaction) == [], row  # with every header
        for data in (row.request_body, row.response_body):
            clean = scrub(data)
            find_edits(
                data.decode(errors="surrogateescape"),
                Search(kinds.SECRETS),
                lambda find: replaced.setdefault(find.kind, set()).add(find.value) or REDACTED,  # type: ignore[func-returns-value]
            )
            assert scrub(clean) == clean
    assert replaced.keys() <= {"account-id", "account-id-in-an-arn"}, replaced


# -- what looks alike, and how an encoding is kept -------------------------------------------------

HARMLESS = ["someone@example.com", "ops@svc.test", "(212) 555-0143", "REDACTED-email-1"]
HARMLESS += [
    "4929 1234 5678 9012",
    "4111 1111 1111 1111",
    "GB82 WEST 1234 5698 7654 33",
    "000-12-3456",
    ACCESS_KEY,
]
HARMLESS += ["msg_bdrk_01Fa62yoE5qsW3mPG95wgFqa", "1761958585123", "2026-11-22T13:36:15Z"]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_alike_is_left_alone(text: str) -> None:
    assert find_edits(f"well, {text} it is", ALL, lambda _: REDACTED) == []


def test_a_kind_that_nobody_asked_for_is_not_searched() -> None:
    texts: list[str] = []
    text = " and ".join(text for rows in KINDS.values() for text, _ in rows)
    replace_all(
        text, Search((kinds.KINDS["email"],)), lambda find: texts.append(find.kind) or REDACTED
    )  # type: ignore[func-returns-value]
    assert set(texts) == {"email"}


def test_base64_keeps_its_alphabet_and_its_padding() -> None:
    text = "??>>ada@analytical.io"
    for encode, strip in ((b64encode, ""), (urlsafe_b64encode, ""), (urlsafe_b64encode, "=")):
        word = encode(text.encode()).decode().rstrip(strip)
        made = replace_all(word, ALL, lambda _: "REDACTED-email-10")
        assert made == encode(b"??>>REDACTED-email-10").decode().rstrip(strip)


def test_looks_find_groups_and_words() -> None:
    assert list(find_pattern(re.compile("ticket-([0-9]+)"))("my ticket-123")) == [
        Span(10, 13, "pattern")
    ]
    look = find_words({"alice": "path", "al": "path"})
    assert [(s.start, s.end) for s in look("alice, malice, alices, al: alice")] == [
        (0, 5),
        (27, 32),
    ]
    assert list(find_words({})("anything")) == []


@given(WORDS)
def test_any_text_may_be_searched(text: str) -> None:
    assert find_edits(text, Search(), lambda _: "X") == []
    replace_all(text, ALL, lambda _: "REDACTED-x-1")


@given(
    st.lists(st.tuples(st.integers(), st.lists(st.text("ab_-1", max_size=3), max_size=3))),
    st.text("ab_-1c", max_size=8),
)
def test_an_index_of_hints_returns_what_a_search_for_each_hint_returns(
    rows: list[tuple[int, list[str]]], text: str
) -> None:
    expected = [value for value, hints in rows if any(hint in text for hint in hints)]
    assert HintIndex(rows).find(text) == expected
    assert HintIndex(rows).has(text) == bool(expected)
