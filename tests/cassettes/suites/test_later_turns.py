"""Later turns of a conversation get the change of an earlier one, and nothing else changes."""

from typing import Any

import pytest

from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.model import Interaction
from bedtape_cassettes.suites.later_turns import change_later_turn
from support.recordings import MODEL, path, record_interaction

ASKED = {"role": "user", "content": [{"text": "first"}]}
SAID = {"role": "assistant", "content": [{"text": "one"}]}
MORE = {"role": "user", "content": [{"text": "second"}]}
KIND, CAREFUL = [{"text": "Be kind."}], [{"text": "Be careful."}]


def turn(body: Any, model: str = MODEL) -> Interaction:
    return record_interaction(compact(body), b"{}", url=path("converse", model))


CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "a system prompt": (
        {"messages": [ASKED], "system": KIND},
        {"messages": [ASKED], "system": CAREFUL},
        {"messages": [ASKED, SAID, MORE], "system": KIND},
        {"messages": [ASKED, SAID, MORE], "system": CAREFUL},
    ),
    "the first message": (
        {"messages": [ASKED], "a": 1},
        {"messages": [MORE], "a": 1},
        {"messages": [ASKED, SAID, MORE], "a": 1},
        {"messages": [MORE, SAID, MORE], "a": 1},
    ),
    "members that come and go": (
        {"messages": [ASKED], "a": 1, "b": 1},
        {"messages": [ASKED], "b": 2, "c": 3},
        {"messages": [ASKED, SAID], "a": 1, "b": 9},
        {"messages": [ASKED, SAID], "b": 9, "c": 3},
    ),
    "the Responses API": (
        {"input": [ASKED], "instructions": "kind"},
        {"input": [ASKED], "instructions": "careful"},
        {"input": [ASKED, SAID], "instructions": "kind"},
        {"input": [ASKED, SAID], "instructions": "careful"},
    ),
    "nothing": ({"messages": [ASKED]}, {"messages": [ASKED]}, {"messages": [ASKED, SAID]}, None),
    "another conversation": (
        {"messages": [ASKED]},
        {"messages": [MORE]},
        {"messages": [MORE, SAID]},
        None,
    ),
    "another conversation with more tools": (
        {"messages": [ASKED], "tools": [1], "a": 1},
        {"messages": [ASKED], "tools": [1], "a": 2},
        {"messages": [MORE], "tools": [1, 2], "a": 1},
        None,
    ),
    "another conversation with a longer system prompt": (
        {"messages": [ASKED], "system": KIND},
        {"messages": [ASKED], "system": CAREFUL},
        {"messages": [MORE], "system": KIND + CAREFUL},
        None,
    ),
    "the same turn": ({"messages": [ASKED]}, {"messages": [MORE]}, {"messages": [ASKED]}, None),
    "no messages": ({"messages": []}, {"messages": [MORE]}, {"messages": [ASKED]}, None),
    "no object": ([1], [2], [1, 2], None),
}


@pytest.mark.parametrize(("old", "new", "later", "expected"), CASES.values(), ids=CASES)
def test_a_change_is_carried_to_later_turns(old: Any, new: Any, later: Any, expected: Any) -> None:
    changed = change_later_turn(turn(later), turn(old), turn(new))
    assert (changed and parse(changed.request.body.data)) == expected
    if changed is not None:
        assert changed.response == turn(later).response


def test_another_model_is_carried_too() -> None:
    asked, more = {"messages": [ASKED]}, {"messages": [ASKED, SAID, MORE]}
    changed = change_later_turn(turn(more), turn(asked), turn(asked, "other.model"))
    assert changed is not None
    assert (changed.model, changed.request.path) == ("other.model", path("converse", "other.model"))
    assert (
        change_later_turn(turn(more, "third.model"), turn(asked), turn(asked, "other.model"))
        is None
    )
