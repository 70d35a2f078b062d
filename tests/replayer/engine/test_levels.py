"""Values with thousands of levels are refused where they are given, through every entry point."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.bodies import MAX_LEVELS
from bedtape_replayer import Replayer
from bedtape_replayer.history.calls import ConditionInvalid
from bedtape_replayer.overlay.document import OverlayInvalid
from bedtape_replayer.server.loading import read_overlay
from support.client import Http1
from support.recordings import path, prompt


def nest(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": [value]}
    return value


DEEP = nest(1500)
LOOP: list[Any] = []
LOOP.append(LOOP)
RULES: dict[str, dict[str, Any]] = {
    "json": {"json": DEEP},
    "tool": {"tool": {"name": "t", "input": DEEP}},
    "output": {"output": DEEP},
    "events": {"events": [DEEP]},
    "passages": {"passages": [{"text": "x", "metadata": DEEP}]},
    "trace": {"trace": DEEP},
    "answers": {"answers": [{"json": DEEP}]},
    "a condition": {"text": "x", "json_path": {"a": DEEP}},
    "a loop": {"json": LOOP},
}


@pytest.mark.parametrize("keywords", RULES.values(), ids=RULES)
def test_a_rule(keywords: dict[str, Any]) -> None:
    with (
        Replayer() as replayer,
        pytest.raises(OverlayInvalid, match=f"expected at most {MAX_LEVELS} levels"),
    ):
        replayer.session("a").respond(**keywords)


OVERLAY = {"bedtape-overlay": 1, "rules": [{"answer": {"json": DEEP}}]}


def _overlay_of_session(_: Path) -> None:
    with Replayer() as replayer:
        replayer.session("a").overlay(OVERLAY)


def _overlay_of_server(_: Path) -> None:
    Replayer(overlay=OVERLAY).start()


def _fault(_: Path) -> None:
    with Replayer() as replayer:
        replayer.session("a").overlay(
            {"bedtape-overlay": 1, "faults": [{"http": {"status": 200, "json": DEEP}}]}
        )


def _file(folder: Path) -> None:
    file = folder / "deep.yaml"
    file.write_text(
        'bedtape-overlay: 1\nrules: [{"answer": {"json": '
        + '{"a":[' * 1500
        + "1"
        + "]}" * 1500
        + "}}]\n"
    )
    read_overlay(file)


def _condition(_: Path) -> None:
    with Replayer() as replayer:
        replayer.session("a").calls.filter(json_path={"a": DEEP})


@pytest.mark.parametrize(
    "give", [_overlay_of_session, _overlay_of_server, _fault, _file, _condition]
)
def test_other_values(give: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(
        (CassetteError, ConditionInvalid, OverlayInvalid), match=r"level|nested|deep"
    ):
        give(tmp_path)


def test_what_a_function_returns() -> None:
    with Replayer() as replayer, Http1(replayer.url) as client:
        session = replayer.session("default")
        session.respond(lambda _: {"json": DEEP})
        answer = client.request("POST", path("converse"), (), prompt("Hi"))
        assert (answer.status, session.calls[0].error) == (400, "OverlayException")
        assert f"at most {MAX_LEVELS} levels" in answer.body.decode()


@pytest.mark.parametrize(
    "route", ["/_bedtape/sessions/default/rules", "/_bedtape/sessions/default/faults"]
)
def test_the_control_api(route: str) -> None:
    body = '{"answer":{"json":' + '{"a":[' * 1500 + "1" + "]}" * 1500 + "}}"
    with Replayer() as replayer, Http1(replayer.url) as client:
        answer = client.request(
            "POST", route, [("content-type", "application/json")], body.encode()
        )
    assert (answer.status, "nested too deeply" in json.loads(answer.body)["error"]) == (400, True)


def test_the_most_levels_are_accepted() -> None:
    with Replayer() as replayer:
        replayer.session("a").respond(json=nest(MAX_LEVELS // 2 - 2))
