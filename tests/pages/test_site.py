"""The site that `make docs` builds: without a warning, whole in itself, and
with every page to be found.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from support import WAIT
from support.browser import start_chromium

pytest.importorskip("sphinx", reason="Sphinx is not installed: `make check` installs it")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# What a browser asks for by itself, as opposed to what a reader follows.
_LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


@dataclass
class _Seen(HTMLParser):
    """What a page of HTML names, loads, links to and shows."""

    ids: set[str] = field(default_factory=set)
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        by_name = {name: value or "" for name, value in attributes}
        if "id" in by_name:
            self.ids.add(by_name["id"])
        if tag in _LOADED and _LOADED[tag] in by_name:
            self.loads.append(by_name[_LOADED[tag]])
        if tag == "a" and "href" in by_name:
            self.links.append(by_name["href"])
        if tag == "img" and not by_name.get("alt", "").strip():
            self.silent.append(by_name.get("src", ""))


def _seen(page: Path) -> _Seen:
    seen = _Seen()
    seen.feed(page.read_text())
    return seen


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    command += ["--doctree-dir", str(folder / "read"), str(DOCS), str(folder / "html")]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Seen]:
    return {path: _seen(path) for path in site.rglob("*.html")}


def _ends(page: Path, seen: _Seen) -> Iterator[tuple[Path, str, str]]:
    """The links of a page that stay in the site: the page, the anchor, and
    the link as it is written.
    """
    for link in seen.links:
        parts = urlsplit(link)
        if not parts.scheme:
            yield (
                ((page.parent / unquote(parts.path)).resolve() if parts.path else page),
                unquote(parts.fragment),
                link,
            )


def test_every_link_and_every_anchor_is_there(pages: dict[Path, _Seen]) -> None:
    dead = [
        f"{page.name}: {link}"
        for page, seen in pages.items()
        for target, anchor, link in _ends(page, seen)
        if target not in pages or (anchor and anchor not in pages[target].ids)
    ]
    assert not dead


def test_a_page_asks_no_other_host_for_anything(site: Path, pages: dict[Path, _Seen]) -> None:
    assert not [
        (page.name, name)
        for page, seen in pages.items()
        for name in seen.loads
        if urlsplit(name).netloc
    ]
    styles = [
        path
        for path in site.rglob("*.css")
        if re.search(r"url\(['\"]?(?:https?:)?//|@import", path.read_text())
    ]
    assert not styles


def test_what_a_page_loads_is_there(pages: dict[Path, _Seen]) -> None:
    absent = [
        (page.name, name)
        for page, seen in pages.items()
        for name in seen.loads
        if not (page.parent / unquote(urlsplit(name).path)).exists()
    ]
    assert not absent


def test_every_picture_says_what_it_shows(pages: dict[Path, _Seen]) -> None:
    assert not [(page.name, name) for page, seen in pages.items() for name in seen.silent]


def test_every_page_can_be_found(site: Path) -> None:
    text = (site / "searchindex.js").read_text()
    pages = set(json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))["docnames"])
    sources = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert pages == {name for name in sources if not name.startswith("_build/")}


def test_the_index_leads_to_every_page() -> None:
    linked = set(
        re.findall(r"^- \[[^]]+\]\(([\w/-]+\.md)\)", (DOCS / "index.md").read_text(), re.MULTILINE)
    )
    pages = {
        path.relative_to(DOCS).as_posix()
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts
    }
    assert pages - linked == {"index.md"}


def test_the_changelog_is_the_repositorys(site: Path) -> None:
    newest = re.search(r"^- (.{20})", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1].split("`")[0] in (site / "changelog.html").read_text()


# What is outside the window, and does not scroll by itself: the page, or a part of it; and, in a
# wide window, tables that scroll.
OUTSIDE = """
const width = document.documentElement.clientWidth, outside = [];
for (const part of document.querySelectorAll("body, article *")) {
  if (part.closest("pre, .table-wrapper, svg")) continue;
  const right = Math.max(part.getBoundingClientRect().right, part === document.body ? part.scrollWidth : 0);
  if (right > width + 1) outside.push(part.tagName + " " + part.textContent.slice(0, 60));
}
for (const table of document.querySelectorAll(".table-wrapper table"))
  if (width > 1000 && table.offsetWidth > table.parentElement.clientWidth + 1)
    outside.push("TABLE " + table.textContent.slice(0, 60));
return outside;
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400])
def test_every_page_fits_the_window(
    width: int, site: Path, pages: dict[Path, _Seen], chromium: Chrome
) -> None:
    window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    outside: dict[str, list[str]] = {}
    for page in sorted(pages):
        chromium.get(page.as_uri())
        outside[str(page.relative_to(site))] = chromium.execute_script(OUTSIDE)
    assert not {page: parts for page, parts in outside.items() if parts}


@pytest.mark.slow
def test_the_search_finds_a_page_and_each_block_has_a_button(site: Path, chromium: Chrome) -> None:
    chromium.get((site / "search.html").as_uri() + "?q=throttling")
    WebDriverWait(chromium, WAIT).until(
        lambda browser: (
            "tutorial.html"
            in browser.find_element(By.ID, "search-results").get_attribute("innerHTML")
        )
    )
    chromium.get((site / "tutorial.html").as_uri())
    blocks = chromium.find_elements(By.CSS_SELECTOR, "div[class*='highlight-']")
    assert len(blocks) > 20
    assert len(chromium.find_elements(By.CSS_SELECTOR, "button.copy")) == len(blocks)


TERMINAL = """$ pip install bedtape
$ docker run --rm \\
> -e A=b image
$ cat <<END \\
  | sort
2 passed in 0.4s
bedtape: 1 played
$ bedtape demo
"""
COMMANDS = """pip install bedtape
docker run --rm \\
-e A=b image
cat <<END \\
  | sort
bedtape demo
"""


@pytest.mark.parametrize(
    ("text", "terminal", "copied"),
    [
        (TERMINAL, True, COMMANDS),
        ("bedtape: listening\n", True, "bedtape: listening\n"),
        ("$ is a sign\n", False, "$ is a sign\n"),
        ("a = 1\n> b\n", False, "a = 1\n> b\n"),
    ],
)
def test_a_button_copies_commands_without_prompts_and_output(
    text: str, terminal: bool, copied: str
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = (
        "const [file, text, terminal] = JSON.parse(require('fs').readFileSync(0));"
        "process.stdout.write(require(file)(text, terminal))"
    )
    given = json.dumps([str(DOCS / "_static" / "copy.js"), text, terminal])
    done = subprocess.run(["node", "-e", script], input=given, capture_output=True, text=True)
    assert done.stdout == copied, done.stderr


def test_llms_txt_is_on_the_site_and_its_links_lead_to_pages(site: Path) -> None:
    text = (site / "llms.txt").read_text()
    assert text.startswith("# bedtape\n\n> ")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 30
    assert not [link for link in links if not (site / link).is_file()]
