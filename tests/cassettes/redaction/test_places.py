"""Every kind in every place: found by the check before a write, by `scan`, and gone after `redact` and `record`."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pytest

from bedtape_cassettes.errors import SecretFound
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
from support import folders
from support.capturing import Taken
from support.planted import KINDS, PLACES, SPLIT, with_request

ALL = Search(tuple(kinds.KINDS[name] for name in kinds.NAMES))
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


def joined(body: Events) -> str:
    """What the events say together."""
    values = [value for event in body.events for value in _opened(event.payload)]
    return "".join(leaf for value in values for _, leaf in leaves(value) if isinstance(leaf, str))


def _opened(payload: bytes) -> list[JsonValue]:
    """The JSON of an event, or the text of an agent's `bytes`."""
    data = payload.removeprefix(b"data: ").strip()
    try:
        value = bodies.parse(data)
        inner = b64decode(str(value["bytes"])).decode() if isinstance(value, dict) and "bytes" in value else None
        return (
            [value] if inner is None else [inner] if not inner.startswith('{"delta') else [bodies.parse(inner.encode())]
        )
    except ValueError:
        return []


def holds(interaction: Interaction, gone: str) -> bool:
    """Whether a reader finds it, in any place or in what the events say together."""
    request, response = interaction.request, interaction.response
    parts = [request.path, repr(request.headers), repr(response.headers), request.body.data.decode(errors="replace")]
    if isinstance(response.body, Body):
        parts.append(response.body.data.decode(errors="replace"))
    else:
        parts += [joined(response.body), repr([event.headers for event in response.body.events])]
        parts += [event.payload.decode(errors="replace") for event in response.body.events]
    return any(gone in text for part in parts for text in texts(part))


def some(wanted: Callable[[SecretKind], bool]) -> tuple[set[str], str, list[str]]:
    """The names of kinds, a text of them all, and what of it must be gone."""
    rows = [(name, *row) for name, samples in KINDS.items() if wanted(kinds.KINDS[name]) for row in samples]
    return {name for name, _, _ in rows}, " and ".join(text for _, text, _ in rows), [gone for _, _, gone in rows]


def test_every_kind_has_a_sample() -> None:
    assert set(KINDS) == set(kinds.NAMES)


@pytest.mark.parametrize("place", PLACES)
def test_scan_finds_every_kind_and_redact_replaces_it(place: str) -> None:
    names, text, all_gone = some(lambda kind: True)
    planted = PLACES[place](text)
    suite = (Cassette("a", (replace(planted, file="a/0001-x.yaml"),)),)
    assert {found.kind for found in secrets.scan(suite, {"a": (0,)}, ALL)} == names
    clean = secrets.redact_suite(suite, {"a": (0,)}, ALL, secrets.Names())
    for gone in all_gone:
        assert holds(planted, gone)
        assert not holds(clean[0].interactions[0], gone)
    assert secrets.scan(clean, {"a": (0,)}, ALL) == []


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_written(place: str) -> None:
    names, text, all_gone = some(lambda kind: kind.placeholder is not None)
    planted = PLACES[place](text)
    assert {finding.kind for finding in scan(planted)} == {kinds.KINDS[name].title for name in names}
    clean = scrub_interaction(planted)
    assert not any(holds(clean, gone) for gone in all_gone)
    assert scan(clean) == []
    assert scrub_interaction(clean) == clean
    with TemporaryDirectory() as folder:
        folders.write(Path(folder), Cassette("a", (planted,)))
        assert store.read([Path(folder)])[0].interactions == (clean,)


@pytest.mark.parametrize("place", PLACES)
def test_a_write_is_refused_if_a_secret_has_no_placeholder(place: str) -> None:
    names, text, _ = some(lambda kind: kind.placeholder is None and not kind.personal)
    planted = PLACES[place](text)
    assert {finding.kind for finding in scan(planted)} == {kinds.KINDS[name].title for name in names}
    with TemporaryDirectory() as folder, pytest.raises(SecretFound, match="a GitHub token"):
        folders.write(Path(folder), Cassette("a", (planted,)))


@pytest.mark.parametrize("place", PLACES)
def test_what_is_recorded_holds_no_secret(place: str) -> None:
    """Nor does the journal, except what a model cuts in two."""
    _, text, all_gone = some(lambda kind: kind.placeholder is not None)
    (recorded,), journal = record(PLACES[place](text))
    for gone in all_gone:
        assert not holds(recorded, gone)
        assert place in SPLIT or gone.encode() not in journal


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


def record(planted: Interaction, redaction: Redaction = ALWAYS) -> tuple[tuple[Interaction, ...], bytes]:
    """The interaction as `bedtape record --exact` writes it, and the journal."""
    taken = Taken(exact=True, redaction=redaction)
    request, response = planted.request, planted.response
    body = response.body
    data = body.data if isinstance(body, Body) else b"".join(bodies.wire(e, False, Random(1)) for e in body.events)
    taken.exchange(
        request.path, request.body.data, data, sent=request.headers, headers=response.headers, cuts=range(0, 9999, 11)
    )
    with TemporaryDirectory() as folder:
        taken.recover(Path(folder) / "cassettes")
        return store.read([Path(folder) / "cassettes"])[0].interactions, taken.data


# -- labels, headers and forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spaced", [None, (",", ":")])
def test_a_member_s_name_is_the_label_of_its_value(spaced: tuple[str, str] | None) -> None:
    secret, account = "wJalrXUtnFEMI\\u002fK7MDENG+bPxRfiCYzzzzzzzzzz", "999988887777"
    spelled = json.dumps({"SecretAccessKey": "S", "x": {"sourceAccountId": account}}, separators=spaced)
    clean = scrub_interaction(with_request(spelled.replace('"S"', f'"{secret}"').encode())).request.body.data
    assert json.loads(clean) == {"SecretAccessKey": REDACTED, "x": {"sourceAccountId": kinds.ACCOUNT}}
