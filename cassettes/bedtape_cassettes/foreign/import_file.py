"""Imports a foreign file: its interactions, its rules, its skipped entries and its doubts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bedtape_cassettes.foreign.exchange import Exchange, Rule, Skipped, Unusable
from bedtape_cassettes.foreign.import_formats import read
from bedtape_cassettes.foreign.to_interaction import Doubt, convert
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub_text

_DOUBTS: dict[Doubt, str] = {
    "rewritten": "re-encoded by their recorder: the JSON is as it was, its bytes need not be",
    "edited": "of a length other than their Content-Length: edited after recording",
}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import. doubts: places, from 1, of answers that may differ from what Bedrock sent."""

    format: str
    interactions: tuple[Interaction, ...]
    rules: tuple[Rule, ...]
    skipped: tuple[Skipped, ...]
    doubts: tuple[tuple[int, Doubt], ...]

    @property
    def is_damaged(self) -> bool:
        """Whether a damaged entry was skipped."""
        return any(skipped.damaged for skipped in self.skipped)

    def remarks(self) -> Iterator[str]:
        """Yields a line for each reason and doubt, with the numbers of its entries. Secrets are scrubbed."""
        yield from map(scrub_text, self._remarks())

    def _remarks(self) -> Iterator[str]:
        for reason, entries in _group((skipped.reason, skipped.number) for skipped in self.skipped):
            yield f"skipped {_render_numbers(entries)}: {reason}"
        for doubt, places in _group((_DOUBTS[doubt], place) for place, doubt in self.doubts):
            yield f"{_render_numbers(places, 'answer')} {'are' if len(places) > 1 else 'is'} {doubt}"
        notes = ((note, place) for place, rule in enumerate(self.rules, 1) for note in rule.notes)
        for note, places in _group(notes):
            yield f"{_render_numbers(places, 'rule')}: {note}"


def import_file(data: bytes, wanted: str | None = None, redaction: Redaction = ALWAYS) -> ImportResult:
    """Imports a file. wanted: its format; `None` detects the format. Raises ForeignInvalid."""
    reading = read(data, wanted)
    interactions: list[Interaction] = []
    skipped: list[Skipped] = []
    doubts: list[tuple[int, Doubt]] = []
    for place, found in enumerate(reading.found, 1):
        match found:
            case Skipped():
                skipped.append(found)
            case Exchange():
                try:
                    conversion = convert(found, redaction)
                except Unusable as error:
                    skipped.append(Skipped(place, str(error), damaged=not error.foreign))
                    continue
                interactions.append(conversion.interaction)
                if conversion.doubt:
                    doubts.append((len(interactions), conversion.doubt))
    rules = tuple(found for found in reading.found if isinstance(found, Rule))
    return ImportResult(reading.format, tuple(interactions), rules, tuple(skipped), tuple(doubts))


def _group(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = defaultdict(list)
    for reason, place in pairs:
        found[reason].append(place)
    return list(found.items())


def _render_numbers(places: list[int], kind: str = "entry") -> str:
    plural = {"entry": "entries"}.get(kind, f"{kind}s")
    return f"{plural if len(places) > 1 else kind} {', '.join(map(str, places))}"
