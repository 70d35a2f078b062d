"""How long the inspector takes to list 10,000 calls in 1,200 sessions, in Chromium, from the
address to the drawn list.
"""

import shutil
from pathlib import Path
from statistics import median

import material
from measuring import Row
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from bedtape_replayer import Replayer
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head

ROUNDS, CALLS, SESSIONS, RECORDINGS = 7, 10_000, 1_200, 500
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1300,900",
)
_LISTED = """
const done = arguments[arguments.length - 1];
const look = () => (document.querySelector(".count")?.textContent === "10,000 calls"
  && document.querySelector(".calls .rows-body .row") ? done(performance.now()) : requestAnimationFrame(look));
look();
"""


def measure(work: Path) -> list[Row]:
    """Returns the row. Empty without Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        return []
    packed = work / "inspector.tape"
    material.write_tape(packed, material.plain(RECORDINGS))
    options = ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={work / 'chromium'}"):
        options.add_argument(flag)
    with Replayer(packed) as bedrock:
        bedrock.run(lambda: _fill(bedrock))
        browser = Chrome(options=options, service=ChromeService(driver))
        try:
            times = []
            for _ in range(ROUNDS):
                browser.get("about:blank")
                browser.get(f"{bedrock.url}/_bedtape/")
                times.append(browser.execute_async_script(_LISTED))
        finally:
            browser.quit()
    return [
        (
            "The inspector lists 10,000 calls in 1,200 sessions (target: 1 s)",
            f"{median(times) / 1000:.2f} s",
        )
    ]


def _fill(bedrock: Replayer) -> None:
    engine = bedrock.engine
    for number in range(CALLS):
        session = f"tests/test_mail.py::test_{number % SESSIONS}".encode()
        head = Head.of(((b"x-bedtape-session", session),))
        answer = engine.answer("POST", material.PATH, head, material.request(number % RECORDINGS))
        engine.finish(
            Outcome(answer, 1_795_000_000 + number / 1000, 0.001, True, answer.reply.count)
        )
