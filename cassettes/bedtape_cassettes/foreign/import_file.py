"""Imports a foreign file: its interactions, its rules, its skipped entries and its doubts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bedtape_cassettes.foreign.exchange import Exchange, Rule, SkippedEntry, Unusable, host_of
from bedtape_cassettes.foreign.import_formats import read
from bedtape_cassettes.foreign.to_interaction import Doubt, convert
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, scrub_text
from bedtape_cassettes.redaction.walk import scrub_interaction

_OWN = "Bedrock"
DOUBTS: dict[Doubt, str] = {
    "rewritten": (
        "re-encoded by their recorder, so that the JSON is as it was and its bytes need not be"
    ),
    "edited": "edited after recording, because the length is not the Content-Length",
}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import.

    doubts: places, from 1, of answers that may differ from what Bedrock sent. taken: the number
    of interactions by host.
    """

    format: str
    interactions: tuple[Interaction, ...]
    rules: tuple[Rule, ...]
    skipped: tuple[SkippedEntry, ...]
    doubts: tuple[tuple[int, Doubt], ...]
    taken: Counter[str]

    @property
    def is_damaged(self) -> bool:
        """Whether a damaged entry was skipped."""
        return any(skipped.damaged for skipped in self.skipped)

    @property
    def hosts(self) -> Counter[str]:
        """The number of entries of each other service's host."""
        return Counter(skipped.host for skipped in self.skipped if skipped.host)

    def remarks(self) -> Iterator[str]:
        """Yields a scrubbed line for each reason and note, with the numbers of its entries."""
        yield from map(scrub_text, self._remarks())

    def _remarks(self) -> Iterator[str]:
        for reason, entries in _group(
            (each.reason, each.number) for each in self.skipped if not each.host
        ):
            yield f"skipped {_render_numbers(entries)}: {reason}"
        notes = ((note, place) for place, rule in enumerate(self.rules, 1) for note in rule.notes)
        for note, places in _group(notes):
            yield f"{_render_numbers(places, 'rule')}: {note}"


def import_file(
    data: bytes,
    wanted: str | None = None,
    redaction: Redaction | None = ALWAYS,
    *,
    exact: bool = False,
) -> ImportResult:
    """Imports a file. Raises ForeignInvalid.

    wanted: its format; `None` detects the format. redaction, exact: as for `convert`.
    """
    reading = read(data, wanted)
    interactions: list[Interaction] = []
    skipped: list[SkippedEntry] = []
    doubts: list[tuple[int, Doubt]] = []
    taken: Counter[str] = Counter()
    for place, entry in enumerate(reading.entries, 1):
        match entry:
            case SkippedEntry():
                skipped.append(entry)
            case Interaction():
                interactions.append(
                    entry if redaction is None else scrub_interaction(entry, redaction)
                )
                taken[_OWN] += 1
            case Exchange():
                try:
                    conversion = convert(entry, redaction, exact=exact)
                except Unusable as error:
                    skipped.append(SkippedEntry(place, str(error), not error.foreign, error.host))
                    continue
                interactions.append(conversion.interaction)
                taken[host_of(entry.url)] += 1
                if conversion.doubt:
                    doubts.append((len(interactions), conversion.doubt))
    rules = tuple(entry for entry in reading.entries if isinstance(entry, Rule))
    return ImportResult(
        reading.format, tuple(interactions), rules, tuple(skipped), tuple(doubts), taken
    )


def _group(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    places: dict[str, list[int]] = defaultdict(list)
    for reason, place in pairs:
        places[reason].append(place)
    return list(places.items())


def _render_numbers(places: list[int], kind: str = "entry") -> str:
    plural = {"entry": "entries"}.get(kind, f"{kind}s")
    return f"{plural if len(places) > 1 else kind} {', '.join(map(str, places))}"
