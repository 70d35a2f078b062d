"""Makes the pictures of docs/reference/inspector.md: `python docs/generate/screenshots.py`.

It needs Chromium.

The calls are real ones to a server in this process. Each picture is the page in the light
theme, 1280 pixels wide.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from support.boto import boto3_client
from support.folders import write
from support.recordings import MODEL, converse, path, prompt, stream

IMAGES = (
    Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "reference" / "images"
)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
_STORY = ["It was", " a dark", " and", " stormy", " night;", " the rain", " fell."]


def fill(bedrock: Replayer) -> HTTPConnection:
    """Make the calls of the pictures. Return the connection of a call that hangs."""
    mail, agent = "tests/test_mail.py::test_refund", "tests/test_agent.py::test_story"
    bedrock.session(mail).fail("ThrottlingException", times=2)
    bedrock.session(mail).respond("refund", text="Which order is it?")
    bedrock.session(agent).respond(
        "weather",
        tool={"name": "get_weather", "input": {"city": "Oslo"}},
        allow_unoffered_tools=True,
    )
    ask(bedrock, mail, "I want a refund")
    ask(bedrock, agent, "How is the weather in Oslo?")
    ask(bedrock, agent, "Is it cold in Oslo?")
    ask(bedrock, mail, "Is it cold in Rome?")
    tell(bedrock, agent)
    bedrock.session(agent).fault(stall={"after_events": 4})
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    prefix = bedrock.session_url(agent).removeprefix(bedrock.url)
    connection.request("POST", f"{prefix}{path('converse-stream')}", prompt("Tell a story"))
    connection.getresponse().read(10)
    return connection


def ask(bedrock: Replayer, session: str, text: str) -> None:
    client = boto3_client(
        bedrock.session_url(session), retries={"total_max_attempts": 3, "mode": "standard"}
    )
    messages: Any = [{"role": "user", "content": [{"text": text}]}]
    try:
        client.converse(modelId=MODEL, messages=messages)
    except client.exceptions.ClientError:
        return


def tell(bedrock: Replayer, session: str) -> None:
    messages: Any = [{"role": "user", "content": [{"text": "Tell a story"}]}]
    list(
        boto3_client(bedrock.session_url(session)).converse_stream(
            modelId=MODEL, messages=messages
        )["stream"]
    )


def open_browser(folder: Path, width: int = 1280, height: int = 620) -> Chrome:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("expected chromium, found none")
    for flag in (*_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={folder}"):
        options.add_argument(flag)
    return Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        answers = (
            converse("Is it cold in Oslo?", "Yes: minus four."),
            stream("Tell a story", _STORY, after_ms=90),
        )
        write(folder / "cassettes", Cassette("weather", answers))
        with Replayer(folder / "cassettes", speed=1.0) as bedrock:
            connection = fill(bedrock)
            browser = open_browser(folder / "chromium")
            try:
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _METRICS)
                shoot(browser, bedrock, IMAGES)
            finally:
                browser.quit()
                connection.close()


_METRICS = {"width": 1280, "height": 560, "deviceScaleFactor": 1, "mobile": False}


def shoot(browser: Chrome, bedrock: Replayer, images: Path, theme: str = "light") -> None:
    """Save a picture of each view."""

    def until(met: Callable[[], Any]) -> None:
        WebDriverWait(browser, 60, 0.05).until(lambda _: met())

    def show(place: str, css: str, script: str = "") -> None:
        browser.get("about:blank")
        browser.get(f"{bedrock.url}/_bedtape/{place}")
        browser.execute_script(f"document.documentElement.dataset.theme = {theme!r}")
        until(lambda: browser.execute_script("return !!document.querySelector(arguments[0])", css))
        browser.execute_script(script)

    images.mkdir(exist_ok=True)
    mail = "tests%2Ftest_mail.py%3A%3Atest_refund"
    for name, place, css, script in (
        ("calls", "#/calls", ".calls .rows-body .row", ""),
        (
            "timeline",
            "#/calls",
            ".calls .rows-body .row",
            (
                "[...document.querySelectorAll('button')].find((b) => b.textContent ==="
                " 'Timeline').click()"
            ),
        ),
        ("miss", f"#/calls/{mail}/4", ".whole", ""),
    ):
        show(place, css, script)
        browser.save_screenshot(str(images / f"inspector-{name}.png"))


if __name__ == "__main__":
    main()
