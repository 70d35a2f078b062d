"""Everything in a suite that should not be committed, as a list; and the whole suite without it. Pure.

What is found is exactly what would be taken out: both go over the texts in the same way (see `redacting`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.redaction.scrub import REDACTED, is_secret_header
from bedtape_cassettes.redaction.spans import Span, literal, looking
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.redacting import Names, Taking, passed, redacted
from bedtape_cassettes.suites.selector import Picked, numbers

__all__ = ["Found", "scan", "without"]


@dataclass(frozen=True, slots=True)
class Found:
    """Something sensitive. shown: enough of it to recognise it, never all. how: "in base64", "percent-encoded" or ""."""

    cassette: str
    number: int
    file: str
    where: str
    kind: str
    shown: str
    how: str = ""


def _masked(value: str) -> str:
    kept = min(4, len(value) // 4)
    return f"{value[:kept]}… ({len(value)} characters)"


def scan(suite: Suite, picked: Picked, taking: Taking) -> list[Found]:
    """Everything sensitive in what is picked, in order, each once a place."""
    found = [
        one
        for cassette in suite
        for place, number in enumerate(numbers(cassette))
        if place in picked.get(cassette.name, ())
        for one in _scanned(cassette.name, number, cassette.interactions[place], taking)
    ]
    return list(dict.fromkeys(found))


def _scanned(cassette: str, number: int, interaction: Interaction, taking: Taking) -> Iterator[Found]:
    found: list[Found] = []

    def name(kind: str, value: str, how: str, where: str) -> str:
        found.append(Found(cassette, number, interaction.file, where, kind, _masked(value), how))
        return REDACTED

    passed(interaction, taking, name)
    for side, headers in (("request", interaction.request.headers), ("response", interaction.response.headers)):
        for header, value in headers:
            if is_secret_header(header) and value != REDACTED:
                where = f"{side}.headers.{header}"
                yield Found(cassette, number, interaction.file, where, "secret-header", _masked(value))
    yield from found


def without(suite: Suite, picked: Picked, taking: Taking, names: Names) -> Suite:
    """The suite with everything sensitive in what is picked replaced; a value that was found anywhere goes everywhere."""
    chosen = [c.interactions[place] for c in suite for place in picked.get(c.name, ())]

    def learn(kind: str, value: str, _how: str, _where: str) -> str:
        names.learn(kind, value)
        return REDACTED

    for interaction in chosen:
        names.see(_all_text(interaction))
        passed(interaction, taking, learn)
    everywhere = Taking(looking((), (taking.look, literal(names.kinds))), taking.paths)
    return bulk.each(suite, picked, lambda interaction: redacted(interaction, everywhere, names))


def _all_text(interaction: Interaction) -> str:
    """Every text in it, for placeholders to be seen."""
    seen: list[str] = []

    def look(text: str) -> Iterator[Span]:
        seen.append(text)
        return iter(())

    passed(interaction, Taking(look), lambda *_: "")
    return "\n".join(seen)
