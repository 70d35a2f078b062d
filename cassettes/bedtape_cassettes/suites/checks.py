"""Checks cassettes: shadowed requests, drift from AWS's models, ended models, unused and old recordings.

The date, the ages of files and the played files come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol, TypeAlias

from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.format.json_values import Plain
from bedtape_cassettes.format.json_view import read_event, read_values
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, JsonValue, Suite
from bedtape_cassettes.operations import identify
from bedtape_cassettes.suites.lifecycle import find_end_of_life
from bedtape_cassettes.suites.selector import find_duplicates, marks, numbers

Level: TypeAlias = Literal["wrong", "note"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result of the check. level: `wrong` needs a fix; a `note` may be intended."""

    level: Level
    kind: str
    where: str
    said: str
    fix: str


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference from the model. certain: the value is wrong; otherwise the model may be out of date."""

    message: str
    certain: bool


class Drifts(Protocol):
    """Compares JSON with AWS's models. `service_model` implements it."""

    VERSION: str

    def find_request_drift(self, service: str, operation: str, body: JsonValue) -> Sequence[Drift]: ...
    def find_answer_drift(self, service: str, operation: str, body: JsonValue) -> Sequence[Drift]: ...
    def find_event_drift(self, service: str, operation: str, event: str, payload: JsonValue) -> Sequence[Drift]: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts besides the cassettes.

    today: the date for ends of life. played: the files in a history; `None` without a history. days: the age of each
    file in days. oldest: the highest allowed age in days. drifts: `None` skips the comparison with AWS's models.
    """

    today: date
    played: AbstractSet[str] | None = None
    days: Mapping[str, int] = field(default_factory=dict)
    oldest: int | None = None
    drifts: Drifts | None = None


def check(suite: Suite, facts: Facts, tick: Callable[[str], None] = lambda _: None) -> list[CheckResult]:
    """Returns all results, cassette by cassette, without duplicates."""
    found: list[CheckResult] = []
    for cassette in suite:
        found += _check_duplicates(cassette)
        for number, interaction in zip(numbers(cassette), cassette.interactions, strict=True):
            found += _one(f"{cassette.name}:{number}", interaction, facts)
        tick(cassette.name)
    return list(dict.fromkeys(found))


def _one(where: str, interaction: Interaction, facts: Facts) -> Iterator[CheckResult]:
    yield from _check_marks(where, interaction)
    yield from _check_end_of_life(where, interaction, facts.today)
    if facts.played is not None and interaction.file not in facts.played:
        yield CheckResult(
            "note", "never-played", where, "the history does not name it", f"bedtape cassette drop {where}"
        )
    days = facts.days.get(interaction.file)
    if facts.oldest is not None and days is not None and days > facts.oldest:
        yield CheckResult("wrong", "old", where, f"it is {days} days old, more than {facts.oldest}", "record it again")
    if facts.drifts is not None:
        yield from _check_drift(where, interaction, facts.drifts)


# -- matching --------------------------------------------------------------------------------------------------


def _check_duplicates(cassette: Cassette) -> Iterator[CheckResult]:
    """Finds equal requests. They play in turn, so a second one with the same answer has no effect."""
    by_number = dict(zip(numbers(cassette), cassette.interactions, strict=True))
    for same in find_duplicates(cassette):
        first = by_number[same[0]]
        where = f"{cassette.name}:{same[-1]}"
        listed = ", ".join(map(str, same))
        if all(by_number[n].response == first.response for n in same):
            said = f"{listed} have the same request and the same answer: the first shadows the others"
            yield CheckResult("wrong", "shadowed", where, said, f"bedtape cassette drop {where}")
        else:
            said = f"{listed} have the same request and different answers: they play one after the other"
            yield CheckResult("note", "sequence", where, said, "if that is not meant, drop one")


def _check_marks(where: str, interaction: Interaction) -> Iterator[CheckResult]:
    found = marks(interaction)
    if "stale" in found:
        said = "its request was changed after its file was named"
        yield CheckResult("note", "stale-name", where, said, f"bedtape cassette renumber {where.rpartition(':')[0]}")
    if "partial" in found:
        said = "its recording was cut, so it is never replayed"
        yield CheckResult("wrong", "partial", where, said, f"record it again, or bedtape cassette drop {where}")


def _check_end_of_life(where: str, interaction: Interaction, today: date) -> Iterator[CheckResult]:
    day = find_end_of_life(strip_profile(interaction.model or ""))
    if day is None:
        return
    over = day <= today
    said = f"{interaction.model} {'reached' if over else 'reaches'} its end of life on {day.isoformat()}"
    yield CheckResult("wrong" if over else "note", "model-ended", where, said, "record with a model that is served")


# -- drift -----------------------------------------------------------------------------------------------------


def _check_drift(where: str, interaction: Interaction, drifts: Drifts) -> Iterator[CheckResult]:
    request, response = interaction.request, interaction.response
    operation = identify(request.method, request.path).operation
    if operation is None:
        yield CheckResult(
            "note", "unknown-path", where, f"{request.path} is no operation of Bedrock's", "look at its path"
        )
        return
    drift_by_side: list[tuple[str, Drift]] = []
    value = read_values(request.body)[0]
    # A request that Bedrock rejected may be wrong on purpose.
    if request.body.data and not isinstance(value, Plain) and response.status < 400:
        drift_by_side += [("request", d) for d in drifts.find_request_drift(operation.service, operation.name, value)]
    if response.status == 200:
        drift_by_side += [("answer", d) for d in _answer(operation.service, operation.name, response.body, drifts)]
    for side, drift in drift_by_side:
        level: Level = "wrong" if drift.certain else "note"
        fix = "record it again" if drift.certain else "nothing, if AWS sends it: the model is out of date"
        yield CheckResult(level, f"{side}-drift", where, f"{drifts.VERSION}: {drift.message}", fix)


def _answer(service: str, operation: str, body: Body | Events, drifts: Drifts) -> Iterator[Drift]:
    if isinstance(body, Body):
        value = read_values(body)[0]
        if body.data and not isinstance(value, Plain):
            yield from drifts.find_answer_drift(service, operation, value)
        return
    for event in body.events:
        payload = read_event(event)
        if event.type is None or event.form != "json" or isinstance(payload, Plain):
            continue
        yield from drifts.find_event_drift(service, operation, event.type, payload)
