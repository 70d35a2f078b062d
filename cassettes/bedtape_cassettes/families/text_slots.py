"""Where an answer's text stands in a body or a stream, and another text put there, cut as the model cut the recorded one.

Sizes, times and whatever else the events say stay; deltas go where the text is shorter, and come at the recorded pace
where it is longer. Pure; it knows members' names, and no family by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from bedtape_cassettes.families.family import METRICS
from bedtape_cassettes.format.json_values import Place, Plain, at, leaves, with_leaf
from bedtape_cassettes.format.json_view import event_with, opened, sealed, value_in
from bedtape_cassettes.model import LONGEST_MS, Body, Event, Events, JsonValue

__all__ = ["STOP_MEMBERS", "Slot", "cut", "slots", "with_text"]

# Where families say their text; `*` is any item of a list. Of several generations the first is the answer.
_PATHS: tuple[Place, ...] = (
    ("output", "message", "content", "*", "text"),
    ("output", "message", "content", "*", "citationsContent", "content", "*", "text"),
    ("content", "*", "text"),
    ("completion",),
    ("generation",),
    ("outputs", 0, "text"),
    ("choices", 0, "message", "content"),
    ("choices", 0, "delta", "content"),
    ("choices", 0, "text"),
    ("results", 0, "outputText"),
    ("outputText",),
    ("generations", 0, "text"),
    ("completions", 0, "data", "text"),
    ("contentBlockDelta", "delta", "text"),
    ("delta", "text"),
    ("text",),
    ("message",),
)
# Where families say why an answer ended.
STOP_MEMBERS = frozenset({"stopReason", "stop_reason", "finish_reason", "finishReason", "completionReason"})
_REASONING = "<reasoning>"  # OpenAI's models think in deltas of their own


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for text: in which value (from 0), where in it, and what it says."""

    number: int
    place: Place
    text: str


def slots(values: Sequence[JsonValue | Plain]) -> list[Slot]:
    """Every place for the answer's text, in the order in which it is read."""
    found = [
        Slot(number, place, text)
        for number, value in enumerate(values)
        if not _is_other(value)
        for path in _PATHS
        for place in _expanded(value, path)
        if isinstance(text := at(value, place), str) and not (len(values) > 1 and text.startswith(_REASONING))
    ]
    return sorted(found, key=lambda slot: (slot.number, [part for part in slot.place if isinstance(part, int)]))


def _is_other(value: JsonValue | Plain) -> bool:
    """Whether it is of another generation than the first."""
    if at(value, ("is_finished",)) is not None:
        return bool(at(value, ("index",)))
    return bool(at(value, ("choices", 0, "index")))


def _expanded(value: JsonValue | Plain, path: Place, done: Place = ()) -> Iterator[Place]:
    if "*" not in path:
        yield (*done, *path)
        return
    star = path.index("*")
    items = at(value, (*done, *path[:star]))
    for index in range(len(items) if isinstance(items, list) else 0):
        yield from _expanded(value, path[star + 1 :], (*done, *path[:star], index))


def cut(text: str, pieces: Sequence[str]) -> list[str]:
    """The text in as many pieces, each as long as its counterpart; the last that is not empty has what is over."""
    last = max((number for number, piece in enumerate(pieces) if piece), default=len(pieces) - 1)
    found, start = [], 0
    for number, piece in enumerate(pieces):
        end = len(text) if number == last else start + len(piece)
        found.append(text[start:end])
        start = min(end, len(text))
    return found


# -- whole texts -----------------------------------------------------------------------------------------------


def with_text(body: Body | Events, old: str, new: str) -> Body | Events | None:
    """The body that says `new` where it says `old`, its answer's text; None where it does not say that.

    What comes before the text in the same places (reasoning between tags) stays; members elsewhere that repeat the
    whole text are changed too.
    """
    values = opened(body)
    found = slots(values)
    joined = "".join(slot.text for slot in found)
    if not found or not joined.endswith(old):
        return None
    values = [_repeated(value, n, found, old, new) for n, value in enumerate(values)]
    whole = joined[: len(joined) - len(old)] + new
    if isinstance(body, Body):
        for slot, piece in zip(found, cut(whole, [slot.text for slot in found]), strict=True):
            values[0] = with_leaf(values[0], slot.place, piece)
        return sealed(body, values)
    rewritten = sealed(body, values)
    assert isinstance(rewritten, Events)
    return _Stream(rewritten, found).saying(whole)


def _repeated(value: JsonValue | Plain, number: int, found: Sequence[Slot], old: str, new: str) -> JsonValue | Plain:
    """The value where another member says the whole text again: Cohere's last event does."""
    own = {slot.place for slot in found if slot.number == number}
    for place in list(_texts(value)) if old else ():
        if place not in own and at(value, place) == old:
            value = with_leaf(value, place, new)
    return value


def _texts(value: JsonValue | Plain, place: Place = ()) -> Iterator[Place]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        if key in ("text", "message", "content") and isinstance(member, str):
            yield (*place, key)
        yield from _texts(member, (*place, key))


# -- streams ---------------------------------------------------------------------------------------------------


class _Stream:
    """The events of a stream, and which of them are deltas that may go and be repeated."""

    def __init__(self, body: Events, found: Sequence[Slot]) -> None:
        self.body = body
        self.slots = found
        self.values = opened(body)
        self.single = self._single_blocks()
        rests = Counter(self._rest(slot) for slot in found)
        usual = rests.most_common(1)[0][0]
        self.plain = [self._rest(slot) == usual and not _ends(self.values[slot.number]) for slot in found]

    def _rest(self, slot: Slot) -> str:
        """What the event says besides its text and numbers: deltas that may go or be repeated say the same."""
        return repr((slot.place, _blank(with_leaf(self.values[slot.number], slot.place, ""))))

    def _block(self, number: int) -> int | None:
        value = self.values[number]
        for place in (("contentBlockIndex",), ("contentBlockDelta", "contentBlockIndex"), ("index",)):
            if isinstance(index := at(value, place), int):
                return index
        return None

    def _single_blocks(self) -> bool:
        """Whether every delta is a block of its own that ends after it, as Nova's are."""
        return len(self.slots) > 1 and all(
            slot.number + 1 < len(self.values)
            and at(self.values[slot.number + 1], ("contentBlockStop", "contentBlockIndex")) == self._block(slot.number)
            and self._block(slot.number) is not None
            for slot in self.slots
        )

    def saying(self, text: str) -> Events:
        pieces = [slot.text for slot in self.slots]
        template = max((n for n, plain in enumerate(self.plain) if plain and pieces[n]), default=None)
        size = sum(map(len, pieces))
        extra: list[str] = []
        if template is not None and len(text) > size:
            start = sum(map(len, pieces[: template + 1]))
            middle = text[start : start + len(text) - size]
            text = text[:start] + text[start + len(middle) :]
            extra = list(_pieces(middle, [p for n, p in enumerate(pieces) if p and self.plain[n]]))
        texts = cut(text, pieces)
        gone = self._gone(texts)
        return self._made(texts, gone, template, extra)

    def _gone(self, texts: Sequence[str]) -> set[int]:
        """The slots that are no longer needed: empty ones that were not, but for the first of each block."""
        kept: set[int | None] = set()
        gone = set()
        for number, slot in enumerate(self.slots):
            block = None if self.single else self._block(slot.number)
            first = block not in kept
            kept.add(block)
            if slot.text and not texts[number] and self.plain[number] and not first:
                gone.add(number)
        return gone

    def _made(self, texts: Sequence[str], gone: set[int], template: int | None, extra: Sequence[str]) -> Events:
        by_number: dict[int, list[int]] = {}
        for n, slot in enumerate(self.slots):
            by_number.setdefault(slot.number, []).append(n)
        made: list[Event] = []
        now, before = 0, 0
        units = 2 if self.single else 1
        skipped = 0
        for number, event in enumerate(self.body.events):
            gap, before = event.at_ms - before, event.at_ms
            mine = by_number.get(number, [])
            if skipped or (mine and all(n in gone for n in mine)):
                skipped = skipped - 1 if skipped else units - 1
                continue
            now += gap
            value = self.values[number]
            for n in mine:
                value = with_leaf(value, self.slots[n].place, texts[n])
            made.append(replace(event_with(event, value), at_ms=min(now, LONGEST_MS)))
            if template is not None and extra and number == self.slots[template].number + units - 1:
                now = self._repeat(made, template, extra, now)
        events = _renumbered(made) if self.single else made
        return Events.of(events, padded=self.body.padded)

    def _repeat(self, made: list[Event], template: int, extra: Sequence[str], now: int) -> int:
        """Adds the template's delta once a piece, at the recorded pace; returns the time of the last."""
        slot = self.slots[template]
        first, last = self.body.events[self.slots[0].number], self.body.events[slot.number]
        pace = max(0, (last.at_ms - first.at_ms) // template) if template else 0
        unit = self.body.events[slot.number : slot.number + (2 if self.single else 1)]
        for count, piece in enumerate(extra, 1):
            now += pace
            for event in unit:
                value = value_in(event)
                if event is unit[0]:
                    value = with_leaf(value, slot.place, piece)
                if self.single:
                    value = _with_block(value, _NEW + count)
                made.append(replace(event_with(event, value), at_ms=min(now, LONGEST_MS)))
        return now


def _ends(value: JsonValue | Plain) -> bool:
    """Whether it says why the answer ended, or what it cost: that is said once."""
    return at(value, (METRICS,)) is not None or any(
        place[-1] in STOP_MEMBERS and leaf is not None for place, leaf in leaves(value) if place
    )


_NEW = 1_000_000  # above every block's index, so that what is repeated has its own


def _with_block(value: JsonValue | Plain, index: int) -> JsonValue | Plain:
    for name in ("contentBlockDelta", "contentBlockStop", "contentBlockStart"):
        if at(value, (name, "contentBlockIndex")) is not None:
            return with_leaf(value, (name, "contentBlockIndex"), index)
    return value


def _renumbered(events: Sequence[Event]) -> list[Event]:
    """Blocks numbered from 0 in the order in which they come."""
    order: dict[JsonValue, int] = {}
    found = []
    for event in events:
        value = value_in(event)
        for name in ("contentBlockDelta", "contentBlockStop", "contentBlockStart"):
            if (index := at(value, (name, "contentBlockIndex"))) is not None:
                value = with_leaf(value, (name, "contentBlockIndex"), order.setdefault(index, len(order)))
        found.append(event_with(event, value))
    return found


def _pieces(text: str, like: Sequence[str]) -> Iterator[str]:
    """The text in pieces as long as those, again and again."""
    start = count = 0
    while start < len(text):
        size = len(like[count % len(like)])
        yield text[start : start + size]
        start, count = start + size, count + 1


def _blank(value: JsonValue | Plain) -> JsonValue:
    """The value without its numbers, and without the padding that varies."""
    match value:
        case Plain():
            return None
        case dict():
            return {key: _blank(member) for key, member in value.items() if key != "p"}
        case list():
            return [_blank(member) for member in value]
        case bool() | str() | None:
            return deepcopy(value)
    return 0
