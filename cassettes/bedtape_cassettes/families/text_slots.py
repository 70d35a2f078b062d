"""Finds the text of an answer in a body or stream, and replaces it.

A new text is split into deltas of the recorded sizes, and the events keep their times and other
members. A shorter text removes deltas. A longer text adds deltas at the recorded pace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from bedtape_cassettes.families.family import METRICS
from bedtape_cassettes.families.members import Members, find_leaves, find_places
from bedtape_cassettes.format.json_values import Place, Plain, at, with_leaf
from bedtape_cassettes.format.json_view import read_event, read_values, replace_value, write_values
from bedtape_cassettes.model import LONGEST_MS, Body, Event, Events, JsonValue


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that holds text: the number of the value, from 0, the place in it, and the text."""

    number: int
    place: Place
    text: str


def slots(values: Sequence[JsonValue | Plain], members: Members) -> list[Slot]:
    """Return the places that hold the answer's text, in reading order."""
    streamed = len(values) > 1
    text_slots = [
        Slot(number, place, text)
        for number, place, text in find_leaves(values, members.text)
        if isinstance(text, str)
        and not _is_other(values[number], members)
        and (
            not members.text_types
            or at(values[number], (*place[:-1], "type")) in members.text_types
        )
        and not (streamed and text.startswith(members.reasoning))
    ]
    return sorted(
        text_slots,
        key=lambda slot: (slot.number, [part for part in slot.place if isinstance(part, int)]),
    )


def _is_other(value: JsonValue | Plain, members: Members) -> bool:
    """Whether the value belongs to a generation other than the first."""
    return any(at(value, place) for place in find_places(value, members.generation))


def split_like(text: str, pieces: Sequence[str]) -> list[str]:
    """Split the text into pieces of the same lengths. The last non-empty piece gets the rest."""
    last = max((number for number, piece in enumerate(pieces) if piece), default=len(pieces) - 1)
    pieces_of_text, start = [], 0
    for number, piece in enumerate(pieces):
        end = len(text) if number == last else start + len(piece)
        pieces_of_text.append(text[start:end])
        start = min(end, len(text))
    return pieces_of_text


# -- whole texts -----------------------------------------------------------------------------------


def with_text(body: Body | Events, members: Members, old: str, new: str) -> Body | Events | None:
    """Replace the answer's text `old` by `new`.

    Returns None if the body's text does not end with `old`.

    Text before `old` in the same places (reasoning between tags) stays. Members that repeat
    the whole text change too.
    """
    values = read_values(body)
    places = slots(values, members)
    joined = "".join(slot.text for slot in places)
    if not places or not joined.endswith(old):
        return None
    if old:
        values = [_with_copies(value, members, old, new) for value in values]
    whole = joined[: len(joined) - len(old)] + new
    if isinstance(body, Body):
        for slot, piece in zip(
            places, split_like(whole, [slot.text for slot in places]), strict=True
        ):
            values[0] = with_leaf(values[0], slot.place, piece)
        return write_values(body, values)
    fixed = write_values(body, values)
    assert isinstance(fixed, Events)
    return _Stream(fixed, members, places).with_text(whole)


def _with_copies(
    value: JsonValue | Plain, members: Members, old: str, new: str
) -> JsonValue | Plain:
    """The value with the new text in members that repeat the old one, as in Cohere's last event."""
    for place in list(find_places(value, members.copies)):
        if at(value, place) == old:
            value = with_leaf(value, place, new)
    return value


# -- streams ---------------------------------------------------------------------------------------


class _Stream:
    """The events of a stream, and the deltas that may be removed or repeated (`plain`)."""

    def __init__(self, body: Events, members: Members, text_slots: Sequence[Slot]) -> None:
        self.body = body
        self.members = members
        self.slots = text_slots
        self.values = read_values(body)
        self.single = self._single_blocks()
        rests = Counter(self._rest(slot) for slot in text_slots)
        usual = rests.most_common(1)[0][0]
        self.plain = [
            self._rest(slot) == usual and not self._ends(slot.number) for slot in text_slots
        ]

    def _rest(self, slot: Slot) -> str:
        """The event without text and numbers, equal for deltas that may be removed or repeated."""
        return repr((slot.place, _blank(with_leaf(self.values[slot.number], slot.place, ""))))

    def _ends(self, number: int) -> bool:
        """Whether the event has the stop reason or the metrics, which a stream contains once."""
        stops = find_leaves([self.values[number]], self.members.stop)
        return at(self.values[number], (METRICS,)) is not None or any(
            stop is not None for _, _, stop in stops
        )

    def _block(self, number: int) -> JsonValue:
        return next(
            (block for _, _, block in find_leaves([self.values[number]], self.members.block)), None
        )

    def _single_blocks(self) -> bool:
        """Whether each delta is a block of its own with its own end, as in Nova's streams."""
        return len(self.slots) > 1 and all(
            (self._block(slot.number),)
            == tuple(
                end
                for _, _, end in find_leaves(
                    self.values[slot.number + 1 :][:1], self.members.block_end
                )
            )
            for slot in self.slots
        )

    def with_text(self, text: str) -> Events:
        pieces = [slot.text for slot in self.slots]
        template = max(
            (n for n, plain in enumerate(self.plain) if plain and pieces[n]), default=None
        )
        size = sum(map(len, pieces))
        extra: list[str] = []
        if template is not None and len(text) > size:
            start = sum(map(len, pieces[: template + 1]))
            middle = text[start : start + len(text) - size]
            text = text[:start] + text[start + len(middle) :]
            extra = list(_pieces(middle, [p for n, p in enumerate(pieces) if p and self.plain[n]]))
        texts = split_like(text, pieces)
        removable = self._find_removable(texts)
        return self._build_events(texts, removable, template, extra)

    def _find_removable(self, texts: Sequence[str]) -> set[int]:
        """Find the slots that became empty. The first slot of each block stays."""
        kept: set[str] = set()
        removable = set()
        for number, slot in enumerate(self.slots):
            block = "" if self.single else repr(self._block(slot.number))
            first = block not in kept
            kept.add(block)
            if slot.text and not texts[number] and self.plain[number] and not first:
                removable.add(number)
        return removable

    def _build_events(
        self, texts: Sequence[str], removable: set[int], template: int | None, extra: Sequence[str]
    ) -> Events:
        by_number: dict[int, list[int]] = {}
        for n, slot in enumerate(self.slots):
            by_number.setdefault(slot.number, []).append(n)
        events: list[Event] = []
        now, before = 0, 0
        units = 2 if self.single else 1
        skipped = 0
        for number, event in enumerate(self.body.events):
            gap, before = event.at_ms - before, event.at_ms
            mine = by_number.get(number, [])
            if skipped or (mine and all(n in removable for n in mine)):
                skipped = skipped - 1 if skipped else units - 1
                continue
            now += gap
            value = self.values[number]
            for n in mine:
                value = with_leaf(value, self.slots[n].place, texts[n])
            events.append(replace(replace_value(event, value), at_ms=min(now, LONGEST_MS)))
            if template is not None and extra and number == self.slots[template].number + units - 1:
                now = self._repeat(events, template, extra, now)
        events = self._renumber_blocks(events) if self.single else events
        if self.members.sequence:
            events = [self._renumber(event, number) for number, event in enumerate(events)]
        return Events.of(events, padded=self.body.padded)

    def _repeat(self, events: list[Event], template: int, extra: Sequence[str], now: int) -> int:
        """Append one copy of the template's delta per piece, at the recorded pace.

        Returns the time of the last copy.
        """
        slot = self.slots[template]
        first, last = self.body.events[self.slots[0].number], self.body.events[slot.number]
        pace = max(0, (last.at_ms - first.at_ms) // template) if template else 0
        unit = self.body.events[slot.number : slot.number + (2 if self.single else 1)]
        for count, piece in enumerate(extra, 1):
            now += pace
            for event in unit:
                value = read_event(event)
                if event is unit[0]:
                    value = with_leaf(value, slot.place, piece)
                if self.single:
                    value = self._with_block(value, _NEW + count)
                events.append(replace(replace_value(event, value), at_ms=min(now, LONGEST_MS)))
        return now

    def _with_block(self, value: JsonValue | Plain, index: int) -> JsonValue | Plain:
        for place in find_places(value, self.members.block):
            return with_leaf(value, place, index)
        return value

    def _renumber(self, event: Event, number: int) -> Event:
        value = read_event(event)
        for place in list(find_places(value, self.members.sequence)):
            value = with_leaf(value, place, number)
        return replace_value(event, value)

    def _renumber_blocks(self, events: Sequence[Event]) -> list[Event]:
        """Number the blocks from 0, in the order of the events."""
        order: dict[str, int] = {}
        renumbered = []
        for event in events:
            value = read_event(event)
            for _, _, block in find_leaves([value], self.members.block):
                value = self._with_block(value, order.setdefault(repr(block), len(order)))
            renumbered.append(replace_value(event, value))
        return renumbered


_NEW = 1_000_000  # larger than any recorded block number, so that repeated blocks do not collide


def _pieces(text: str, like: Sequence[str]) -> Iterator[str]:
    """Split the text into pieces whose lengths repeat the lengths of `like`."""
    start = count = 0
    while start < len(text):
        size = len(like[count % len(like)])
        yield text[start : start + size]
        start, count = start + size, count + 1


def _blank(value: JsonValue | Plain) -> JsonValue:
    """The value without numbers, and without random padding, which differs in each event."""
    match value:
        case Plain():
            return None
        case dict():
            return {
                key: _blank(member)
                for key, member in value.items()
                if key not in ("p", "obfuscation")
            }
        case list():
            return [_blank(member) for member in value]
        case bool() | str() | None:
            return deepcopy(value)
    return 0
