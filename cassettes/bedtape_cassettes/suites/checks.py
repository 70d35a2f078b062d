"""Checks cassettes: shadowed requests, drift from AWS's models, ended models,
unused and old recordings.

The date, the ages of files and the played files come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol, TypeAlias

from bedtape_cassettes.families.shared.lifecycle import find_end_of_life
from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.format.json_values import Plain
from bedtape_cassettes.format.json_view import read_event, read_values
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, JsonValue, Suite
from bedtape_cassettes.operations import identify
from bedtape_cassettes.suites.selector import find_duplicates, list_marks, list_numbers

Level: TypeAlias = Literal["wrong", "note"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result of the check. level: `wrong` needs a fix; a `note` may be intended."""

    level: Level
    kind: str
    where: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference from the model. certain: wrong; otherwise the model may be out of date."""

    message: str
    certain: bool


class Drifts(Protocol):
    """Compares JSON with AWS's models. `service_model` implements it."""

    VERSION: str

    def find_request_drift(
        self, service: str, operation: str, body: JsonValue
    ) -> Sequence[Drift]: ...
    def find_answer_drift(
        self, service: str, operation: str, body: JsonValue
    ) -> Sequence[Drift]: ...
    def find_event_drift(
        self, service: str, operation: str, event: str, payload: JsonValue
    ) -> Sequence[Drift]: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts besides the cassettes.

    today: the date for ends of life. played: the files in a history; `None` without a history.
    days: the age of each file in days. oldest: the highest allowed age in days. drifts: `None`
    skips the comparison with AWS's models.
    """

    today: date
    played: AbstractSet[str] | None = None
    days: Mapping[str, int] = field(default_factory=dict)
    oldest: int | None = None
    drifts: Drifts | None = None


def check(
    suite: Suite, facts: Facts, tick: Callable[[str], None] = lambda _: None
) -> list[CheckResult]:
    """Returns all results, cassette by cassette, without duplicates."""
    results: list[CheckResult] = []
    for cassette in suite:
        results += _check_duplicates(cassette)
        for number, interaction in zip(list_numbers(cassette), cassette.interactions, strict=True):
            results += _check_interaction(f"{cassette.name}:{number}", interaction, facts)
            tick(interaction.file)
    return list(dict.fromkeys(results))


def group(results: Sequence[CheckResult]) -> list[tuple[CheckResult, tuple[str, ...]]]:
    """Returns each distinct result once, with its places, in the order of the first place."""
    places: dict[tuple[Level, str, str], list[CheckResult]] = {}
    for result in results:
        places.setdefault((result.level, result.kind, result.message), []).append(result)
    return [(same[0], tuple(one.where for one in same)) for same in places.values()]


# The kinds of results, for `--fail-on`.
KINDS = (
    "format",
    "shadowed",
    "sequence",
    "stale-name",
    "partial",
    "model-ended",
    "never-played",
    "old",
    "unknown-path",
    "request-drift",
    "answer-drift",
)


def _check_interaction(where: str, interaction: Interaction, facts: Facts) -> Iterator[CheckResult]:
    yield from _check_marks(where, interaction)
    yield from _check_end_of_life(where, interaction, facts.today)
    if facts.played is not None and interaction.file not in facts.played:
        yield CheckResult(
            "note",
            "never-played",
            where,
            "the history does not contain this recording",
            f"bedtape cassette drop {where}",
        )
    days = facts.days.get(interaction.file)
    if facts.oldest is not None and days is not None and days > facts.oldest:
        yield CheckResult(
            "wrong",
            "old",
            where,
            f"the recording is {days} days old, more than {facts.oldest}",
            "record it again",
        )
    if facts.drifts is not None:
        yield from _check_drift(where, interaction, facts.drifts)


# -- matching --------------------------------------------------------------------------------------


def _check_duplicates(cassette: Cassette) -> Iterator[CheckResult]:
    """Finds equal requests, which are replayed in turn, with --strict once each."""
    by_number = dict(zip(list_numbers(cassette), cassette.interactions, strict=True))
    for same in find_duplicates(cassette):
        first = by_number[same[0]]
        where = f"{cassette.name}:{same[-1]}"
        listed = ", ".join(map(str, same))
        if all(by_number[n].response == first.response for n in same):
            message = (
                f"{listed} have the same request and the same answer: only --strict needs more than"
                " the first"
            )
            yield CheckResult(
                "note",
                "shadowed",
                where,
                message,
                f"without --strict: bedtape cassette drop {where}",
            )
        else:
            message = (
                f"{listed} have the same request and different answers: they are replayed in turn"
            )
            yield CheckResult(
                "note", "sequence", where, message, "drop one if this is not intended"
            )


def _check_marks(where: str, interaction: Interaction) -> Iterator[CheckResult]:
    marks = list_marks(interaction)
    if "stale" in marks:
        message = "the request was changed after the file was named"
        yield CheckResult(
            "note",
            "stale-name",
            where,
            message,
            f"bedtape cassette renumber {where.rpartition(':')[0]}",
        )
    if "partial" in marks:
        message = "the recording was interrupted, so it is not replayed"
        yield CheckResult(
            "wrong", "partial", where, message, f"record it again, or bedtape cassette drop {where}"
        )


def _check_end_of_life(where: str, interaction: Interaction, today: date) -> Iterator[CheckResult]:
    day = find_end_of_life(strip_profile(interaction.model or ""))
    if day is None:
        return
    over = day <= today
    message = (
        f"{interaction.model} {'reached' if over else 'reaches'} its end of life on"
        f" {day.isoformat()}"
    )
    fix = "record with a model that is available, before the recording has to change"
    yield CheckResult("note", "model-ended", where, message, fix)


# -- drift -----------------------------------------------------------------------------------------


def _check_drift(where: str, interaction: Interaction, drifts: Drifts) -> Iterator[CheckResult]:
    request, response = interaction.request, interaction.response
    operation = identify(request.method, request.path).operation
    if operation is None:
        yield CheckResult(
            "note",
            "unknown-path",
            where,
            f"{request.path} is not the path of a Bedrock operation",
            "correct the path",
        )
        return
    drift_by_side: list[tuple[str, Drift]] = []
    value = read_values(request.body)[0]
    # A request that Bedrock rejected may be wrong on purpose.
    if request.body.data and not isinstance(value, Plain) and response.status < 400:
        drift_by_side += [
            ("request", d)
            for d in drifts.find_request_drift(operation.service, operation.name, value)
        ]
    if response.status == 200:
        drift_by_side += [
            ("answer", d)
            for d in _find_answer_drift(operation.service, operation.name, response.body, drifts)
        ]
    for side, drift in drift_by_side:
        level: Level = "wrong" if drift.certain else "note"
        fix = (
            "record it again"
            if drift.certain
            else "none if AWS sends it, because the model is then out of date"
        )
        yield CheckResult(level, f"{side}-drift", where, f"{drifts.VERSION}: {drift.message}", fix)


def _find_answer_drift(
    service: str, operation: str, body: Body | Events, drifts: Drifts
) -> Iterator[Drift]:
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
