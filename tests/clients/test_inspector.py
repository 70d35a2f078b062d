"""The inspector in a real Chromium: every flow a person has, by mouse and by keys, and what
a screen reader is told.

Each test fails on any error in the browser's console, and on any request that leaves the server.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import ALWAYS
from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.api.inspector.capture import capture
from bedtape_replayer.api.inspector.report import build_report
from bedtape_replayer.server.editor import FolderEditor
from support.authored import ask
from support.boto import boto3_client
from support.browser import start_chromium
from support.duplex import OPERATION, SETUP, Duplex, audio_content
from support.folders import write
from support.recordings import MODEL, converse, path, prompt, stream
from support.scene import BEGAN, aws

CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    told = [
        converse("Is it cold in Oslo?", "Yes: minus four."),
        stream(
            "Tell a story",
            ["It was", " a dark", " night."],
            at_ms=[0, 40, 80, 130, 300, 320],
            after_ms=120,
        ),
    ]
    write(tmp_path, Cassette("weather", tuple(told)))
    write(tmp_path, Cassette("poems", (converse("Write a poem", "Roses are red."),)))
    with Replayer(tmp_path) as running:
        yield running


class Page:
    """The inspector as a person has it."""

    def __init__(self, browser: Chrome, bedrock: Replayer) -> None:
        self.browser = browser
        self.bedrock = bedrock

    def open(self, place: str = "") -> None:
        """Anew, at an address of its own."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.bedrock.url}/_bedtape/{place}")

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        """It, as soon as it is there."""
        return self.until(lambda: next(iter(self.all(css)), None), css)

    def until(self, met: Callable[[], Any], what: str = "") -> Any:
        """Waits for what the page does by itself."""
        return WebDriverWait(self.browser, 60, 0.05).until(lambda _: self.fresh(met), what)

    def fresh(self, met: Callable[[], Any]) -> Any:
        """What is found, where the page was not drawn anew meanwhile."""
        try:
            return met()
        except Exception as error:
            if "stale" in str(error):
                return None
            raise

    def script(self, text: str, *given: Any) -> Any:
        return self.browser.execute_script(text, *given)

    def text(self, css: str) -> str:
        """Of the first that is so, whether it is in sight or not."""
        return str(
            self.script("return document.querySelector(arguments[0])?.textContent ?? ''", css)
        )

    def shows(self, css: str, text: str) -> None:
        self.until(lambda: text in self.text(css), f"{text!r} in {css}")

    def rows(self, name: str) -> list[list[str]]:
        """The rows of a list that are in the document, as the texts of their cells."""
        code = (
            "return [...document.querySelectorAll(arguments[0])].map(r => [...r.children].map(c =>"
            " c.textContent))"
        )
        texts: list[list[str]] = self.script(code, f".{name} .rows-body .row")
        return texts

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        return self.browser.switch_to.active_element

    def choose(self, css: str, text: str) -> None:
        select = self.one(css)
        self.until(lambda: text in [option.text for option in Select(select).options], text)
        Select(select).select_by_visible_text(text)

    def button(self, text: str) -> WebElement:
        return self.named("button", text)

    def unfold(self, text: str) -> None:
        self.named("summary", text).click()

    def click(self, css: str) -> None:
        """On what may be drawn anew between look and click."""
        self.until(lambda: self.all(css) and (self.all(css)[0].click() or True), css)

    def named(self, tag: str, text: str) -> WebElement:
        """The first in sight that says exactly this."""
        return self.until(
            lambda: next(
                (each for each in self.all(tag) if each.is_displayed() and each.text == text), None
            ),
            text,
        )


@pytest.fixture
def page(chromium: Chrome, bedrock: Replayer) -> Iterator[Page]:
    for log in ("browser", "performance"):
        chromium.get_log(log)
    page = Page(chromium, bedrock)
    page.open()
    yield page
    errors = [
        entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"
    ]
    asked = {
        message["params"]["request"]["url"]
        for entry in chromium.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    }
    chromium.get("about:blank")
    assert errors == []
    own = re.compile(f"{re.escape(bedrock.url)}(/s/[^/]+)?/_bedtape(/|$)|data:|about:|chrome:")
    assert {url for url in asked if not own.match(url)} == set()


def say(
    bedrock: Replayer, text: str, session: str = "default", model: str = MODEL, **more: Any
) -> str:
    client = boto3_client(
        bedrock.session_url(session), retries={"total_max_attempts": 3, "mode": "standard"}
    )
    messages: Any = [{"role": "user", "content": [{"text": text}]}]
    try:
        answer = client.converse(modelId=model, messages=messages, **more)
    except client.exceptions.ClientError as error:
        return str(error)
    return answer["output"]["message"]["content"][0]["text"]


def listen(bedrock: Replayer, text: str) -> None:
    messages: Any = [{"role": "user", "content": [{"text": text}]}]
    list(boto3_client(bedrock.url).converse_stream(modelId=MODEL, messages=messages)["stream"])


def happen(bedrock: Replayer, times: int, text: Callable[[int], str]) -> None:
    """Calls that were not sent, a millisecond after each other."""

    def add() -> None:
        engine = bedrock.engine
        for number in range(times):
            answer = engine.answer("POST", path(), Head.of(()), prompt(text(number)))
            engine.finish(Outcome(answer, BEGAN + number / 1000, 0.0001, True, 1))

    bedrock.run(add)


# -- the list --------------------------------------------------------------------------------------


def test_looking_is_no_call(page: Page, bedrock: Replayer) -> None:
    """Nor does the browser ask for an icon, which would be one."""
    page.shows(".state", "live")
    page.shows(".rows-frame .empty", "No calls")
    assert len(bedrock.calls) == 0


def test_calls_appear_as_they_end(page: Page, bedrock: Replayer) -> None:
    page.shows(".state", "live")
    say(bedrock, "Is it cold in Oslo?")
    page.until(lambda: len(page.rows("calls")) == 1)
    say(bedrock, "Is it cold in Rome?", "other")
    page.until(lambda: len(page.rows("calls")) == 2)
    first, second = page.rows("calls")
    assert [first[at] for at in (0, 2, 3, 4, 5, 9)] == [
        "1",
        "default",
        "Converse",
        MODEL,
        "200",
        "Is it cold in Oslo?",
    ]
    assert first[7].startswith("weather/0001")
    assert (second[2], second[5], second[7]) == ("other", "400 CassetteMissException", "miss")
    assert page.text(".count") == "2 calls"


def test_paused_it_stands_still(page: Page, bedrock: Replayer) -> None:
    page.shows(".state", "live")
    page.button("Live").click()
    page.shows(".state", "paused")
    assert page.one("#live").get_attribute("aria-pressed") == "false"
    page.until(lambda: bedrock.run(lambda: not bedrock.engine.watchers))
    say(bedrock, "Is it cold in Oslo?")
    assert page.rows("calls") == []
    page.press("p")
    page.until(lambda: len(page.rows("calls")) == 1)


def test_a_server_that_is_gone_is_said(chromium: Chrome, bedrock: Replayer) -> None:
    """Not with `page`: browsers log that nobody answers."""
    page = Page(chromium, bedrock)
    page.open()
    page.shows(".state", "live")
    bedrock.stop()
    page.shows(".state", "cannot ask the server")
    chromium.get("about:blank")


@pytest.mark.parametrize(
    "place", ["#/nosuch", "#/calls/%", "#%", "#/calls/default/1/more", "?x=1#/sessions"]
)
def test_any_address_shows_something(page: Page, bedrock: Replayer, place: str) -> None:
    say(bedrock, "Is it cold in Oslo?")
    page.open(place)
    page.one(".rows-body .row, .count")


def test_calls_are_filtered(page: Page, bedrock: Replayer) -> None:
    bedrock.session("other").fail("ThrottlingException", prompt_contains="busy", times=9)
    bedrock.respond(text="From a rule", model="*claude*")
    say(bedrock, "Is it cold in Oslo?")
    say(bedrock, "Whatever", model=CLAUDE)
    say(bedrock, "Never recorded")
    say(bedrock, "busy", "other")
    page.until(lambda: len(page.rows("calls")) == 6)

    def prompts(filter_: str, value: str) -> list[str]:
        page.choose(f"#filter-{filter_}", value)
        return [row[9] for row in page.rows("calls")]

    assert prompts("outcome", "miss") == ["Never recorded"]
    assert page.text(".count") == "1 of 6 calls"
    assert page.text("#said") == "1 of 6 calls"
    assert prompts("outcome", "error") == ["busy"] * 3
    assert prompts("outcome", "answered") == ["Is it cold in Oslo?", "Whatever"]
    assert prompts("model", CLAUDE) == ["Whatever"]
    assert prompts("outcome", "all") == ["Whatever"]
    assert len(prompts("model", "all")) == 6
    assert prompts("session", "other") == ["busy"] * 3
    assert len(prompts("session", "all")) == 6
    page.one("[type='search']").send_keys("OSLO")
    assert [row[9] for row in page.rows("calls")] == ["Is it cold in Oslo?"]


def test_it_is_there_under_a_sessions_endpoint_too(page: Page, bedrock: Replayer) -> None:
    """And without its last slash, as people type it."""
    say(bedrock, "Is it cold in Oslo?", "mine")
    page.browser.get(f"{bedrock.session_url('mine')}/_bedtape")
    page.until(lambda: [row[2] for row in page.rows("calls")] == ["mine"])
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of mine")


def test_a_session_leads_to_its_calls(page: Page, bedrock: Replayer) -> None:
    say(bedrock, "Is it cold in Oslo?")
    say(bedrock, "Write a poem", "other")
    page.open("#/sessions/other")
    page.click(".whole a[href='#/calls/other']")
    page.until(lambda: [row[2] for row in page.rows("calls")] == ["other"])
    assert Select(page.one("#filter-session")).first_selected_option.text == "other"


def test_what_is_forgotten_goes(page: Page, bedrock: Replayer) -> None:
    """A session that began anew has calls with the same numbers, which are others."""
    say(bedrock, "Is it cold in Oslo?")
    page.until(lambda: [row[9] for row in page.rows("calls")] == ["Is it cold in Oslo?"])
    bedrock.reset()
    say(bedrock, "Write a poem")
    page.until(lambda: [row[9] for row in page.rows("calls")] == ["Write a poem"])
    bedrock.run(bedrock.engine.sessions.clear)
    page.until(lambda: page.rows("calls") == [])


def test_ten_thousand_calls(page: Page, bedrock: Replayer) -> None:
    bedrock.respond(text="An answer.")
    happen(bedrock, 10_000, lambda number: f"question {number}")
    page.until(lambda: page.text(".count") == "10,000 calls")
    # It follows the end, and only what is in sight is in the document.
    page.until(lambda: page.rows("calls")[-1][0] == "10000")
    assert len(page.rows("calls")) < 100
    grid = page.one(".calls")
    assert grid.get_attribute("aria-rowcount") == "10001"
    grid.send_keys(Keys.HOME)
    page.until(lambda: page.rows("calls")[0][0] == "1")
    assert page.one("#calls-0").get_attribute("aria-rowindex") == "2"
    page.script("arguments[0].scrollTop = 5000 * 28", grid)
    page.until(lambda: "5001" in [row[0] for row in page.rows("calls")])
    page.press("/", "question 77")
    page.until(lambda: page.text(".count") == "111 of 10,000 calls")
    say(bedrock, "one more")
    page.until(lambda: page.text(".count").startswith("111 of 10,000 calls, 1 older forgotten"))


# -- one call --------------------------------------------------------------------------------------


def test_one_call_in_full(page: Page, bedrock: Replayer) -> None:
    bedrock.respond(
        text="Let me look.", tool={"name": "get_weather", "input": {"city": "Lyon"}}, name="lyon"
    )
    tools = {
        "tools": [
            {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}
        ]
    }
    system, config = [{"text": "Be kind."}], {"temperature": 0.25}
    say(bedrock, "How is Lyon?", toolConfig=tools, system=system, inferenceConfig=config)
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of default")
    shown = page.one(".whole").text
    for text in (
        "Be kind.",
        "How is Lyon?",
        "0.25",
        "Let me look.",
        "calls get_weather",
        '"city": "Lyon"',
        "tool_use",
    ):
        assert text in shown, text
    assert "rule lyon. This rule was the first that took the call." in shown
    page.unfold("lyon, as it was laid")
    page.shows(".whole", '"name": "lyon"')
    page.unfold("Request body")
    page.shows("pre[aria-label='Request body']", '"inputSchema"')


def test_what_was_simulated_is_shown(page: Page, bedrock: Replayer) -> None:
    bedrock.simulate(limits=True)
    bedrock.respond("How is Lyon?", text="Sunny, with a little wind from the north.")
    say(bedrock, "How is Lyon?", inferenceConfig={"maxTokens": 2})
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of default")
    assert "Simulated: limits: max_tokens cut 11 tokens to 2." in page.one(".whole").text


def test_a_prompt_that_a_guardrail_blocks_is_shown(page: Page, bedrock: Replayer) -> None:
    words = {"wordPolicyConfig": {"wordsConfig": [{"text": "secret"}]}}
    bedrock.simulate(guardrails={"abc": {**words, "blockedInputMessaging": "Not that."}})
    bedrock.respond(lambda _: "Never asked.")
    named = {"guardrailIdentifier": "abc", "guardrailVersion": "1"}
    say(bedrock, "The secret?", guardrailConfig=named)
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of default")
    page.shows(".turn.model .said", "Not that.")
    shown = page.one(".whole").text
    assert "Simulated: guardrails: prompt blocked by the word 'secret'." in shown
    assert "guardrail_intervened" in shown


def test_a_recording_that_answered_is_a_link_to_it(page: Page, bedrock: Replayer) -> None:
    say(bedrock, "Is it cold in Oslo?")
    page.open("#/calls/default/1")
    page.click(".whole a[href^='#/cassettes/']")
    page.shows(".whole h2", "weather/0001")
    page.shows("pre[aria-label='Response']", "Yes: minus four.")
    page.browser.back()
    page.shows(".whole h2", "Call 1 of default")


def test_a_stream_is_a_picture_and_a_table(page: Page, bedrock: Replayer) -> None:
    listen(bedrock, "Tell a story")
    page.open("#/calls/default/1")
    picture = page.one(".picture svg")
    assert (
        picture.get_attribute("aria-label")
        == "Timeline of the stream: 6 events; the head after 120 ms, the last event due at 440 ms"
    )
    bars = page.all(".picture rect:not(.waiting)")
    assert len(bars) == 6
    places = [bar.rect["x"] for bar in bars]
    assert places == sorted(places)
    assert places[0] > picture.rect["x"] + picture.rect["width"] / 5  # the head took its time
    page.unfold("All events")
    page.shows(".events", " a dark")
    kinds = [cell.text for cell in page.all(".events td:nth-child(5)")]
    assert kinds == ["messageStart", *["contentBlockDelta"] * 3, "contentBlockStop", "messageStop"]
    page.shows(".turn.model .said", "It was a dark night.")


def test_a_conversation_shows_both_directions_on_one_axis(page: Page, bedrock: Replayer) -> None:
    bedrock.respond(
        operation=OPERATION,
        conversation=[{"when": {"event": "audioInput", "nth": 2}, "text": "<b>Hi!</b>"}],
    )
    with Duplex(bedrock.port) as client:
        client.send(*SETUP, *audio_content(2))
        client.read_until(7)
        client.end()
        client.read_all()
    page.until(lambda: len(page.rows("calls")) == 1)
    page.open("#/calls/default/1")
    label = page.one(".picture svg").get_attribute("aria-label")
    assert label is not None
    assert "8 events of the model, 9 events of the client" in label
    assert len(page.all(".picture .input")) == 8, "audio in a row is one mark"
    page.unfold("All events")
    page.shows(".events", "<b>Hi!</b>")
    rows = [
        (row.text, name.text)
        for row, name in zip(
            page.all(".events td:nth-child(2)"), page.all(".events td:nth-child(3)"), strict=True
        )
    ]
    assert rows[:2] == [("client", "sessionStart"), ("client", "promptStart")]
    assert [name for side, name in rows if side == "client"][6] == "audioInput ×2"
    assert rows.index(("model", "textOutput")) > rows.index(("client", "audioInput ×2"))
    assert rows[-1] == ("model", "completionEnd")


def test_what_never_went_out_is_told_from_what_did(page: Page, bedrock: Replayer) -> None:
    """A client that went after three events, and a stream that a fault cut."""

    def leave() -> None:
        answer = bedrock.engine.answer(
            "POST", path("converse-stream"), Head.of(()), prompt("Tell a story")
        )
        bedrock.engine.finish(Outcome(answer, BEGAN, 0.1, False, 3))

    bedrock.run(leave)
    page.open("#/calls/default/1")
    page.shows("figcaption", "3 never sent")
    assert len(page.all(".picture .unsent")) == 3
    page.shows(".whole", "The client went before the answer's end.")
    bedrock.fault(truncate={"after_events": 2})
    listen(bedrock, "Tell a story")
    page.open("#/calls/default/2")
    page.shows(".whole", "The stream ended before all of its events were sent.")
    page.shows(".whole", "Faults that happened to it: fault-1.")


def test_attempts_are_grouped(page: Page, bedrock: Replayer) -> None:
    bedrock.fail("ThrottlingException", times=2)
    say(bedrock, "Is it cold in Oslo?")
    page.until(lambda: [row[6] for row in page.rows("calls")] == ["", "×2", "×3"])
    page.click("#calls-2")
    page.shows(".whole h2", "Call 3")
    rows = [row.text for row in page.all(".whole tbody tr")]
    assert [row.split()[:5] for row in rows[:2]] == [
        [str(n), "call", str(n), "429", "ThrottlingException"] for n in (1, 2)
    ]
    assert rows[2].split()[:4] == ["3", "call", "3", "200"]
    page.click(".whole a[href='#/calls/default/1']")
    page.shows(".whole h2", "Call 1 of default")
    assert page.one("#calls-0").get_attribute("aria-selected") == "true"


def test_a_miss_stands_beside_its_nearest_recordings(page: Page, bedrock: Replayer) -> None:
    say(bedrock, "Is it cold in Rome?", inferenceConfig={"maxTokens": 5})
    page.open("#/calls/default/1")
    page.shows(".near h4", "Nearest: weather/0001")
    assert len(page.all(".near")) == 2
    differing = [
        [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
        for row in page.all(".differences tbody tr")
    ]
    assert [
        "messages[0].content[0].text",
        '"Is it cold in Rome?"',
        '"Is it cold in Oslo?"',
    ] in differing
    assert ["inferenceConfig", '{"maxTokens":5}', "not in the recording"] in differing
    lines = page.script(
        "return [...document.querySelectorAll('.sides tbody tr')].map(r => [...r.cells].map(c =>"
        " c.firstChild?.data?.trim() ?? null))"
    )
    assert ['"text": "Is it cold in Rome?"', '"text": "Is it cold in Oslo?"'] in lines
    assert ['"role": "user",', '"role": "user",'] in lines
    assert ['"maxTokens": 5', None] in lines


def test_a_call_stands_beside_its_recording_and_beside_the_conditions(
    page: Page, bedrock: Replayer
) -> None:
    bedrock.respond("refund", "Which order?", model="*claude*")
    say(bedrock, "Is it cold in Oslo?")
    page.open("#/calls/default/1")
    page.one(".whole")
    page.unfold("The request beside the recorded request")
    page.shows(".whole", "Both requests are equal.")
    page.unfold("The conditions of all rules and faults")
    cells = (
        "return [...document.querySelectorAll('[aria-label^=\"Conditions\"] tbody tr')].map(r =>"
        " [...r.cells].map(c => c.textContent))"
    )
    page.until(lambda: page.script(cells))
    assert page.script(cells) == [
        ["rule-1", "model", '"*claude*"', f'"{MODEL}"', "no"],
        ["rule-1", "prompt_contains", '"refund"', '"Is it cold in Oslo?"', "no"],
    ]


def test_calls_are_drawn_on_a_timeline_with_their_attempts(page: Page, bedrock: Replayer) -> None:
    bedrock.fail("ThrottlingException", times=2)
    say(bedrock, "Is it cold in Oslo?")
    bedrock.fault(latency={"first_byte_ms": 30, "between_ms": 5})
    listen(bedrock, "Tell a story")
    page.until(lambda: len(page.rows("calls")) == 4)
    page.button("Timeline").click()
    page.until(lambda: [row[3] for row in page.rows("timeline")] == ["×3", ""])
    hits = ".bars [data-number] .hit"
    places = page.script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".map(each => each.getBoundingClientRect().x)",
        hits,
    )
    assert places == sorted(places)
    told = page.script("return [...document.querySelectorAll('.bars')].map(each => each.ariaLabel)")
    assert told[0].startswith("429 ThrottlingException")
    assert "attempt 3, 200" in told[0]
    assert "6 events, the first after" in told[1]
    assert len(page.all(".bars .mark")) == 6
    pointer = ActionChains(page.browser)
    page.until(lambda: pointer.move_to_element(page.all(hits)[1]).click().perform() or True)
    page.shows(".whole h2", "Call 2 of default")
    page.press(Keys.ESCAPE, "v")
    page.until(lambda: len(page.rows("calls")) == 4)


def test_the_timeline_zooms(page: Page, bedrock: Replayer) -> None:
    bedrock.respond(text="An answer.")
    happen(bedrock, 8, lambda number: f"question {number}")
    page.until(lambda: len(page.rows("calls")) == 8)
    page.press("v")
    page.until(lambda: len(page.rows("timeline")) == 8)

    def prompts() -> list[str]:
        labels = page.script(
            "return [...document.querySelectorAll('.timeline .rows-body .row [data-number]')]"
            ".map(each => each.dataset.number)"
        )
        return [str(label) for label in labels]

    def wide() -> float:
        bars = "[...document.querySelectorAll('.bars [data-number] .waiting')]"
        widths = f"return Math.max(...{bars}.map(each => each.getBoundingClientRect().width))"
        return float(page.script(widths))

    whole, all_calls = wide(), prompts()
    page.press("+", "+")
    page.until(lambda: len(prompts()) < 8)
    assert wide() > whole * 3
    assert page.text("#said").startswith("from ")
    middle = prompts()
    page.press("]")
    page.until(lambda: prompts() != middle)
    assert prompts()[-1] > middle[-1]
    page.button("[").click()
    page.until(lambda: prompts() == middle)
    page.press("0")
    page.until(lambda: prompts() == all_calls)
    axis = page.one(".axis")
    left = -axis.rect["width"] / 2 + 2
    drag = (
        ActionChains(page.browser).move_to_element_with_offset(axis, int(left), 0).click_and_hold()
    )
    drag.move_by_offset(int(axis.rect["width"] / 4), 0).release().perform()
    page.until(lambda: prompts() == all_calls[: len(prompts())] and len(prompts()) < 5)
    page.press("-", "-", "-", "-")
    page.until(lambda: prompts() == all_calls)
    page.press("v")
    page.until(lambda: not page.one(".zoom").is_displayed())


def test_the_wheel_zooms_around_the_pointer(page: Page, bedrock: Replayer) -> None:
    """The wheel without Ctrl scrolls, as everywhere."""
    bedrock.respond(text="An answer.")
    happen(bedrock, 8, lambda number: f"question {number}")
    page.until(lambda: len(page.rows("calls")) == 8)
    page.press("v")
    page.until(lambda: len(page.rows("timeline")) == 8)

    def roll(place: float, down: int, *, ctrl: bool = True) -> bool:
        """Turn the wheel over a place of the axis, from 0 to 1. Return whether the page took it."""
        return bool(
            page.script(
                "const { left, width } = document.querySelector('.axis').getBoundingClientRect();"
                "const event = new WheelEvent('wheel', { bubbles: true, cancelable: true,"
                " clientX: left + width * arguments[0], deltaY: arguments[1],"
                " ctrlKey: arguments[2] });"
                "document.querySelector('.timeline .bars').dispatchEvent(event);"
                "return event.defaultPrevented",
                place,
                down,
                ctrl,
            )
        )

    def numbers() -> list[int]:
        """The calls in the part of the axis that is shown."""
        bars = "[...document.querySelectorAll('.timeline .rows-body .row [data-number]')]"
        return [int(each) for each in page.script(f"return {bars}.map(e => e.dataset.number)")]

    whole = [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers() == whole
    assert not roll(0.5, -100, ctrl=False)
    assert numbers() == whole
    assert roll(0.02, -100)
    page.until(lambda: numbers()[0] == 1 and numbers()[-1] < 8)
    assert page.text("#said").startswith("from ")
    assert roll(0.02, 100)
    page.until(lambda: numbers() == whole)
    assert page.text("#said") == "the whole axis"
    assert roll(0.98, -100)
    page.until(lambda: numbers()[0] > 1 and numbers()[-1] == 8)
    assert roll(0.5, 100)
    page.until(lambda: numbers() == whole)
    assert roll(1.5, -100)
    assert numbers() == whole


# -- sessions, rules, faults, cassettes ------------------------------------------------------------


def test_a_rule_is_added_and_removed_by_hand(page: Page, bedrock: Replayer) -> None:
    page.open("#/sessions/by-hand")
    page.one("#layer-prompt").send_keys("spam")
    page.one("#layer-fill").send_keys("ham")
    page.one("#layer-times").send_keys("2")
    assert json.loads(page.one("#layer-document").get_attribute("value") or "") == {
        "when": {"prompt_contains": "spam"}, "answer": {"text": "ham"}, "times": 2,
    }  # fmt: skip
    page.button("Add it").click()
    page.shows(".layers table", "rule-1")
    assert page.text("#said") == "the rule is added"
    assert say(bedrock, "spam", "by-hand") == "ham"
    assert "CassetteMissException" in say(bedrock, "other", "by-hand")
    page.open("#/sessions/by-hand")
    page.shows(".layers table", "1 call")
    page.click("button[aria-label='Remove rule rule-1']")
    page.shows(".layers", "None: the cassette answers.")
    assert "CassetteMissException" in say(bedrock, "spam", "by-hand")


def test_a_fault_is_added_and_removed_by_hand(page: Page, bedrock: Replayer) -> None:
    page.open("#/sessions/default")
    page.choose("#layer-kind", "fault: error")
    page.one("#layer-fill").send_keys("ServiceUnavailableException")
    page.button("Add it").click()
    page.shows(".layers table", "fault-1")
    assert "ServiceUnavailableException" in say(bedrock, "Is it cold in Oslo?")
    page.click("button[aria-label='Remove fault fault-1']")
    page.shows(".layers", "None: the cassette answers.")
    assert say(bedrock, "Is it cold in Oslo?") == "Yes: minus four."


def test_every_kind_that_the_form_offers_is_one(page: Page) -> None:
    page.open("#/sessions/kinds")
    kinds = [option.text for option in Select(page.one("#layer-kind")).options]
    assert len(kinds) > 6
    for number, kind in enumerate(kinds, 1):
        page.choose("#layer-kind", kind)
        page.button("Add it").click()
        page.until(lambda n=number: len(page.all(".layers tbody tr")) == n, kind)


@pytest.mark.parametrize(
    ("document", "said"),
    [('{"answer": {"text": 1}, "times": 0}', ("answer.text", "times")), ("{", ("expected JSON",))],
)
def test_what_is_no_rule_is_said(
    page: Page, bedrock: Replayer, document: str, said: tuple[str, ...]
) -> None:
    """With every problem; a refusal is an answer, which browsers still log as an error."""
    page.open("#/sessions/default")
    field = page.one("#layer-document")
    field.clear()
    field.send_keys(document)
    page.button("Add it").click()
    for text in said:
        page.shows("#layer-wrong", text)
    refused = [
        entry
        for entry in page.browser.get_log("browser")
        if "400 (Bad Request)" not in entry["message"]
    ]
    assert refused == []


def test_a_session_is_set(page: Page, bedrock: Replayer) -> None:
    page.click("nav a[data-view='sessions']")
    page.one('[aria-label="A session\'s name"]').send_keys("tests/poet", Keys.ENTER)
    page.choose("#session-cassette", "poems")
    page.choose("#session-strict", "each recording once")
    page.button("Save").click()
    page.until(lambda: page.text("#said") == "saved")
    assert say(bedrock, "Write a poem", "tests/poet") == "Roses are red."
    assert "strict playback plays each recording once" in say(bedrock, "Write a poem", "tests/poet")
    assert "CassetteMissException" in say(bedrock, "Is it cold in Oslo?", "tests/poet")
    page.until(lambda: page.rows("sessions") == [["tests/poet", "3"]])
    page.button("Forget its calls").click()
    page.until(lambda: page.rows("sessions") == [["tests/poet", "0"]])
    page.button("Forget the session").click()
    page.until(lambda: page.rows("sessions") == [])


def test_a_sessions_clients_are_judged(page: Page, bedrock: Replayer) -> None:
    say(bedrock, "Write a poem")
    page.open("#/sessions/default")
    for summary in ("What its clients did wrong in retrying", "Recordings never asked for"):
        page.unfold(summary)
    page.shows("pre[aria-label='Recordings never asked for']", "weather/0001")
    page.shows(".whole", "Nothing.")


def test_cassettes_are_browsed(page: Page) -> None:
    page.click("nav a[data-view='cassettes']")
    page.until(
        lambda: [row[:2] for row in page.rows("cassettes")] == [["poems", "1"], ["weather", "2"]]
    )
    page.click("#cassettes-1")
    page.until(lambda: len(page.rows("recordings")) == 2)
    page.one("input[aria-label='Text in recordings']").send_keys("STORMY")
    page.until(lambda: page.rows("recordings") == [])
    page.one("input[aria-label='Text in recordings']").clear()
    page.one("input[aria-label='Text in recordings']").send_keys("dark")
    page.until(lambda: [row[1] for row in page.rows("recordings")] == ["ConverseStream"])
    page.click("#recordings-0")
    page.shows(".whole h2", "weather/0002")
    page.shows("pre[aria-label='Request']", "Tell a story")
    page.shows("pre[aria-label='Response']", "contentBlockDelta")


@pytest.fixture
def editable(bedrock: Replayer, tmp_path: Path) -> Path:
    """The folder of cassettes, which the server may change."""
    bedrock.engine.editor = FolderEditor(tmp_path, ALWAYS, bedrock.reload)
    return tmp_path


def test_a_server_that_only_reads_offers_no_edit(page: Page, bedrock: Replayer) -> None:
    say(bedrock, "Is it cold in Oslo?")
    page.open("#/calls/default/1")
    page.shows(".whole h2", "Call 1")
    assert "Keep as recording" not in page.text(".whole")
    page.click(".whole a[href^='#/cassettes/']")
    page.shows(".whole h2", "weather/0001")
    assert "Edit" not in page.text(".whole")


@pytest.mark.usefixtures("editable")
def test_a_call_is_kept_as_a_recording(page: Page, bedrock: Replayer) -> None:
    bedrock.respond("Rome", "No, it is warm.", times=1)
    say(bedrock, "Is it cold in Rome?")
    page.open("#/calls/default/1")
    page.shows(".whole h2", "Call 1")
    page.unfold("Keep as recording")
    page.one("input[aria-label='The cassette']").clear()
    page.one("input[aria-label='The cassette']").send_keys("warm/places")
    page.button("Keep it").click()
    page.until(
        lambda: "It is kept as warm/places/0001-converse" in page.text(".adding [role='status']")
    )
    assert say(bedrock, "Is it cold in Rome?") == "No, it is warm."
    page.click(".adding a")
    page.shows(".whole h2", "warm/places/0001")


def test_a_recordings_text_is_edited(page: Page, bedrock: Replayer, editable: Path) -> None:
    page.open("#/cassettes/weather")
    page.click("#recordings-0")
    page.shows(".whole h2", "weather/0001")
    page.unfold("Edit")
    area = page.one("textarea")
    page.until(lambda: "Yes: minus four." in (area.get_attribute("value") or ""))
    change = "const [area, from, to] = arguments; area.value = area.value.replace(from, to);"
    page.script(change, area, "Yes: minus four.", "No: plus nine.")
    page.button("Save").click()
    page.until(lambda: page.text(".adding [role='status']") == "It is saved.")
    assert say(bedrock, "Is it cold in Oslo?") == "No: plus nine."
    (file,) = editable.glob("weather/0001-*.yaml")
    file.write_bytes(file.read_bytes() + b"# by somebody else\n")
    page.script(change, area, "No: plus nine.", "Perhaps.")
    page.button("Save").click()
    page.until(lambda: "found another version" in page.text(".adding [role='status']"))
    assert "Perhaps." in (area.get_attribute("value") or "")
    assert say(bedrock, "Is it cold in Oslo?") == "No: plus nine."
    page.browser.get_log("browser")  # a refusal is an answer, which browsers still log as an error


def test_a_server_of_the_command_line_edits_with_its_option(
    chromium: Chrome, bedrock: Replayer, tmp_path: Path
) -> None:
    """From the command to the file and to the next answer."""
    folder = tmp_path / "cassettes"
    write(folder, Cassette("weather", (converse("Is it cold in Oslo?", "Yes: minus four."),)))
    program = "from bedtape_cassettes.cli.main import main; main()"
    command = [sys.executable, "-c", program, "replay", str(folder), "--edit", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            url = next(
                m[0]
                for line in process.stdout
                if (m := re.search(r"http://127\.0\.0\.1:\d+", line))
            )
            other = Page(chromium, bedrock)
            chromium.get(f"{url}/_bedtape/#/cassettes/weather")
            other.click("#recordings-0")
            other.unfold("Edit")
            area = other.one("textarea")
            other.until(lambda: "Yes: minus four." in (area.get_attribute("value") or ""))
            change = (
                "const [area, from, to] = arguments; area.value = area.value.replace(from, to);"
            )
            other.script(change, area, "Yes: minus four.", "No: plus nine.")
            other.button("Save").click()
            other.until(lambda: other.text(".adding [role='status']") == "It is saved.")
            (file,) = folder.glob("weather/0001-*.yaml")
            assert b"No: plus nine." in file.read_bytes()
            messages: Any = [{"role": "user", "content": [{"text": "Is it cold in Oslo?"}]}]
            answer = boto3_client(url).converse(modelId=MODEL, messages=messages)
            assert answer["output"]["message"]["content"] == [{"text": "No: plus nine."}]
        finally:
            chromium.get("about:blank")
            process.terminate()


# -- keys, screen readers, light and dark ----------------------------------------------------------


def test_all_of_it_by_keys(page: Page, bedrock: Replayer) -> None:
    for _ in range(3):
        say(bedrock, "Is it cold in Oslo?")
    page.until(lambda: len(page.rows("calls")) == 3)
    page.script("document.querySelector('.calls').focus()")
    page.press(Keys.ARROW_DOWN, "j", "j", "k")
    grid = page.one(".calls")
    assert grid.get_attribute("aria-activedescendant") == "calls-1"
    assert page.all(".whole") == []
    page.press(Keys.ENTER)
    page.until(lambda: page.focused().get_attribute("id") == "whole-title")
    assert page.focused().text == "Call 2 of default"
    page.press(Keys.ESCAPE)
    page.until(lambda: page.all(".whole") == [])
    assert page.focused() == grid
    page.press("2")
    page.until(
        lambda: page.one("nav a[data-view='sessions']").get_attribute("aria-current") == "page"
    )
    page.press("3")
    page.until(
        lambda: page.one("nav a[data-view='cassettes']").get_attribute("aria-current") == "page"
    )
    page.press("1")
    page.until(lambda: page.one("nav a[data-view='calls']").get_attribute("aria-current") == "page")
    page.press("/", "2?")
    assert page.focused().get_attribute("value") == "2?"  # where text goes, keys are text
    page.press(Keys.ESCAPE, Keys.TAB, "?")
    assert page.one("#keys").is_displayed()
    page.press(Keys.ESCAPE)
    assert not page.one("#keys").is_displayed()


def test_single_keys_can_be_turned_off(page: Page) -> None:
    page.button("Keys").click()
    page.click("#single")
    page.press(Keys.ESCAPE, "3", "?")
    assert not page.one("#keys").is_displayed()
    assert page.one("nav a[data-view='calls']").get_attribute("aria-current") == "page"


def test_focus_is_seen(page: Page) -> None:
    seen = []
    for _ in range(10):
        page.press(Keys.TAB)
        seen.append(
            page.script(
                "const s = getComputedStyle(document.activeElement); return [s.outlineStyle,"
                " s.outlineWidth]"
            )
        )
    assert seen == [["solid", "2px"]] * 10


PLACES = [
    "#/calls",
    "#/calls/default/1",
    "#/calls/default/2",
    "#/sessions/default",
    "#/cassettes/weather",
]


def filled(page: Page, bedrock: Replayer) -> None:
    bedrock.fault(latency={"first_byte_ms": 1})
    listen(bedrock, "Tell a story")
    say(bedrock, "Is it cold in Rome?")
    page.until(lambda: len(page.rows("calls")) == 2)


def test_screen_readers_are_told_what_everything_is(page: Page, bedrock: Replayer) -> None:
    """By Chromium's own accessibility tree: whatever can be used has a name."""
    filled(page, bedrock)
    used = {
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "checkbox",
        "grid",
        "spinbutton",
        "image",
        "dialog",
        "table",
        "region",
    }
    roles = set()
    for place in PLACES:
        page.open(place)
        page.one(
            ".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row"
        )
        for node in page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
            role = node.get("role", {}).get("value")
            if role in used and not node.get("ignored"):
                assert node["name"]["value"].strip(), (place, node)
                roles.add(role)
    assert roles >= {"button", "link", "combobox", "grid", "textbox", "searchbox", "image", "table"}


_CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const read = (colours) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const light = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  const found = [];
  for (let at = node; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor);
  return ["white", ...found];
};
const low = [];
let seen = 0;
for (const node of document.body.querySelectorAll("*")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!own || !node.checkVisibility() || node instanceof SVGElement) continue;
  seen += 1;
  const backs = behind(node);
  const [a, b] = [light(read([...backs, getComputedStyle(node).color])), light(read(backs))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) low.push([node.className, node.textContent.slice(0, 40), ratio]);
}
return [seen, low];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page: Page, bedrock: Replayer, scheme: str) -> None:
    """WCAG's contrast of 4.5, of all text in sight; the page is as the system is."""
    filled(page, bedrock)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        for place in PLACES:
            page.open(place)
            page.one(
                ".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row"
            )
            seen, low = page.script(_CONTRAST)
            assert seen > 10
            assert low == [], place
        back = page.script("return getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_theme_can_be_chosen_and_stays(page: Page) -> None:
    def back() -> str:
        return str(page.script("return getComputedStyle(document.documentElement).colorScheme"))

    assert back() == "light dark"
    page.button("Theme: system").click()
    assert back() == "light"
    page.press("t")
    assert back() == "dark"
    page.open()
    assert page.one("#theme").text == "Theme: dark"
    assert back() == "dark"
    page.press("t")
    assert back() == "light dark"


# Buttons that are outside what their section shows.
_CUT = """return [...document.querySelectorAll('.layers button')].filter((button) =>
  button.getBoundingClientRect().right > button.closest('.layers').getBoundingClientRect().right)
  .map((button) => button.textContent)"""
# Cells of sessions that do not show the end of the name, which is the name of the test.
_HIDDEN_ENDS = """return [...document.querySelectorAll('.calls .rows-body .tail')].filter((name) =>
  name.getBoundingClientRect().right > name.parentElement.getBoundingClientRect().right + 1)
  .map((name) => name.textContent)"""


@pytest.mark.parametrize("width", [400, 1280, 1920])
def test_it_fits_every_window(page: Page, bedrock: Replayer, width: int) -> None:
    filled(page, bedrock)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for place in PLACES:
            page.open(place)
            page.one(
                ".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row"
            )
            code = (
                "return [document.documentElement, document.querySelector('.detail')].map(e =>"
                " e.scrollWidth - e.clientWidth)"
            )
            assert page.script(code) == [0, 0], place
            assert page.script(_CUT) == [], place
        say(bedrock, "Is it cold in Rome?", "tests/test_weather.py::test_that_it_is_cold_in_rome")
        page.open()
        page.until(lambda: len(page.rows("calls")) == 3)
        assert page.script(_HIDDEN_ENDS) == []
        page.button("Timeline").click()
        page.one(".bars")
        assert page.script(code) == [0, 0]
        assert (
            page.script(
                "const t = document.querySelector('.timeline'); return t.scrollWidth -"
                " t.clientWidth"
            )
            == 0
        )
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# -- hostile text ----------------------------------------------------------------------------------

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><svg"
    " onload='window.hacked = 3'><a href=\"javascript:window.hacked = 4\">x</a><iframe"
    " srcdoc='<script>parent.hacked ="
    " 5</script>'></iframe></pre></title><style>*{display:none}</style>{{7*7}}${7*7}\u202e"
)


HOSTILE_SESSION = f"s{HOSTILE[:60]}"
HOSTILE_FILE = "evil/<img src=x onerror=window.hacked=6>.yaml"


def place(*parts: str) -> str:
    return "#/" + "/".join(quote(part, safe="") for part in parts)


def haunt(bedrock: Replayer) -> None:
    """Text of others wherever there can be some: prompts, tools, models, sessions,
    headers, errors, answers, files.
    """
    model, evil = f"anthropic.claude-{HOSTILE[:40]}", bedrock.session(HOSTILE_SESSION)
    evil.respond(
        text=HOSTILE,
        tool={"name": HOSTILE[:60], "input": {HOSTILE: HOSTILE}},
        reasoning=HOSTILE,
        times=2,
    )
    evil.fail("ValidationException", message=HOSTILE, times=1)
    tools = {"tools": [{"toolSpec": {"name": HOSTILE, "inputSchema": {"json": {}}}}]}
    body = {**ask(HOSTILE), "system": [{"text": HOSTILE}], "toolConfig": tools}
    body["inferenceConfig"] = {"stopSequences": [HOSTILE]}

    def send(number: int, operation: str) -> None:
        told = (*aws("i", number), ("x-bedtape-session", HOSTILE_SESSION), ("x-evil", HOSTILE[:-1]))
        head = Head.of(tuple((name.encode(), value.encode("latin-1")) for name, value in told))
        answer = bedrock.engine.answer(
            "POST", path(operation, model), head, json.dumps(body).encode()
        )
        bedrock.engine.finish(Outcome(answer, BEGAN + number, 0.1, True, len(answer.reply.pieces)))

    for number, operation in enumerate(("converse", "converse", "converse-stream", "converse"), 1):
        bedrock.run(lambda number=number, operation=operation: send(number, operation))
    recording = replace(converse(HOSTILE, HOSTILE, model=model), file=HOSTILE_FILE)
    library = Library([Cassette("evil", (recording,))])
    bedrock.run(lambda: setattr(bedrock.engine, "library", library))


# Where it is shown, what is there when it is, and what is then to be read: as it
# is, and as JSON has it.
HAUNTED = [
    *((place("calls", HOSTILE_SESSION, str(number)), ".whole", HOSTILE) for number in (1, 2, 3, 4)),
    (place("calls"), "#calls-3", HOSTILE[:160]),
    (place("calls", HOSTILE), ".count", "0 of 4 calls"),
    (
        place("sessions", HOSTILE_SESSION),
        ".layers table",
        json.dumps(HOSTILE, ensure_ascii=False)[1:-1],
    ),
    (
        place("cassettes", "evil", HOSTILE_FILE),
        ".whole",
        json.dumps(HOSTILE, ensure_ascii=False)[1:-1],
    ),
    (place("cassettes", "evil", HOSTILE), "#recordings-0", HOSTILE_FILE),
]
# Elements and attributes that the page itself never makes.
_MADE = (
    "script:not([src='inspector/app.js']), img, iframe, body style, object, embed, [onerror],"
    " [onload], [srcdoc], a[href^='javascript']"
)


def test_hostile_text_is_text(page: Page, bedrock: Replayer) -> None:
    haunt(bedrock)
    for where, there, read in HAUNTED:
        page.open(where)
        page.one(there)
        page.script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        unfolded = (
            "return [...document.querySelectorAll('details')].every((each) => each.children.length"
            " > 1)"
        )
        page.until(lambda code=unfolded: page.script(code))
        page.shows("main", read)
        assert page.all(_MADE) == [], where
        assert page.script("return window.hacked ?? null") is None, where
    page.open("#/calls")
    page.button("Timeline").click()
    page.until(lambda: [row[3] for row in page.rows("timeline")] == ["×4"])
    assert page.all(_MADE) == []
    assert page.script("return window.hacked ?? null") is None


@pytest.mark.usefixtures("editable")
def test_hostile_text_is_text_in_an_edit_and_its_refusal(
    page: Page, bedrock: Replayer, tmp_path: Path
) -> None:
    write(tmp_path, Cassette("evil", (converse(HOSTILE, HOSTILE),)))
    bedrock.reload()
    page.open("#/cassettes/evil")
    page.click("#recordings-0")
    page.one(".whole")
    page.unfold("Edit")
    area = page.one("textarea")
    page.until(lambda: "<script>" in (area.get_attribute("value") or ""))
    page.script(
        "arguments[0].value = 'bedtape: 1\\n' + arguments[1] + ': 1\\n'", area, HOSTILE[:60]
    )
    page.button("Save").click()
    page.until(lambda: page.text(".adding [role='status'] .failure"))
    assert page.all(_MADE) == []
    assert page.script("return window.hacked ?? null") is None
    page.browser.get_log("browser")  # a refusal is an answer, which browsers still log as an error


def test_script_could_not_run_if_it_got_in(page: Page) -> None:
    """The policy is the second lock: inline script, handlers and other hosts
    are refused by the browser.
    """
    page.script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        " document.body.append(s);const b = document.createElement('button');"
        " b.setAttribute('onclick', 'window.hacked = 2');document.body.append(b); b.click();"
    )
    assert page.script("return window.hacked ?? null") is None
    sent = (
        "const [url, done] = arguments; fetch(url).then(() => done('sent'), () => done('refused'))"
    )
    assert page.browser.execute_async_script(sent, "http://localhost:9/") == "refused"
    refused = [
        entry["message"] for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"
    ]
    assert len(refused) >= 3
    assert all("Content Security Policy" in message for message in refused)


# -- a token ---------------------------------------------------------------------------------------


def test_the_page_asks_for_the_token(chromium: Chrome, bedrock: Replayer) -> None:
    """Not with `page`: browsers log the 401 by which it learns that it needs one."""
    say(bedrock, "Is it cold in Oslo?")
    bedrock.run(
        lambda: setattr(bedrock.engine, "control", Gate(bedrock.engine, "the-right-token-of-all"))
    )
    page = Page(chromium, bedrock)
    page.open()
    page.until(lambda: page.one("#ask").is_displayed())
    page.press(Keys.ESCAPE)
    page.one("#token").send_keys("another-token-of-some-kind", Keys.ENTER)
    page.shows("#ask-why", "does not take this token")
    page.until(lambda: page.one("#ask").is_displayed())
    page.one("#token").send_keys("the-right-token-of-all", Keys.ENTER)
    page.until(lambda: len(page.rows("calls")) == 1)
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of default")
    kept = page.script(
        "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
        " location.href])"
    )
    assert "the-right-token" not in kept
    page.open()
    page.until(lambda: page.one("#ask").is_displayed())
    chromium.get("about:blank")
    logged = [
        entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"
    ]
    assert [message for message in logged if "401" not in message] == []


# -- calls that run --------------------------------------------------------------------------------


def test_a_stream_that_hangs_is_seen_and_drawn_with_its_own_times(
    page: Page, bedrock: Replayer
) -> None:
    bedrock.fault(stall={"after_events": 3})
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    connection.request("POST", path("converse-stream"), prompt("Tell a story"))
    assert connection.getresponse().read(10)
    page.until(lambda: [row[5] for row in page.rows("calls")] == ["running, 3 events"])
    page.click("#calls-0")
    page.shows(".detail", "is still running: running, 3 events")
    connection.close()
    page.shows(".whole h2", "Call 1 of default")
    page.shows(".whole header .badge", "200, client left")
    page.shows("figcaption", "Times are those of this answer")


def test_a_call_that_got_no_status_is_told_so(page: Page, bedrock: Replayer) -> None:
    bedrock.fault(reset={})
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    connection.request("POST", path(), prompt("Write a poem"))
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    page.until(lambda: [row[5] for row in page.rows("calls")] == ["no answer"])
    page.click("#calls-0")
    page.shows(".whole header .badge", "no answer")


# -- find, compare, use elsewhere ------------------------------------------------------------------


def test_calls_are_sorted_and_found_by_answer_error_and_id(page: Page, bedrock: Replayer) -> None:
    for text in ("Write a poem", "Never recorded", "Is it cold in Oslo?"):
        say(bedrock, text)
    page.until(lambda: len(page.rows("calls")) == 3)

    def prompts() -> list[str]:
        return [row[9] for row in page.rows("calls")]

    page.button("prompt").click()
    assert prompts() == ["Is it cold in Oslo?", "Never recorded", "Write a poem"]
    page.button("prompt").click()
    assert prompts() == ["Write a poem", "Never recorded", "Is it cold in Oslo?"]
    assert page.one("[aria-sort='descending']").text.startswith("prompt")
    page.button("prompt").click()
    assert prompts() == ["Write a poem", "Never recorded", "Is it cold in Oslo?"]
    number = dict(bedrock.calls[2].answer_headers)["x-amzn-requestid"]
    for text, numbers in [
        ("minus FOUR", "Is it cold in Oslo?"),
        ("cassettemiss", "Never recorded"),
        (number, "Is it cold in Oslo?"),
    ]:
        page.one("[type='search']").clear()
        page.one("[type='search']").send_keys(text)
        assert prompts() == [numbers], text


def test_a_miss_is_answered_and_a_call_used_elsewhere(
    page: Page, bedrock: Replayer, tmp_path: Path
) -> None:
    """The code and the test are run as they are copied, and the command as well."""
    bedrock.respond("refund", "no", name="refunds")
    text = 'It\'s \\ a "question": $HOME `x` \u00e9'
    assert "CassetteMissException" in say(bedrock, text)
    page.open("#/calls/default/1")
    page.shows(
        "pre[aria-label='Why nothing answered']", 'refunds: prompt_contains expected "refund"'
    )
    page.unfold("Add a rule")
    page.button("Add the rule").click()
    page.shows("[role='status']", "")
    page.until(lambda: "is added" in page.text(".adding [role='status']"))
    assert say(bedrock, text) == "An answer."
    page.open("#/calls/default/2")
    page.one(".whole")
    page.unfold("With another call")
    page.until(lambda: "CassetteMissException" in page.text(".whole .sides"))
    forms = {}
    for name in ("curl", "boto3", "overlay rule", "pytest test"):
        page.unfold(name)
        forms[name] = page.until(lambda name=name: page.text(f"pre[aria-label='{name}']"))
    (tmp_path / "overlay.json").write_text(forms["overlay rule"])
    with Replayer((), overlay=tmp_path / "overlay.json") as other:
        assert say(other, text) == "An answer."
    (tmp_path / "test_copied.py").write_text(forms["pytest test"])
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    for command in (
        [sys.executable, "-c", forms["boto3"]],
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(tmp_path / "test_copied.py"),
        ],
        *([["sh", "-c", forms["curl"]]] if shutil.which("curl") else []),
    ):
        done = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "An answer." in done.stdout or "1 passed" in done.stdout, command


# -- the report ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [400, 1280, 1920])
def test_a_report_opens_from_a_file(
    chromium: Chrome, bedrock: Replayer, tmp_path: Path, width: int
) -> None:
    """Not with `page`: there is no server. Hostile text is text here too, and nothing is loaded."""
    say(bedrock, "Is it cold in Oslo?")
    haunt(bedrock)
    parts = bedrock.run(lambda: [capture(bedrock.engine, each) for each in bedrock.engine.sessions])
    (tmp_path / "report.html").write_bytes(build_report(parts, "pytest"))
    bedrock.stop()
    for log in ("browser", "performance"):
        chromium.get_log(log)
    page = Page(chromium, bedrock)
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        for where, there in [
            ("#/calls", "#calls-4"),
            *((place("calls", HOSTILE_SESSION, str(number)), ".whole") for number in (1, 2, 3, 4)),
            (place("sessions", HOSTILE_SESSION), ".layers table"),
            ("#/cassettes", "nav a[data-view='cassettes'][aria-current]"),
        ]:
            chromium.get("about:blank")
            chromium.get(f"{(tmp_path / 'report.html').as_uri()}{where}")
            page.one(there)
            page.script(
                "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
            )
            assert page.script("return window.hacked ?? null") is None, where
            assert page.script("return document.documentElement.scrollWidth") <= width, where
            assert page.all("img, iframe, object, embed, [onerror], [onload], [srcdoc]") == [], (
                where
            )
        page.shows(".state", "report of pytest")
        page.press("1")
        page.button("Timeline").click()
        page.until(lambda: len(page.rows("timeline")) == 2)
        assert page.script("return window.hacked ?? null") is None
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [
        entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"
    ] == []
    asked = {
        message["params"]["request"]["url"].partition("#")[0].partition(":")[0]
        for entry in chromium.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    }
    chromium.get("about:blank")
    assert asked <= {"file", "data", "about"}
