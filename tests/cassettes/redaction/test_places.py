"""Every kind in every place: found by the check before a write, by `scan`, and gone
after `redact` and `record`.
"""

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import quote, unquote

import pytest

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import leaves
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, JsonValue
from bedtape_cassettes.redaction import kinds
from bedtape_cassettes.redaction.engine import Search
from bedtape_cassettes.redaction.kinds import REDACTED, SecretKind
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.redaction.walk import scan, scrub_interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites import secrets
from support.capturing import CaptureRun
from support.secret_places import (
    KINDS,
    LONGEST_PIECE,
    PLACES,
    SPELLINGS,
    SPLIT,
    plant,
    with_request,
)

ALL = Search(tuple(kinds.KINDS[name] for name in kinds.NAMES))
T = TypeVar("T")
_BASE64 = re.compile("[A-Za-z0-9+/]{12,}={0,2}")


def texts(text: str, depth: int = 3) -> Iterator[str]:
    """The text, and what its percent-encoding, its escapes and its base64 say."""
    yield text
    yield text.replace("\\", "")
    if depth:
        yield from texts(unquote(text), depth - 1) if unquote(text) != text else ()
        for word in _BASE64.findall(text):
            try:
                inner = b64decode(word + "=" * (-len(word) % 4)).decode()
            except ValueError:
                continue
            yield from texts(inner, depth - 1)


def joined(body: Events) -> Iterator[str]:
    """What the events say together: all of them, and those of each index."""
    texts: dict[object, str] = {}
    for event in body.events:
        for value in _opened(event.payload):
            pairs = list(leaves(value))
            text = "".join(leaf for _, leaf in pairs if isinstance(leaf, str))
            for index in (None, *(leaf for place, leaf in pairs if place and place[-1] == "index")):
                texts[index] = texts.get(index, "") + text
    yield from texts.values()


def _opened(payload: bytes) -> list[JsonValue]:
    """The JSON of an event, or the text of an agent's `bytes`."""
    data = payload.removeprefix(b"data: ").strip()
    try:
        value = bodies.parse(data)
        inner = (
            b64decode(str(value["bytes"])).decode()
            if isinstance(value, dict) and "bytes" in value
            else None
        )
        return (
            [value]
            if inner is None
            else [inner]
            if not inner.startswith('{"')
            else [bodies.parse(inner.encode())]
        )
    except ValueError:
        return []


def holds(interaction: Interaction, gone: str) -> bool:
    """Whether a reader finds it, in any place or in what the events say together."""
    request, response = interaction.request, interaction.response
    parts = [
        request.path,
        repr(request.headers),
        repr(response.headers),
        request.body.data.decode(errors="replace"),
    ]
    if isinstance(response.body, Body):
        parts.append(response.body.data.decode(errors="replace"))
    else:
        parts += [*joined(response.body), repr([event.headers for event in response.body.events])]
        parts += [event.payload.decode(errors="replace") for event in response.body.events]
    return any(gone in text for part in parts for text in texts(part))


def some(wanted: Callable[[SecretKind], bool]) -> tuple[set[str], str, list[str]]:
    """The names of kinds, a text of them all, and what of it must be gone."""
    rows = [
        (name, *row)
        for name, samples in KINDS.items()
        if wanted(kinds.KINDS[name])
        for row in samples
    ]
    return (
        {name for name, _, _ in rows},
        " and ".join(text for _, text, _ in rows),
        [gone for _, _, gone in rows],
    )


def test_every_kind_has_a_sample() -> None:
    assert set(KINDS) == set(kinds.NAMES)


# `make test` takes an eighth of the kinds at each place, another eighth at the next place;
# the slow tests take all.
SHARES = [pytest.param(8, id="an eighth"), pytest.param(1, id="all", marks=pytest.mark.slow)]


def share(rows: Sequence[T], place: str, parts: int) -> Sequence[T]:
    return rows[list(PLACES).index(place) % parts :: parts]


@pytest.mark.parametrize("parts", SHARES)
@pytest.mark.parametrize("place", PLACES)
def test_scan_finds_every_kind_and_redact_replaces_it(place: str, parts: int) -> None:
    chosen = share(kinds.NAMES, place, parts)
    names, text, all_gone = some(lambda kind: kind.name in chosen)
    planted = PLACES[place](text)
    suite = (Cassette("a", (replace(planted, file="a/0001-x.yaml"),)),)
    assert {result.kind for result in secrets.scan(suite, {"a": (0,)}, ALL)} >= names
    clean = secrets.redact_suite(suite, {"a": (0,)}, ALL, secrets.Names())
    for gone in all_gone:
        assert holds(planted, gone)
        assert not holds(clean[0].interactions[0], gone)
    assert secrets.scan(clean, {"a": (0,)}, ALL) == []


SECRET_SPELLINGS = [(kind, one) for kind in kinds.SECRETS for one in SPELLINGS[kind.name]]


def leaks(planted: Interaction, gone: str, redaction: Redaction = ALWAYS) -> list[str]:
    """Where a secret is after it was recorded.

    A model's pieces of it may stand in the journal, each by itself.
    """
    (recorded,), journal = record(planted, redaction)
    clean = scrub_interaction(planted, redaction)
    leaks_by_place = {
        "a written cassette": holds(clean, gone),
        "a recorded cassette": holds(recorded, gone),
    }
    leaks_by_place["the journal"] = len(gone) > LONGEST_PIECE and gone.encode() in journal
    leaks_by_place["what `scan` finds"] = bool(scan(clean) or scan(recorded))
    leaks_by_place["a second replacement"] = scrub_interaction(clean, redaction) != clean
    return [name for name, here in leaks_by_place.items() if here]


def list_leaks(
    place: str, spellings: Sequence[tuple[SecretKind, str]]
) -> list[tuple[str, list[str], str]]:
    random, all_leaks = Random(place), []
    for kind, spelling in spellings:
        text, gone = plant(spelling, random)
        planted = PLACES[place](text)
        assert holds(planted, gone)
        if where := leaks(planted, gone):
            all_leaks.append((kind.name, where, text))
    return all_leaks


@pytest.mark.parametrize("place", PLACES)
def test_no_planted_secret_is_written(place: str) -> None:
    assert list_leaks(place, share(SECRET_SPELLINGS, place, 8)) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_of_ten_thousand_planted_secrets_none_is_written(place: str) -> None:
    rounds = 10_000 // (len(SECRET_SPELLINGS) * len(PLACES)) + 1
    assert list_leaks(place, SECRET_SPELLINGS * rounds) == []


def test_ten_thousand_are_planted() -> None:
    assert len(kinds.SECRETS) >= 35
    assert len(PLACES) >= 24


OWN = {
    "a secret key": "{B40}",
    "a session token": "IQoJb3JpZ2luX2Vj{B400}==",
    "a bearer key": "bedrock-api-key-{A100}",
    "a key with signs": "+{B36}/+/",
}
SPELLED = {
    "as it is": lambda own: f"say {own}.",
    "quoted": lambda own: f"{own!r}",
    "in a word": lambda own: f"prefix{own}suffix",
    "percent-encoded": lambda own: quote(own, safe=""),
    "percent-encoded except slashes": lambda own: quote(own, safe="/"),
    "in base64": lambda own: b64encode(own.encode()).decode(),
    "in base64 after one byte": lambda own: b64encode(b"x" + own.encode()).decode(),
    "in base64 among bytes that are no text": lambda own: b64encode(
        b"\xff\xfe" + own.encode() + b"\x80\x81"
    ).decode(),
    "in base64 for URLs": lambda own: urlsafe_b64encode(b"??" + own.encode() + b"\xff").decode(),
    "in base64 in base64": lambda own: b64encode(b64encode(b"\xff" + own.encode())).decode(),
}


@pytest.mark.parametrize("parts", SHARES)
@pytest.mark.parametrize("place", PLACES)
def test_the_recorder_s_own_credentials_are_taken_out_wherever_they_stand(
    place: str, parts: int
) -> None:
    random = Random(place)
    for template, spell in share(list(product(OWN.values(), SPELLED.values())), place, parts):
        own, middle = plant(f"‹{template}›", random)
        redaction = Redaction(own=frozenset({own}))
        text = spell(own)
        planted = PLACES[place](text)
        (recorded,), journal = record(planted, redaction)
        for interaction in (recorded, scrub_interaction(planted, redaction)):
            assert not holds(interaction, text[len(text) // 4 : len(text) * 3 // 4])
            assert not holds(interaction, middle)
        assert middle.encode() not in journal


@pytest.mark.parametrize("place", PLACES)
def test_what_a_user_names_is_gone_from_recordings_and_journals(place: str) -> None:
    redaction = Redaction((re.compile("Falcon's Nest"), re.compile("(?i)hunter[0-9]+")))
    planted = PLACES[place]("Falcon's Nest and hunter2")
    clean = scrub_interaction(planted, redaction)
    (recorded,), journal = record(planted, redaction)
    for interaction in (clean, recorded):
        assert not holds(interaction, "Falcon's Nest")
        assert not holds(interaction, "hunter2")
        assert holds(interaction, REDACTED)
        assert scrub_interaction(interaction, redaction) == interaction
    if place not in SPLIT:
        assert b"Falcon" not in journal
        assert b"hunter2" not in journal


def record(
    planted: Interaction, redaction: Redaction = ALWAYS
) -> tuple[tuple[Interaction, ...], bytes]:
    """The interaction as `bedtape record --exact` writes it, and the journal."""
    taken = CaptureRun(exact=True, redaction=redaction)
    request, response = planted.request, planted.response
    body = response.body
    data = (
        body.data
        if isinstance(body, Body)
        else b"".join(bodies.wire(e, False, Random(1)) for e in body.events)
    )
    taken.exchange(
        request.path,
        request.body.data,
        data,
        sent=request.headers,
        headers=response.headers,
        cuts=range(0, 9999, 11),
    )
    with TemporaryDirectory() as folder:
        taken.recover(Path(folder) / "cassettes")
        return store.read([Path(folder) / "cassettes"])[0].interactions, taken.data


# -- labels, headers and forms ---------------------------------------------------------------------


@pytest.mark.parametrize("spaced", [None, (",", ":")])
def test_a_member_s_name_is_the_label_of_its_value(spaced: tuple[str, str] | None) -> None:
    secret, account = "wJalrXUtnFEMI\\u002fK7MDENG+bPxRfiCYzzzzzzzzzz", "999988887777"
    spelled = json.dumps(
        {"SecretAccessKey": "S", "x": {"sourceAccountId": account}}, separators=spaced
    )
    clean = scrub_interaction(
        with_request(spelled.replace('"S"', f'"{secret}"').encode())
    ).request.body.data
    assert json.loads(clean) == {
        "SecretAccessKey": REDACTED,
        "x": {"sourceAccountId": kinds.ACCOUNT},
    }
