"""Reads and sets the token counts of recorded answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Usage
from bedtape_cassettes.families.family import METRICS
from bedtape_cassettes.families.members import Members, find_leaves, find_places
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.families.table import members_of
from bedtape_cassettes.format.json_values import Place, Plain, at, with_leaf
from bedtape_cassettes.format.json_view import read_values, write_values
from bedtape_cassettes.model import Interaction, JsonValue, Response

# Converse's names of the counts, which users write (`usage.inputTokens=7`), to fields of `Usage`.
COUNTS = {
    "inputTokens": "input",
    "outputTokens": "output",
    "cacheReadInputTokens": "cache_read",
    "cacheWriteInputTokens": "cache_write",
}
# Bedrock adds these counts to the last chunk of an InvokeModel stream, and to the
# headers of a whole answer.
_METRICS = Members(
    input=(f"{METRICS}.inputTokenCount",),
    output=(f"{METRICS}.outputTokenCount",),
    cache_read=(f"{METRICS}.cacheReadInputTokenCount",),
    cache_write=(f"{METRICS}.cacheWriteInputTokenCount",),
)
_HEADER = "x-amzn-bedrock-{}-token-count"
_HEADERS = {
    "input": _HEADER.format("input"),
    "output": _HEADER.format("output"),
    "cache_read": _HEADER.format("cache-read-input"),
    "cache_write": _HEADER.format("cache-write-input"),
}
_LONGEST = 15  # digits of a count in a header


def read_usage(
    operation: str | None, model: str | None, response: Response, *, family: str | None = None
) -> Usage | None:
    """Return the token counts of an answer, or None if the answer has no token count.

    Precedence of each count, highest first: the members that the model's family declares, Bedrock's
    metrics in a stream, Bedrock's headers. family: the family's name, if the model id does not
    determine the family.
    """
    values, members = read_values(response.body), members_of(operation, model, family)
    counts = {field.name: _read(response, values, members, field.name) for field in fields(Usage)}
    if all(count is None for count in counts.values()):
        return None
    usage = Usage(**{name: count or 0 for name, count in counts.items()})
    if members.input_has_cached:
        usage = replace(usage, input=max(0, usage.input - usage.cache_read - usage.cache_write))
    return usage


def _read(
    response: Response, values: Sequence[JsonValue | Plain], members: Members, name: str
) -> int | None:
    for source in (members, _METRICS):
        if counts := _counts(values, source, name):
            return counts[-1][2]
    return _read_header(response, name)


def _counts(
    values: Sequence[JsonValue | Plain], members: Members, name: str
) -> list[tuple[int, Place, int]]:
    """The number of the value, the place in it and the count, for each place with the count."""
    leaves = find_leaves(values, getattr(members, name))
    return [
        (number, place, count)
        for number, place, leaf in leaves
        if (count := json_access.integer(leaf)) is not None
    ]


def _read_header(response: Response, name: str) -> int | None:
    values = (value for header, value in response.headers if header.lower() == _HEADERS[name])
    return next(
        (int(value) for value in values if value.isdecimal() and len(value) <= _LONGEST), None
    )


def with_usage(interaction: Interaction, name: str, count: int) -> Response:
    """Return the response with another count. name: a field of `Usage`.

    All places get the new count of input tokens. The count of output tokens grows along a stream:
    the last place gets the new count, and earlier places keep their number if it is smaller. Raises
    CassetteError if the answer has no such count.
    """
    response = interaction.response
    values, members = (
        read_values(response.body),
        members_of(interaction.operation, interaction.model),
    )
    counts = [
        count_at for source in (members, _METRICS) for count_at in _counts(values, source, name)
    ]
    if not counts and _read_header(response, name) is None:
        member = next(word for word, field in COUNTS.items() if field == name)
        fix = "set another count, or a member of the body: json:$.path=value"
        raise CassetteError(
            f"{interaction.file}: expected an answer that counts {member}, found none; {fix}"
        )
    if name == "input" and members.input_has_cached:
        kept = read_usage(interaction.operation, interaction.model, response) or Usage(0, 0)
        count += kept.cache_read + kept.cache_write
    last: dict[str | int, int] = {}
    for number, place, _ in counts:
        last[place[-1]] = max(number, last.get(place[-1], 0))
    for number, place, old in counts:
        final = name != "output" or last[place[-1]] == number
        new = count if final else min(old, count)
        # Answers that passed a guardrail hold 28.0 instead of 28. The new count stays a float.
        spelled = float(new) if isinstance(at(values[number], place), float) else new
        values[number] = _add_to_total(
            with_leaf(values[number], place, spelled), members, place, new - old
        )
    headers = tuple(
        (n, str(count) if n.lower() == _HEADERS[name] else v) for n, v in response.headers
    )
    return replace(response, headers=headers, body=write_values(response.body, values))


def _add_to_total(
    value: JsonValue | Plain, members: Members, place: Place, more: int
) -> JsonValue | Plain:
    """The value with `more` tokens added to the total beside a count."""
    for total in list(find_places(value, members.total)):
        old = json_access.integer(at(value, total)) if total[:-1] == place[:-1] else None
        if old is not None:
            value = with_leaf(value, total, old + more)
    return value
