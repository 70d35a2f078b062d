"""The report: one page with its data, whatever the texts in it are.

Its policy and data are read as a browser reads them.
"""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.inspector.capture import capture, path_of
from bedtape_replayer.api.inspector.report import build_report
from bedtape_replayer.engine.engine import Engine
from support.examples import examples
from support.recordings import MODEL, converse, path, prompt
from support.scene import BEGAN


class Reader(HTMLParser):
    """The scripts, styles and policy of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self.policy = ""
        self.loaded: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "style"):
            self.texts.append((tag, given, ""))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        self.loaded += [
            value for name, value in attrs if name in ("src", "href") and value is not None
        ]

    def handle_data(self, data: str) -> None:
        if self.texts and self.cdata_elem is not None:
            tag, given, text = self.texts[-1]
            self.texts[-1] = (tag, given, text + data)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _engine(*texts: str) -> Engine:
    """An engine that was asked these texts in the session that has the first text as its name."""
    recorded = Cassette("it", (converse("hi", "of a cassette"), converse("unasked", "no")))
    engine = Engine(Library([recorded]))
    for number, text in enumerate(texts):
        head = Head.of(((b"x-bedtape-session", texts[0].encode(errors="replace") or b"s"),))
        answer = engine.answer("POST", path(), head, prompt(text))
        engine.finish(Outcome(answer, BEGAN + number, 0.1, True, 1))
    return engine


@given(
    texts=st.lists(
        st.text(min_size=1) | st.sampled_from(["</script>", "<!--<script>", "]]>", "\u2028"]),
        min_size=1,
    )
)
@settings(max_examples=examples(100))
def test_any_text_stays_inside_the_data(texts: list[str]) -> None:
    engine = _engine(*texts)
    page = build_report(
        [capture(engine, each, each.name) for each in engine.sessions], texts[0]
    ).decode()
    data, script = (each for each in Reader(page).texts if each[0] == "script")
    answers = json.loads(data[2])["answers"]
    calls = answers["events"]["calls"]
    assert len(calls) == len(texts)
    for call in calls:
        detail = answers[
            path_of("inspector", "sessions", call["session"], "calls", str(call["number"]))
        ]
        assert detail["call"]["session"] == call["session"]
    assert re.search(r"^(import|export) ", script[2], re.MULTILINE) is None


def test_the_page_loads_nothing_and_allows_its_own_script_only() -> None:
    page = Reader(build_report([], "nothing").decode())
    style, data, script = page.texts
    assert (style[0], data[1]["type"], script[1]) == (
        "style",
        "application/json",
        {"type": "module"},
    )
    policy = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == _digest(script[2])
    assert policy["style-src"] == _digest(style[2])
    assert [each for each in page.loaded if not each.startswith(("#", "data:"))] == []


@pytest.mark.parametrize("text", ["hi", "hi there"])
def test_a_recording_that_answered_or_came_near_is_in_it(text: str) -> None:
    engine = _engine(text)
    page = Reader(build_report([capture(engine, each) for each in engine.sessions], "x").decode())
    answers = json.loads(
        next(held for _, given, held in page.texts if given.get("id") == "report")
    )["answers"]
    assert answers["cassettes"] == [{"name": "it", "interactions": 1, "models": [MODEL]}]
    (recording,) = answers["cassettes/it"]
    assert "hi" in json.dumps(recording["request"])
