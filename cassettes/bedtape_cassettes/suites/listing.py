"""Statistics of cassettes: a row for each cassette, and totals by operation and model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.model import Cassette, Events, Interaction
from bedtape_cassettes.suites.selector import list_marks
from bedtape_cassettes.text import Line, escape_controls, lines


@dataclass(frozen=True, slots=True)
class Row:
    """One cassette. bytes: of its files, `None` in a `.tape`. age_seconds: after its change."""

    name: str
    interactions: int
    operations: tuple[str, ...]
    models: tuple[str, ...]
    bytes: int | None
    age_seconds: int | None
    partial: int
    stale: int


@dataclass(frozen=True, slots=True)
class Total:
    """Totals of one operation of one model. waited_ms: recorded, from requests to answers' ends."""

    operation: str
    model: str
    interactions: int
    errors: int
    tokens_in: int
    tokens_out: int
    waited_ms: int


def build_row(cassette: Cassette, size: int | None, age_seconds: int | None) -> Row:
    """Returns the row of a cassette."""
    counts = Counter(
        mark for interaction in cassette.interactions for mark in list_marks(interaction)
    )
    return Row(
        cassette.name,
        len(cassette.interactions),
        tuple(sorted({_name_operation(i) for i in cassette.interactions})),
        tuple(sorted({i.model for i in cassette.interactions if i.model})),
        size,
        age_seconds,
        counts["partial"],
        counts["stale"],
    )


def _name_operation(interaction: Interaction) -> str:
    return interaction.operation or interaction.request.method


def total_by_operation(interactions: Iterable[Interaction]) -> tuple[Total, ...]:
    """Returns totals by operation and model, the most interactions first."""
    groups: dict[tuple[str, str], list[Interaction]] = {}
    for interaction in interactions:
        groups.setdefault((_name_operation(interaction), interaction.model or "-"), []).append(
            interaction
        )
    unsorted = [
        _total_group(operation, model, group) for (operation, model), group in groups.items()
    ]
    return tuple(
        sorted(unsorted, key=lambda total: (-total.interactions, total.operation, total.model))
    )


def _total_group(operation: str, model: str, group: list[Interaction]) -> Total:
    usages = [
        usage for i in group if (usage := read_usage(i.operation, i.model, i.response)) is not None
    ]
    return Total(
        operation,
        model,
        len(group),
        sum(i.response.status >= 400 for i in group),
        sum(usage.total_input for usage in usages),
        sum(usage.output for usage in usages),
        sum(_measure_wait(i) for i in group),
    )


def add_up(every: Iterable[Total]) -> Total:
    """Returns the sum of the totals, of which there is at least one, as the operation `all`."""
    return Total("all", "", *map(sum, zip(*(astuple(total)[2:] for total in every), strict=True)))


def _measure_wait(interaction: Interaction) -> int:
    body = interaction.response.body
    streamed = max(event.at_ms for event in body.events) if isinstance(body, Events) else 0
    return interaction.response.after_ms + streamed


def render_table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[Line]:
    """Aligns the rows in columns. The first row is the title. right: right-aligned columns."""
    safe = [[escape_controls(cell) for cell in cells] for cells in rows]
    widths = (
        [max(len(cells[column]) for cells in safe) for column in range(len(rows[0]))]
        if rows
        else []
    )
    shown = []
    for place, cells in enumerate(safe):
        padded = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        shown += lines("  ".join(padded).rstrip(), "title" if place == 0 else "plain")
    return shown
