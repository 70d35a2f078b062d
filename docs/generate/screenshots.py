"""Makes the pictures of the inspector and of a report: `python docs/generate/screenshots.py`.

It needs Chromium and chromedriver.

The calls are real ones to a server in this process, and the report is that of a real run of pytest.
Each picture is a page of 1280 pixels in the light and in the dark theme, as WebP, which is a third
of the size of PNG.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeAlias

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located
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
        bedrock.session_url(session),
        retries={"total_max_attempts": 3, "mode": "standard"},
        user_agent="Boto3/1.44 lang/python#3.13",  # the usual one names this machine's kernel
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
                report = make_report(folder)
                for theme in ("light", "dark"):
                    shoot(browser, f"{bedrock.url}/_bedtape/", INSPECTOR, theme)
                    shoot(browser, report.as_uri(), REPORT, theme)
            finally:
                browser.quit()
                connection.close()


_MAIL = "tests%2Ftest_mail.py%3A%3Atest_refund"
_ROW = ".calls .rows-body .row"
_TIMELINE = (
    "[...document.querySelectorAll('button')].find((b) => b.textContent === 'Timeline').click()"
)
# The name of a picture, its height, its place, an element that must be there, and a script.
Picture: TypeAlias = tuple[str, int, str, str, str]
INSPECTOR: tuple[Picture, ...] = (
    ("inspector-calls", 360, "#/calls", _ROW, ""),
    ("inspector-timeline", 300, "#/calls", _ROW, _TIMELINE),
    ("inspector-miss", 700, f"#/calls/{_MAIL}/4", ".whole", ""),
)
REPORT: tuple[Picture, ...] = (("report", 560, "#/sessions", ".rows-body .row", ""),)


def make_report(folder: Path) -> Path:
    """Return the report of a run of pytest with a test that passes and tests that fail."""
    applications = Path(__file__).parents[2] / "tests" / "examples" / "applications"
    project = Path(shutil.copytree(applications / "rag_service", folder / "rag_service"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    subprocess.run(  # noqa: S603 - this interpreter
        [*command, "--bedtape-report=report.html", "-W", "ignore"],
        cwd=project,
        env={"PATH": "", "AWS_EC2_METADATA_DISABLED": "true"},
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return project / "report.html"


def shoot(browser: Chrome, url: str, pictures: Sequence[Picture], theme: str) -> None:
    """Save a picture of each view."""
    IMAGES.mkdir(exist_ok=True)
    for name, height, place, css, script in pictures:
        size = {"width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get("about:blank")
        browser.get(url + place)
        browser.execute_script(f"document.documentElement.dataset.theme = {theme!r}")
        WebDriverWait(browser, 60, 0.05).until(presence_of_element_located((By.CSS_SELECTOR, css)))
        browser.execute_script(script)
        picture = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "webp", "quality": 85}
        )
        (IMAGES / f"{name}-{theme}.webp").write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    main()
