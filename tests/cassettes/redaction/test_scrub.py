"""Secrets: taken out wherever they stand, found where they could not be, and nothing else taken for one."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid, SecretFound
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Cassette, Event, Events, Interaction, JsonValue, event_headers, is_path
from bedtape_cassettes.redaction import scrub as scrub_module
from bedtape_cassettes.redaction.scrub import (
    ACCESS_KEY,
    ACCOUNT,
    REDACTED,
    Finding,
    Redaction,
    is_secret_header,
    scan,
    scrub,
    scrub_body,
    scrub_interaction,
)
from bedtape_cassettes.storage import store
from support import folders
from support import interactions as some
from support.corpus import every, needs_corpus

quick = settings(derandomize=True, deadline=None, max_examples=100)

KEY_ID = "ASIA" + "Q7" * 8
OTHER_ACCOUNT = "999988887777"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz"
API_KEY = "ABSK" + "QmVkcm9ja0FQSUtleS1h" * 3 + "=="
TOKEN = "eyToken-abcdefghijklmnop0123456789"

# What is written; what may stand in its place; what must be gone.
SECRETS: dict[str, tuple[str, str, str]] = {
    "a SigV4 authorization": (
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20240101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=ab12",
        f"AWS4-HMAC-SHA256 {REDACTED}",
        "ab12",
    ),
    "a SigV4a authorization": (
        f"AWS4-ECDSA-P256-SHA256 Credential={KEY_ID}/20240101/bedrock/aws4_request,X-Amz-Region-Set=*,Signature=ab12",
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
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=0123456789abcdef0123&a=1",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={REDACTED}&a=1",
        "0123456789abcdef0123",
    ),
    "an older presigned URL": (
        "https://b.s3.amazonaws.com/k?Signature=0123456789abcdef0123%3D",
        f"https://b.s3.amazonaws.com/k?Signature={REDACTED}",
        "0123456789abcdef0123",
    ),
    "a URL in a URL": (
        "/go?to=https%3A%2F%2Fb%3FX-Amz-Security-Token%3D0123456789abcdef0123",
        f"/go?to=https%3A%2F%2Fb%3FX-Amz-Security-Token%3D{REDACTED}",
        "0123456789abcdef0123",
    ),
    "a bearer token": (f"Bearer {TOKEN}", f"Bearer {REDACTED}", TOKEN),
    "a Bedrock API key": (API_KEY, REDACTED, API_KEY),
    "a short-term Bedrock API key": (f"bedrock-api-key-{TOKEN}", REDACTED, TOKEN),
    "a secret access key": (f"aws_secret_access_key = {SECRET}", f"aws_secret_access_key = {REDACTED}", SECRET),
    "a secret access key in words": (f"Secret access key: {SECRET}", f"Secret access key: {REDACTED}", SECRET),
    "a session token": (f"AWS_SESSION_TOKEN={SECRET}{SECRET}", f"AWS_SESSION_TOKEN={REDACTED}", SECRET),
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


# -- places --------------------------------------------------------------------------------------------------------------

ARN = f"arn:aws:bedrock:us-east-1:{OTHER_ACCOUNT}:inference-profile/x"
INNER = json.dumps({"text": ARN}).encode()
SSE = (b'data: {"a":"%b"}\n\n' % ARN.encode(), b"event: a\ndata: %b\n\n" % ARN.encode())


def answered(body: Body | Events) -> Interaction:
    plain = some.small()
    return replace(plain, response=replace(plain.response, body=body))


def at(path: str, model: str) -> Interaction:
    return replace(some.small(), model=model, request=replace(some.small().request, path=path))


def of_event(payload: bytes, *, framed: bool = True) -> Interaction:
    headers = event_headers("chunk") if framed else ()
    return answered(Events.of([Event(0, headers, payload, bodies.event_form(payload, framed=framed))], padded=framed))


def asked(data: bytes, path: str = "/model/a.b/converse") -> Interaction:
    plain = some.small(path)
    return replace(plain, request=replace(plain.request, body=bodies.body_of(data)))


def in_base64(name: str, data: bytes) -> bytes:
    return bodies.compact({"input": {"x": {name: b64encode(data).decode()}}})


PLACES: dict[str, Interaction] = {
    "the path": at(f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse", ARN),
    "the query": at(f"/model/a.b/converse?x={ARN}", "a.b"),
    "a request's header": replace(some.small(), request=replace(some.small().request, headers=(("x-a", ARN),))),
    "a response's header": replace(some.small(), response=replace(some.small().response, headers=(("x-a", ARN),))),
    "a request's json": asked(INNER),
    "a request's text": asked(b"hello " + ARN.encode()),
    "CountTokens' inner body": asked(in_base64("body", INNER), "/model/a.b/count-tokens"),
    "a document in a request": asked(in_base64("bytes", ARN.encode())),
    "a document in a document": asked(in_base64("body", in_base64("data", ARN.encode())), "/model/a.b/count-tokens"),
    "base64 with blanks around its colon": asked(in_base64("bytes", ARN.encode()).replace(b":", b" : ")),
    "a response's json": answered(bodies.body_of(bodies.compact({"text": ARN}))),
    "a response's text": answered(bodies.body_of(INNER)),
    "a json event": of_event(bodies.compact({"text": ARN})),
    "an opened chunk": of_event(bodies.seal_chunk({"text": ARN})),
    "a chunk of text": of_event(in_base64("bytes", b"not JSON " + ARN.encode())),
    "an agent's chunk": of_event(in_base64("bytes", INNER)),
    "a text event": of_event(b"not JSON " + ARN.encode()),
    "an event's header": answered(Events.of([Event(0, ((":event-type", ARN),), b"{}", "json")], padded=False)),
    "a data line": of_event(SSE[0], framed=False),
    "a server-sent text": of_event(SSE[1], framed=False),
}


def everything(interaction: Interaction) -> str:
    """All that is in the interaction, base64 opened, as text."""
    return repr(interaction) + repr([[*scrub_module._texts(data)] for _, data in scrub_module._places(interaction)])


def plain(path: str) -> str:
    return path.replace("%3A", ":").replace("%2F", "/")


@pytest.mark.parametrize("interaction", PLACES.values(), ids=PLACES)
def test_secrets_go_wherever_they_stand(interaction: Interaction) -> None:
    assert OTHER_ACCOUNT in plain(everything(interaction))
    assert {finding.kind for finding in scan(interaction)} == {"an account id in an ARN"}
    clean = scrub_interaction(interaction)
    assert OTHER_ACCOUNT not in everything(clean)
    assert ACCOUNT in everything(clean)
    assert scan(clean) == []
    assert scrub_interaction(clean) == clean
    with TemporaryDirectory() as folder:
        (path,) = folders.write(Path(folder), Cassette("a", (interaction,)))
        assert OTHER_ACCOUNT not in path.read_text()
        assert store.read([Path(folder)])[0].interactions == (clean,)


def test_forms_survive_scrubbing() -> None:
    for name in (
        "a request's json",
        "a json event",
        "an opened chunk",
        "a data line",
        "a server-sent text",
        "a text event",
    ):
        before, after = PLACES[name], scrub_interaction(PLACES[name])
        assert forms(before) == forms(after), name


def forms(interaction: Interaction) -> list[str]:
    body = interaction.response.body
    return [interaction.request.body.form, *([body.form] if isinstance(body, Body) else [e.form for e in body.events])]


SECRET_HEADERS = ["Authorization", "Proxy-Authorization", "X-Amz-Security-Token", "x-api-key", "Api-Key", "Cookie"]
SECRET_HEADERS += [
    "set-cookie",
    "x-bedtape-control-token",
    "X-Portkey-Api-Key",
    "x-vault-token",
    "x-client-secret",
    "apikey",
]


@pytest.mark.parametrize("name", SECRET_HEADERS)
def test_secret_headers_lose_their_value_whatever_it_is(name: str) -> None:
    assert is_secret_header(name)
    interaction = replace(some.small(), request=replace(some.small().request, headers=((name, "hunter2"),)))
    assert scan(interaction) == [Finding("a secret header", f"request.headers.{name}")]
    clean = scrub_interaction(interaction)
    assert clean.request.headers == ((name, REDACTED),)
    assert scan(clean) == []


@pytest.mark.parametrize(
    "name",
    ["x-amzn-bedrock-input-token-count", "content-type", "x-tokens", "access-control-allow-credentials", "cookies"],
)
def test_other_headers_keep_theirs(name: str) -> None:
    assert not is_secret_header(name)


# -- what is refused -----------------------------------------------------------------------------------------------------

REFUSED = {
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "a Slack token": "xoxb-" + "1234567890-" * 2,
    "an OpenAI or Anthropic key": "sk-ant-" + "api03-" * 6,
    "a Google API key": "AIza" + "Sy12_" * 7,
    "a Stripe key": "sk_live_" + "a1b2" * 5,
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xyz.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
}


@pytest.mark.parametrize(("kind", "secret"), REFUSED.items(), ids=REFUSED)
def test_others_secrets_are_found_wherever_they_stand(kind: str, secret: str) -> None:
    for before in BEFORE:
        spelt = json.dumps({"text": before + secret}).encode()
        for interaction in (
            asked(spelt),
            answered(bodies.body_of(spelt)),
            asked(in_base64("bytes", spelt)),
            of_event(in_base64("bytes", spelt)),
            of_event(bodies.seal_chunk(bodies.parse(spelt))),
            of_event(b"data: " + spelt + b"\n\n", framed=False),
        ):
            assert [finding.kind for finding in scan(scrub_interaction(interaction))] == [kind], before
    assert [f.kind for f in scan(some.small(f"/model/a/converse?x=%20{secret}"))] == [kind]


def test_bytes_that_cannot_be_scrubbed_are_refused() -> None:
    for interaction in (
        asked(b"\xff " + ARN.encode()),
        answered(bodies.body_of(b"\xff " + ARN.encode())),
        of_event(b"\xff " + ARN.encode()),
    ):
        clean = scrub_interaction(interaction)
        assert clean == interaction
        assert [finding.kind for finding in scan(clean)] == ["an account id in an ARN"]
        with TemporaryDirectory() as folder, pytest.raises(SecretFound):
            folders.write(Path(folder), Cassette("a", (interaction,)))


# -- one's own patterns --------------------------------------------------------------------------------------------------


def test_own_patterns_go_everywhere() -> None:
    mine = Redaction((re.compile(r"hunter\d"),))
    interaction = some.small("/model/a.b/converse?x=hunter2", text="hunter2", answer="hunter3")
    interaction = replace(interaction, response=replace(interaction.response, headers=(("x-a", "hunter4"),)))
    clean = scrub_interaction(interaction, mine)
    assert "hunter" not in everything(clean)
    assert everything(clean).count(REDACTED) >= 4
    assert forms(clean) == forms(interaction)


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
def test_own_patterns_may_break_anything_but_the_cassette(pattern: str, path: str, payload: bytes) -> None:
    mine = Redaction((re.compile(pattern, re.DOTALL),))
    plain_ = some.small(path)
    for interaction in (
        replace(plain_, request=replace(plain_.request, body=bodies.body_of(payload))),
        answered(bodies.body_of(payload)),
        of_event(payload),
        of_event(bodies.seal_chunk(bodies.parse(payload))),
        of_event(b"data: " + payload + b"\n\n", framed=False),
    ):
        clean = scrub_interaction(interaction, mine)
        with TemporaryDirectory() as folder:
            if not is_path(clean.request.path):
                with pytest.raises(CassetteInvalid, match="a percent-encoded path"):
                    folders.write(Path(folder), Cassette("a", (interaction,)), redaction=mine)
                continue
            folders.write(Path(folder), Cassette("a", (interaction,)), redaction=mine)
            assert store.read([Path(folder)])[0].interactions == (clean,)


# -- by chance -----------------------------------------------------------------------------------------------------------

GONE = [(secret, gone) for secret, _, gone in SECRETS.values()]


def paths_of(value: JsonValue, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    match value:
        case dict():
            return [p for key, member in value.items() for p in paths_of(member, (*path, key))] or [path]
        case list():
            return [p for number, member in enumerate(value) for p in paths_of(member, (*path, number))] or [path]
    return [path]


def planted(value: JsonValue, path: tuple[str | int, ...], secret: str) -> JsonValue:
    if not path:
        return secret
    match value:
        case dict():
            return {
                key: planted(member, path[1:], secret) if key == path[0] else member for key, member in value.items()
            }
        case list():
            return [planted(member, path[1:], secret) if n == path[0] else member for n, member in enumerate(value)]
    return secret


@quick
@given(some.json_objects, st.sampled_from(GONE), some.texts, some.texts, st.data())
def test_no_secret_that_is_planted_is_written(
    value: dict[str, JsonValue], secret: tuple[str, str], before: str, after: str, data: st.DataObject
) -> None:
    text, gone = secret
    if before[-1:].isalnum() or before[-1:] in "_%\\":
        before += " "  # else it is a part of a word, which is none
    where = data.draw(st.sampled_from(paths_of(value)))
    document = planted(value, where, f"{before}{text} {after}")
    place = data.draw(st.sampled_from([*MAKERS]))
    with TemporaryDirectory() as folder:
        folders.write(Path(folder), Cassette("a", (MAKERS[place](document),)))
        for path in Path(folder).rglob("*.yaml"):
            assert gone not in path.read_text(), place
        (clean,) = store.read([Path(folder)])[0].interactions
        assert gone not in everything(clean)


MAKERS: dict[str, Callable[[JsonValue], Interaction]] = {
    "request": lambda value: asked(bodies.compact(value)),
    "spaced request": lambda value: asked(json.dumps(value, indent=2).encode()),
    "document": lambda value: asked(in_base64("bytes", json.dumps(value).encode())),
    "response": lambda value: answered(bodies.body_of(bodies.compact(value))),
    "event": lambda value: of_event(bodies.compact(value)),
    "chunk": lambda value: of_event(bodies.seal_chunk(value)),
    "data": lambda value: of_event(bodies.seal_data(value), framed=False),
}


@quick
@given(some.json_values, st.lists(st.sampled_from(GONE), max_size=2), st.data())
def test_scrubbed_json_is_json_of_the_same_structure(
    value: JsonValue, secrets: list[tuple[str, str]], data: st.DataObject
) -> None:
    for secret, _ in secrets:
        value = planted(value, data.draw(st.sampled_from(paths_of(value))), secret)
    for spelt in (bodies.compact(value), json.dumps(value).encode(), json.dumps(value, indent=1).encode()):
        clean = scrub_body(spelt)
        assert paths_of(json.loads(clean)) == paths_of(value)
        assert scrub_body(clean) == clean


_WORDS = ["arn", ":", "%3A", "%3a", "aws", "-cn", "bedrock", OTHER_ACCOUNT, "AKIA", "ASIA", "ABSK", "Z" * 16, "a" * 40]
_WORDS += ["AWS4-HMAC-SHA256 ", "Credential=", "X-Amz-", "x-amz-", "Signature", "Security-Token", "=", "%3D", "\\u003d"]
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
    "key",
]
_WORDS += [
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
    "\n",
]


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(_WORDS), max_size=14).map("".join))
def test_whatever_a_pattern_matches_is_hinted_at(text: str) -> None:
    data = text.encode()
    for kind in scrub_module.SCRUBS:
        assert kind.hinted(data.lower()) or not kind.pattern.search(data), kind.name
    once = scrub(data)
    assert scrub(once) == once


@each_secret
def test_every_secret_is_hinted_at_in_any_case(secret: str, clean: str, gone: str) -> None:
    for data in (secret.encode(), secret.upper().encode(), secret.lower().encode(), secret.title().encode()):
        for kind in scrub_module.SCRUBS:
            assert kind.hinted(data.lower()) or not kind.pattern.search(data), kind.name


def test_the_words_by_chance_do_match_every_pattern() -> None:
    """Or else the property above would say nothing."""
    secrets = [secret.encode() for secret, _, _ in SECRETS.values()]
    assert all(any(kind.pattern.search(secret) for secret in secrets) for kind in scrub_module.SCRUBS)


# -- the corpus ----------------------------------------------------------------------------------------------------------


@pytest.mark.corpus
@needs_corpus
def test_the_corpus_has_no_false_positives() -> None:
    """Whatever changes in it is an account id in an ARN; and nothing is left to find."""
    for row in every():
        assert scan(row.interaction(exact=True)) == [], row  # with every header
        for data in (row.request_body, row.response_body):
            clean = scrub_body(data)
            if b"arn:aws" not in data.replace(b"%3A", b":"):
                assert clean == data, row
            assert len(clean) == len(data), row
