"""The inspector in a real Chromium: every flow a person has, by mouse and by keys, and what a screen reader is told.

Each test fails on any error in the browser's console, and on any request that leaves the server.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from support.authored import ask
from support.boto import boto3_client
from support.folders import write
from support.happened import BEGAN, aws
from support.recordings import MODEL, converse, path, prompt, stream

CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--window-size=1300,900", "--lang=en"),
)


def _found(*names: str) -> str:
    for name in names:
        if (program := shutil.which(name)) is not None:
            return program
    pytest.skip(f"{names[0]} is not installed: `apt-get install chromium chromium-driver`")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = _found("chromium", "chromium-browser")
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options=options, service=ChromeService(_found("chromedriver")))
    yield browser
    browser.quit()


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    told = [
        converse("Is it cold in Oslo?", "Yes: minus four."),
        stream("Tell a story", ["It was", " a dark", " night."], at_ms=[0, 40, 80, 130, 300, 320], after_ms=120),
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
        return str(self.script("return document.querySelector(arguments[0])?.textContent ?? ''", css))

    def shows(self, css: str, text: str) -> None:
        self.until(lambda: text in self.text(css), f"{text!r} in {css}")

    def rows(self, name: str) -> list[list[str]]:
        """The rows of a list that are in the document, as the texts of their cells."""
        code = "return [...document.querySelectorAll(arguments[0])].map(r => [...r.children].map(c => c.textContent))"
        found: list[list[str]] = self.script(code, f".{name} .rows-body .row")
        return found

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
            lambda: next((each for each in self.all(tag) if each.is_displayed() and each.text == text), None), text
        )


@pytest.fixture
def page(chromium: Chrome, bedrock: Replayer) -> Iterator[Page]:
    for log in ("browser", "performance"):
        chromium.get_log(log)
    page = Page(chromium, bedrock)
    page.open()
    yield page
    errors = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    asked = {
        message["params"]["request"]["url"]
        for entry in chromium.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"] == "Network.requestWillBeSent"
    }
    chromium.get("about:blank")
    assert errors == []
    own = re.compile(f"{re.escape(bedrock.url)}(/s/[^/]+)?/_bedtape(/|$)|data:|about:|chrome:")
    assert {url for url in asked if not own.match(url)} == set()


def say(bedrock: Replayer, text: str, session: str = "default", model: str = MODEL, **more: Any) -> str:
    client = boto3_client(bedrock.session_url(session), retries={"total_max_attempts": 3, "mode": "standard"})
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


# -- the list --------------------------------------------------------------------------------------------------


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
    assert [first[at] for at in (0, 2, 3, 4, 5, 9)] == ["1", "default", "Converse", MODEL, "200", "Is it cold in Oslo?"]
    assert first[7].startswith("weather/0001")
    assert (second[2], second[5], second[7]) == ("other", "400 CassetteMissException", "miss")
    assert page.text(".count") == "2 calls"


# Tells of every timer whether it is still to come, so that a test need not wait to see that nothing does.
_TIMERS = """
const [set, clear, pending] = [window.setTimeout, window.clearTimeout, new Set()];
window.pending = pending;
window.setTimeout = (act, ...more) => {
  const id = set((...given) => { pending.delete(id); act(...given); }, ...more);
  pending.add(id);
  return id;
};
window.clearTimeout = (id) => { pending.delete(id); clear(id); };
"""


def test_paused_it_stands_still(page: Page, bedrock: Replayer) -> None:
    told = page.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _TIMERS})
    try:
        page.open()
        page.until(lambda: page.script("return pending.size") == 1)
        page.button("Live").click()
        page.shows(".state", "paused")
        assert page.one("#live").get_attribute("aria-pressed") == "false"
        assert page.script("return pending.size") == 0
        say(bedrock, "Is it cold in Oslo?")
        assert page.rows("calls") == []
        page.press("p")
        page.until(lambda: len(page.rows("calls")) == 1)
        page.until(lambda: page.script("return pending.size") == 1)
    finally:
        page.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", told)


def test_a_server_that_is_gone_is_said(chromium: Chrome, bedrock: Replayer) -> None:
    """Not with `page`: browsers log that nobody answers."""
    page = Page(chromium, bedrock)
    page.open()
    page.shows(".state", "live")
    bedrock.stop()
    page.shows(".state", "cannot ask the server")
    chromium.get("about:blank")


@pytest.mark.parametrize("place", ["#/nosuch", "#/calls/%", "#%", "#/calls/default/1/more", "?x=1#/sessions"])
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


# -- one call --------------------------------------------------------------------------------------------------


def test_one_call_in_full(page: Page, bedrock: Replayer) -> None:
    bedrock.respond(text="Let me look.", tool={"name": "get_weather", "input": {"city": "Lyon"}}, name="lyon")
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}
    system, config = [{"text": "Be kind."}], {"temperature": 0.25}
    say(bedrock, "How is Lyon?", toolConfig=tools, system=system, inferenceConfig=config)
    page.click("#calls-0")
    page.shows(".whole h2", "Call 1 of default")
    shown = page.one(".whole").text
    for text in ("Be kind.", "How is Lyon?", "0.25", "Let me look.", "calls get_weather", '"city": "Lyon"', "tool_use"):
        assert text in shown, text
    assert "rule lyon. This rule was the first that took the call." in shown
    page.unfold("lyon, as it was laid")
    page.shows(".whole", '"name": "lyon"')
    page.unfold("Request body")
    page.shows("pre[aria-label='Request body']", '"inputSchema"')


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
    assert picture.get_attribute("aria-label") == (
        "Timeline of the stream: 6 events; the head after 120 ms, the last event due at 440 ms"
    )
    bars = page.all(".picture rect:not(.waiting)")
    assert len(bars) == 6
    places = [bar.rect["x"] for bar in bars]
    assert places == sorted(places)
    assert places[0] > picture.rect["x"] + picture.rect["width"] / 5  # the head took its time
    page.unfold("All events")
    page.shows(".events", " a dark")
    kinds = [cell.text for cell in page.all(".events td:nth-child(4)")]
    assert kinds == ["messageStart", *["contentBlockDelta"] * 3, "contentBlockStop", "messageStop"]
    page.shows(".turn.model .said", "It was a dark night.")


def test_what_never_went_out_is_told_from_what_did(page: Page, bedrock: Replayer) -> None:
    """A client that went after three events, and a stream that a fault cut."""

    def leave() -> None:
        answer = bedrock.engine.answer("POST", path("converse-stream"), Head.of(()), prompt("Tell a story"))
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
    assert ["messages[0].content[0].text", '"Is it cold in Rome?"', '"Is it cold in Oslo?"'] in differing
    assert ["inferenceConfig", '{"maxTokens":5}', "not in the recording"] in differing
    lines = page.script(
        "return [...document.querySelectorAll('.sides tbody tr')].map(r => [...r.cells].map(c => c.firstChild?.data?.trim() ?? null))"
    )
    assert ['"text": "Is it cold in Rome?"', '"text": "Is it cold in Oslo?"'] in lines
    assert ['"role": "user",', '"role": "user",'] in lines
    assert ['"maxTokens": 5', None] in lines


# -- sessions, rules, faults, cassettes ------------------------------------------------------------------------


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
    ("document", "said"), [('{"answer": {"text": 1}, "times": 0}', ("answer.text", "times")), ("{", ("expected JSON",))]
)
def test_what_is_no_rule_is_said(page: Page, bedrock: Replayer, document: str, said: tuple[str, ...]) -> None:
    """With every problem; a refusal is an answer, which browsers still log as an error."""
    page.open("#/sessions/default")
    field = page.one("#layer-document")
    field.clear()
    field.send_keys(document)
    page.button("Add it").click()
    for text in said:
        page.shows("#layer-wrong", text)
    refused = [entry for entry in page.browser.get_log("browser") if "400 (Bad Request)" not in entry["message"]]
    assert refused == []


def test_a_session_is_set(page: Page, bedrock: Replayer) -> None:
    page.click("nav a[data-view='sessions']")
    page.one('[aria-label="A session\'s name"]').send_keys("tests/poet", Keys.ENTER)
    page.choose("#session-cassette", "poems")
    page.choose("#session-strict", "each recording once")
    page.button("Save").click()
    page.until(lambda: page.text("#said") == "saved")
    assert say(bedrock, "Write a poem", "tests/poet") == "Roses are red."
    assert "--strict does not play it again" in say(bedrock, "Write a poem", "tests/poet")
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
    page.until(lambda: [row[:2] for row in page.rows("cassettes")] == [["poems", "1"], ["weather", "2"]])
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


# -- keys, screen readers, light and dark ----------------------------------------------------------------------


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
    page.until(lambda: page.one("nav a[data-view='sessions']").get_attribute("aria-current") == "page")
    page.press("3")
    page.until(lambda: page.one("nav a[data-view='cassettes']").get_attribute("aria-current") == "page")
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
            page.script("const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]")
        )
    assert seen == [["solid", "2px"]] * 10


PLACES = ["#/calls", "#/calls/default/1", "#/calls/default/2", "#/sessions/default", "#/cassettes/weather"]


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
    found = set()
    for place in PLACES:
        page.open(place)
        page.one(".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row")
        for node in page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
            role = node.get("role", {}).get("value")
            if role in used and not node.get("ignored"):
                assert node["name"]["value"].strip(), (place, node)
                found.add(role)
    assert found >= {"button", "link", "combobox", "grid", "textbox", "searchbox", "image", "table"}


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
            page.one(".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row")
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


def test_it_fits_a_narrow_window(page: Page, bedrock: Replayer) -> None:
    filled(page, bedrock)
    page.browser.set_window_size(500, 800)
    try:
        for place in PLACES:
            page.open(place)
            page.one(".whole" if place.count("/") > 1 and "cassettes" not in place else ".rows-body .row")
            code = "return [document.documentElement, document.querySelector('.detail')].map(e => e.scrollWidth - e.clientWidth)"
            assert page.script(code) == [0, 0], place
    finally:
        page.browser.set_window_size(1300, 900)


# -- hostile text ----------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><svg onload='window.hacked = 3'>"
    "<a href=\"javascript:window.hacked = 4\">x</a><iframe srcdoc='<script>parent.hacked = 5</script>'></iframe>"
    "</pre></title><style>*{display:none}</style>{{7*7}}${7*7}\u202e"
)


HOSTILE_SESSION = f"s{HOSTILE[:60]}"
HOSTILE_FILE = "evil/<img src=x onerror=window.hacked=6>.yaml"


def place(*parts: str) -> str:
    return "#/" + "/".join(quote(part, safe="") for part in parts)


def haunt(bedrock: Replayer) -> None:
    """Text of others wherever there can be some: prompts, tools, models, sessions, headers, errors, answers, files."""
    model, evil = f"anthropic.claude-{HOSTILE[:40]}", bedrock.session(HOSTILE_SESSION)
    evil.respond(text=HOSTILE, tool={"name": HOSTILE[:60], "input": {HOSTILE: HOSTILE}}, reasoning=HOSTILE, times=2)
    evil.fail("ValidationException", message=HOSTILE, times=1)
    tools = {"tools": [{"toolSpec": {"name": HOSTILE, "inputSchema": {"json": {}}}}]}
    body = {**ask(HOSTILE), "system": [{"text": HOSTILE}], "toolConfig": tools}
    body["inferenceConfig"] = {"stopSequences": [HOSTILE]}

    def send(number: int, operation: str) -> None:
        told = (*aws("i", number), ("x-bedtape-session", HOSTILE_SESSION), ("x-evil", HOSTILE[:-1]))
        head = Head.of(tuple((name.encode(), value.encode("latin-1")) for name, value in told))
        answer = bedrock.engine.answer("POST", path(operation, model), head, json.dumps(body).encode())
        bedrock.engine.finish(Outcome(answer, BEGAN + number, 0.1, True, len(answer.reply.pieces)))

    for number, operation in enumerate(("converse", "converse", "converse-stream", "converse"), 1):
        bedrock.run(lambda number=number, operation=operation: send(number, operation))
    recording = replace(converse(HOSTILE, HOSTILE, model=model), file=HOSTILE_FILE)
    library = Library([Cassette("evil", (recording,))])
    bedrock.run(lambda: setattr(bedrock.engine, "library", library))


# Where it is shown, what is there when it is, and what is then to be read: as it is, and as JSON has it.
HAUNTED = [
    *((place("calls", HOSTILE_SESSION, str(number)), ".whole", HOSTILE) for number in (1, 2, 3, 4)),
    (place("calls"), "#calls-3", HOSTILE[:160]),
    (place("calls", HOSTILE), ".count", "0 of 4 calls"),
    (place("sessions", HOSTILE_SESSION), ".layers table", json.dumps(HOSTILE, ensure_ascii=False)[1:-1]),
    (place("cassettes", "evil", HOSTILE_FILE), ".whole", json.dumps(HOSTILE, ensure_ascii=False)[1:-1]),
    (place("cassettes", "evil", HOSTILE), "#recordings-0", HOSTILE_FILE),
]
# Elements and attributes that the page itself never makes.
_MADE = "script:not([src='inspector/app.js']), img, iframe, body style, object, embed, [onerror], [onload], [srcdoc], a[href^='javascript']"


def test_hostile_text_is_text(page: Page, bedrock: Replayer) -> None:
    haunt(bedrock)
    for where, there, read in HAUNTED:
        page.open(where)
        page.one(there)
        page.script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        unfolded = "return [...document.querySelectorAll('details')].every((each) => each.children.length > 1)"
        page.until(lambda code=unfolded: page.script(code))
        page.shows("main", read)
        assert page.all(_MADE) == [], where
        assert page.script("return window.hacked ?? null") is None, where


def test_script_could_not_run_if_it_got_in(page: Page) -> None:
    """The policy is the second lock: inline script, handlers and other hosts are refused by the browser."""
    page.script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s);"
        "const b = document.createElement('button'); b.setAttribute('onclick', 'window.hacked = 2');"
        "document.body.append(b); b.click();"
    )
    assert page.script("return window.hacked ?? null") is None
    sent = "const [url, done] = arguments; fetch(url).then(() => done('sent'), () => done('refused'))"
    assert page.browser.execute_async_script(sent, "http://localhost:9/") == "refused"
    refused = [entry["message"] for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert len(refused) >= 3
    assert all("Content Security Policy" in message for message in refused)


# -- a token ---------------------------------------------------------------------------------------------------


def test_the_page_asks_for_the_token(chromium: Chrome, bedrock: Replayer) -> None:
    """Not with `page`: browsers log the 401 by which it learns that it needs one."""
    say(bedrock, "Is it cold in Oslo?")
    bedrock.run(lambda: setattr(bedrock.engine, "control", Gate(bedrock.engine, "the-right-token-of-all")))
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
        "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert "the-right-token" not in kept
    page.open()
    page.until(lambda: page.one("#ask").is_displayed())
    chromium.get("about:blank")
    logged = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    assert [message for message in logged if "401" not in message] == []
