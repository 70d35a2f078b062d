"""Which events of the model follow an event of the client: those of recordings, or those of a rule.

An output turn of a recording belongs to the input event before it, and plays when the client has
come as far: the same events in the same order, and as many events of audio, which is never equal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.models import nova_sonic as sonic
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import map_leaves, remove
from bedtape_cassettes.format.patterns import replace_all
from bedtape_cassettes.matching.key import DEFAULT, PLACEHOLDER, MatchRules
from bedtape_cassettes.model import Event, Events, Interaction, JsonValue, event_headers
from bedtape_replayer.answering.duplex.inputs import InputEvent, InputReader
from bedtape_replayer.answering.steps import Step, build_last_step


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """One frame, due `wait_ms` after the frame before it or after the client's event.

    delay: further seconds, at any pace.
    """

    wait_ms: int
    data: bytes
    delay: float = 0.0


class OutOfTurn(Exception):
    """An event that no recording contains at this place. The message names the expected one."""


class Script(Protocol):
    """The model's side of a conversation."""

    @property
    def file(self) -> str:
        """The recording that is played; empty for a rule."""

    @property
    def began(self) -> bool:
        """Whether a turn was played, so that the recording stays the same."""

    @property
    def complete(self) -> bool:
        """Whether all events of the client came, and all turns were played."""

    @property
    def last(self) -> Step | None:
        """The step that ends the answer early now; `None` if the answer goes on."""

    def receive(self, event: InputEvent) -> list[OutputFrame]:
        """Return what follows an event of the client. Raises OutOfTurn."""

    def interrupt(self) -> list[OutputFrame]:
        """Return what follows an interruption by the user. The rest of the turn is not sent."""

    def end(self) -> list[OutputFrame]:
        """Return what follows the end of the input. Raises OutOfTurn."""


class SilentScript:
    """The script of a conversation that another server holds. Nothing follows an event."""

    file = ""
    began = False
    complete = True
    last: Step | None = None

    def receive(self, event: InputEvent) -> list[OutputFrame]:  # noqa: ARG002 - as every script
        return []

    def interrupt(self) -> list[OutputFrame]:
        return []

    def end(self) -> list[OutputFrame]:
        return []


# -- recordings ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Turn:
    """position: how many events, and how many events of audio after them, precede the turn.
    interrupts: whether it begins with the interruption of the turn before it.
    """

    position: tuple[int, int]
    outputs: tuple[OutputFrame, ...]
    interrupts: bool


# The position after all events.
_END = (sys.maxsize, 0)


class _Recording:
    """A recorded conversation: expected events without audio, and the turns of the model."""

    def __init__(self, interaction: Interaction, rules: MatchRules) -> None:
        recorded = interaction.request.events
        assert recorded is not None
        self.file = interaction.file
        self.expected: list[InputEvent] = []
        reader, times = InputReader(), list[tuple[int, tuple[int, int]]]()
        audio = 0
        for event in recorded.events:
            read = reader.read_value(event.type or "", bodies.read_chunk(event.payload))
            if read.name == "audioInput":
                audio += 1
            else:
                audio = 0
                self.expected.append(read)
            times.append((event.at_ms, (len(self.expected), audio)))
        # what is compared of each expected event
        self.compared = [_pick_compared(event, rules) for event in self.expected]
        self.last = build_last_step(interaction.response.ends)
        body = interaction.response.body
        self.turns = tuple(_group(body, times)) if isinstance(body, Events) else ()

    def is_due(self, position: tuple[int, int]) -> bool:
        """Whether the first turn follows the events of the client up to a position."""
        return not self.turns or self.turns[0].position <= position


def _group(body: Events, times: Sequence[tuple[int, tuple[int, int]]]) -> Iterator[_Turn]:
    """Yield the turns of events. times: of each client's event, and the position after it."""
    chance = Random(0)  # noqa: S311 - of the padding
    turn: _Turn | None = None
    before, over, at = 0, True, 0
    cue, position = 0, (0, 0)
    for event in body.events:
        while at < len(times) and times[at][0] <= event.at_ms:
            cue, position = times[at]
            at += 1
        read = sonic.read_event(bodies.read_chunk(event.payload))
        name, members = read or ("", {})
        interrupts = sonic.is_interruption(name, members)
        if turn is None or interrupts or (over and position != turn.position):
            if turn is not None:
                yield turn
            turn, before = _Turn(position, (), interrupts), cue
        output = OutputFrame(max(0, event.at_ms - before), bodies.wire(event, body.padded, chance))
        turn = _Turn(turn.position, (*turn.outputs, output), turn.interrupts)
        before = event.at_ms
        # In the events of another model, nothing marks the end of a turn.
        over = read is None or sonic.is_end_of_turn(name, members)
    if turn is not None:
        yield turn


class RecordedScript:
    """Plays recordings of one model: the first of them that fits the events
    of the client so far.

    is_taken: whether the recording with this file may not be played, because each plays once.
    """

    def __init__(self, interactions: Sequence[Interaction], rules: MatchRules = DEFAULT) -> None:
        self._recordings = [_Recording(interaction, rules) for interaction in interactions]
        self._rules = rules
        self._received: list[object] = []
        self._audio = 0
        self._played = 0
        self.is_taken: Callable[[str], bool] = lambda _: False

    @property
    def file(self) -> str:
        """The recording that is played."""
        return self._recordings[0].file

    @property
    def began(self) -> bool:
        return self._played > 0

    @property
    def complete(self) -> bool:
        recording = self._recordings[0]
        over = self._played == len(recording.turns)
        return over and len(self._received) >= len(recording.expected)

    @property
    def last(self) -> Step | None:
        """The step that ends the answer early, after the last recorded event."""
        return self._recordings[0].last if self.complete else None

    def receive(self, event: InputEvent) -> list[OutputFrame]:
        if event.name == "audioInput":
            self._audio += 1
        else:
            self._received.append(_pick_compared(event, self._rules))
            self._audio = 0
            self._choose(event)
        return self._take()

    def _choose(self, event: InputEvent) -> None:
        """Drop the recordings that do not fit. After the first output, one recording stays."""
        fitting = [each for each in self._recordings if self._fits(each)]
        if not fitting:
            raise OutOfTurn(self._explain(str(event)))
        self._recordings = fitting[:1] if self._played else fitting

    def _fits(self, recording: _Recording) -> bool:
        return self._received == recording.compared[: len(self._received)]

    def _explain(self, found: str) -> str:
        recording, number = self._recordings[0], len(self._received)
        expected = recording.expected[number - 1 :][:1]
        wanted = str(expected[0]) if expected else "the end of the input"
        return (
            f"expected {wanted} as event {number} without audio ({recording.file}), found {found}"
        )

    def _take(self) -> list[OutputFrame]:
        here = (len(self._received), self._audio)
        self._leave_taken(here)
        turns, outputs = self._recordings[0].turns, list[OutputFrame]()
        while self._played < len(turns) and turns[self._played].position <= here:
            outputs += turns[self._played].outputs
            self._played += 1
        return outputs

    def _leave_taken(self, here: tuple[int, int]) -> None:
        """Drop recordings that may not be played, when the first turn is due."""
        while not self._played and self._recordings[0].is_due(here):
            file = self._recordings[0].file
            if not self.is_taken(file):
                return
            if len(self._recordings) == 1:
                raise OutOfTurn(
                    "expected the events of a recording that is left, because strict playback plays"
                    f" each recording once, found those of {file}"
                )
            self._recordings = self._recordings[1:]

    def interrupt(self) -> list[OutputFrame]:
        turns = self._recordings[0].turns
        if self._played < len(turns) and turns[self._played].interrupts:
            self._played += 1
            return list(turns[self._played - 1].outputs)
        return []

    def end(self) -> list[OutputFrame]:
        if len(self._received) < len(self._recordings[0].expected):
            self._received.append(None)
            raise OutOfTurn(self._explain("the end of the input"))
        self._leave_taken(_END)
        turns = self._recordings[0].turns[self._played :]
        self._played += len(turns)
        return [output for turn in turns for output in turn.outputs]


def _pick_compared(event: InputEvent, rules: MatchRules) -> object:
    """Returns what is compared of an event: without ignored members, and with `<*>` in place of
    the matches of placeholders. The paths of ignored members begin at `event`, as in a recording.
    """
    value: JsonValue = {"event": {event.name: event.parts}}
    if event.parts and (rules.ignore != DEFAULT.ignore or rules.placeholders):
        value = bodies.parse_request(bodies.compact(value))
        for path in rules.paths:
            remove(value, path)
        value = map_leaves(value, partial(_replace_matches, rules))
    return event.name, event.type, event.role, value


def _replace_matches(rules: MatchRules, value: JsonValue) -> JsonValue:
    for pattern in rules.placeholders if isinstance(value, str) else ():
        value = replace_all(pattern, PLACEHOLDER, str(value))
    return value


# -- rules -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cue:
    """The event of the client after which a turn of a rule is sent. nth: the number of such
    events since the turn before.

    event: its name. None: the end of a content of the user, or of the result of a tool. type, role:
    of its content. text_contains: a part of its text.
    """

    event: str | None = None
    type: str | None = None
    role: str | None = None
    text_contains: str | None = None
    nth: int = 1

    def matches(self, event: InputEvent) -> bool:
        if self.event is None and (event.name != "contentEnd" or event.role == "SYSTEM"):
            return False
        return (
            self.event in (None, event.name)
            and self.type in (None, event.type)
            and self.role in (None, event.role)
            and (self.text_contains or "") in event.text
        )


@dataclass(frozen=True, slots=True)
class RuleTurn:
    """A turn of a rule: its cue, and what the model says then."""

    cue: Cue
    spoken: sonic.Speech


class RuleScript:
    """Plays the turns of a rule in order. Events without a cue change nothing. seed: of ids."""

    def __init__(self, turns: Sequence[RuleTurn], seed: bytes) -> None:
        self._turns = turns
        self._speaker = sonic.Speaker(seed)
        self._played = self._count = 0
        self._prompt = ""
        self.last: Step | None = None

    @property
    def file(self) -> str:
        return ""

    @property
    def began(self) -> bool:
        return self._played > 0

    @property
    def complete(self) -> bool:
        return self._played == len(self._turns)

    def receive(self, event: InputEvent) -> list[OutputFrame]:
        if isinstance(members := (sonic.read_event(event.value) or ("", {}))[1], dict):
            self._prompt = str(members.get("promptName", self._prompt))
        if self._played == len(self._turns) or not (turn := self._turns[self._played]).cue.matches(
            event
        ):
            return []
        self._count += 1
        if self._count < turn.cue.nth:
            return []
        self._played, self._count = self._played + 1, 0
        return _render([*self._speaker.begin(self._prompt), *self._speaker.speak(turn.spoken)])

    def interrupt(self) -> list[OutputFrame]:
        return []

    def end(self) -> list[OutputFrame]:
        return _render(self._speaker.finish())


def _render(values: Iterable[JsonValue]) -> list[OutputFrame]:
    """Return the frames of events. Audio is due when the audio before it has been heard."""
    outputs, wait = list[OutputFrame](), 0
    for value in values:
        event = Event(0, event_headers("chunk"), bodies.seal_chunk(value), "bytes")
        outputs.append(OutputFrame(wait, bodies.wire(event, True, Random(0))))  # noqa: S311 - of the padding
        wait = sonic.measure_ms(value)
    return outputs


def render_interruption(content: JsonObject) -> list[OutputFrame]:
    """Return the events that end an interrupted content of the model. content: its start."""
    return _render(sonic.build_interruption(content))
