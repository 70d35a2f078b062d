"""Chromium for tests, without a window."""

import shutil
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

_FLAGS = (
    *(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--window-size=1300,900", "--lang=en"),
)


def start_chromium(profile: Path) -> Chrome:
    """Starts a browser, which the caller ends with `quit`. Skips if it is not installed.

    profile: an empty folder for the browser's own files.
    """
    options = ChromeOptions()
    options.binary_location = _find("chromium", "chromium-browser")
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=ChromeService(_find("chromedriver")))


def _find(*names: str) -> str:
    for name in names:
        if (program := shutil.which(name)) is not None:
            return program
    pytest.skip(f"{names[0]} is not installed: `apt-get install chromium chromium-driver`")
