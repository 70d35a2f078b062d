"""A script: a conversation whose turns are expected and answered, as the answers of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bedtape_cassettes.families.family import RenderError
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.explain import find_mismatch
from bedtape_replayer.overlay.expressions import TemplatedAnswer
from bedtape_replayer.overlay.rule import AnswerContent, Computed
from bedtape_replayer.overlay.when import When


def read_turns(turns: Iterable[Any]) -> list[Any]:
    """Returns the turns as an overlay document has them.

    A turn in Python can be a part of the prompt and an answer.
    """
    return [_read_turn(turn) for turn in turns]


def _read_turn(turn: Any) -> Any:
    match turn:
        case Mapping():
            return {**turn, "answer": _read_text(turn["answer"])} if "answer" in turn else turn
        case (str() as prompt, answer):
            return {"expect": {"prompt_contains": prompt}, "answer": _read_text(answer)}
    return turn


def _read_text(answer: Any) -> Any:
    return {"text": answer} if isinstance(answer, str) else answer


def expect_turns(
    turns: Sequence[tuple[When, AnswerContent | TemplatedAnswer]],
) -> tuple[Computed, ...]:
    """Returns a function for each turn, which raises RenderError for a call of another turn."""
    places = (f"turn {number} of {len(turns)}" for number in range(1, len(turns) + 1))
    return tuple(
        _expect(when, answer, place) for (when, answer), place in zip(turns, places, strict=True)
    )


def _expect(when: When, answer: AnswerContent | TemplatedAnswer, place: str) -> Computed:
    def answer_turn(call: Call) -> AnswerContent | TemplatedAnswer:
        if (mismatch := find_mismatch(when, call)) is not None:
            raise RenderError(f"the program departs from the script at {place}: {mismatch}")
        return answer

    return answer_turn
