"""A tool input that is set is the input that the answer's own reader returns, in
every form of every sample.
"""

from pathlib import Path

import pytest

import bedtape_cassettes
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.model import Interaction, JsonValue
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.tool_inputs import list_tool_calls, with_tool_input
from support.corpus import every, needs_corpus
from support.recordings import converse

SAMPLES = [
    i
    for c in store.read([Path(bedtape_cassettes.__file__).parent / "samples"])
    for i in c.interactions
]
VALUES: list[JsonValue] = [
    {},
    {"town": 'Rome "Æ"', "days": [1, 2.5, None]},
    {"long": "rain " * 200},
]


def inputs(interaction: Interaction) -> list[JsonValue]:
    content = content_of(interaction.operation, interaction.model, interaction.response)
    return [call.input for call in list_tool_calls(content)]


@pytest.mark.parametrize("interaction", [i for i in SAMPLES if inputs(i)], ids=lambda i: i.file)
def test_the_input_of_each_tool_call_changes_alone(interaction: Interaction) -> None:
    before = inputs(interaction)
    for number in range(len(before)):
        for value in VALUES:
            changed = with_tool_input(interaction, number, value)
            assert inputs(changed) == [*before[:number], value, *before[number + 1 :]]


@pytest.mark.corpus
@needs_corpus
def test_recorded_tool_calls_change_or_are_refused() -> None:
    """Most can be set. What cannot be set consistently is refused."""
    done, refused = 0, 0
    for row in every():
        interaction = row.interaction()
        for number, _ in enumerate(inputs(interaction)):
            try:
                changed = with_tool_input(interaction, number, {"a": "b"})
            except CassetteError:
                refused += 1
            else:
                assert inputs(changed)[number] == {"a": "b"}
                done += 1
    assert done > 20 * refused


@pytest.mark.parametrize(
    ("number", "problem"),
    [(None, "expected one tool call, found none"), (1, "expected the tool call 1, found none")],
)
def test_an_answer_without_tool_calls_is_refused(number: int | None, problem: str) -> None:
    with pytest.raises(CassetteError, match=problem):
        with_tool_input(converse("a", "b"), number, {})
