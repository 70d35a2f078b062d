"""The lines of calls under a failed test."""

from typing import Any

from bedtape_replayer.history.listing import list_calls
from bedtape_replayer.overlay.document import parse_overlay
from support.authored import ask
from support.scene import Scene

TEXT = "one two three four five six"


def _list(simulate: dict[str, Any], text: str, *bodies: object) -> list[str]:
    """The lines of calls that a rule with a text answers."""
    scene = Scene()
    rule = {"when": {"prompt_contains": "hi"}, "answer": {"text": text}}
    overlay = {"bedtape-overlay": 1, "simulate": simulate, "rules": [rule]}
    scene.session.layers.replace_own(parse_overlay(overlay))
    for body in bodies:
        scene.send(body)
    return list(list_calls(scene.calls))


def test_a_line_says_what_was_simulated() -> None:
    limited = {**ask("hi"), "inferenceConfig": {"maxTokens": 2}}
    plain, cut = _list({"limits": True}, TEXT, ask("hi"), limited)
    assert "simulated" not in plain
    assert cut.endswith('"hi" → "one two"  (simulated limits: max_tokens cut 7 tokens to 2)')


def test_a_refusal_of_a_simulated_feature_says_why() -> None:
    (line,) = _list({"limits": {"context_tokens": 1}}, TEXT, ask("hi, how are you?"))
    assert "400 ValidationException  simulation" in line
    assert "(simulated limits: 4 tokens of the prompt exceed the context window of 1)" in line


def test_a_note_is_short_and_contains_no_secret() -> None:
    """A note quotes a stop sequence, which the program chooses."""
    key = "AKIA" + "Z7WQTRX5PLMNBVCK"
    sequence = f"three {key} {'x' * 300}"
    limited = {**ask("hi"), "inferenceConfig": {"stopSequences": [sequence]}}
    (line,) = _list({"limits": True}, f"one two {sequence}", limited)
    assert "(simulated limits: stopped at the stop sequence" in line
    assert key not in line
    assert len(line) < 250
