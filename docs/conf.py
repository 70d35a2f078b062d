"""How Sphinx builds the site: from the same Markdown that GitHub shows, with nothing in
it that asks another host.

The navigation is the lists of index.md. Pages link to each other as files, and to files outside
docs/ by their place in the repository, of which the site shows the name alone.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

project = "bedtape"
author = "The bedtape authors"
project_copyright = f"2026, {author}"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
version = release

extensions = ["myst_parser"]
exclude_patterns = ["_build", "generate"]
nitpicky = True
myst_heading_anchors = 4
# A block of a terminal is highlighted as such; the others say their language.
highlight_language = "text"
pygments_style = "friendly"
pygments_dark_style = "monokai"

html_theme = "furo"
html_title = "bedtape"
html_static_path = ["_static"]
html_extra_path = ["llms.txt"]
html_css_files = ["bedtape.css"]
html_js_files = ["copy.js"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"footer_icons": [], "navigation_with_keys": True}

# These are the repository's own.
_ELSEWHERE = {"changelog": ROOT / "CHANGELOG.md", "readme": ROOT / "README.md"}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^]]+)\]\((?P<path>[^)#:\s]+)(?P<part>#[^)]*)?\)")
_IMAGE = re.compile(r"!\[(?P<alt>[^]]+)\]\((?P<path>[^):\s]+)\)")
# A picture for each theme. GitHub chooses by the system's theme, the site by its own.
_PICTURE = re.compile(
    r"^<picture>\n<source [^>]*srcset=\"(?P<dark>[^\"]+)\">\n"
    r"<img alt=\"(?P<alt>[^\"]+)\" src=\"(?P<light>[^\"]+)\">\n</picture>$",
    re.MULTILINE,
)
_LIST = re.compile(r"^## (?P<caption>.+)\n(?P<body>(?:(?!^## ).*\n)*)", re.MULTILINE)
_ITEM = re.compile(r"^- \[(?P<title>[^]]+)\]\((?P<page>[\w/-]+)\.md\)", re.MULTILINE)


def _navigation(index: str) -> str:
    """The lists of the index as tables of contents that only the side bar shows."""
    parts = []
    for part in _LIST.finditer(index):
        pages = "\n".join(f"{title} <{page}>" for title, page in _ITEM.findall(part["body"]))
        if pages:
            parts.append(f"```{{toctree}}\n:hidden:\n:caption: {part['caption']}\n\n{pages}\n```\n")
    return "\n".join(parts)


def _resolve_links(text: str, page: Path) -> str:
    """The page's text with links out of docs/ as what they lead to: a page that the site has
    too, or a place by its name.
    """

    def instead(link: re.Match[str]) -> str:
        path = (page.parent / link["path"]).resolve()
        name = next((name for name, source in _ELSEWHERE.items() if source == path), None)
        if name is not None or path.is_relative_to(DOCS):
            name = name or str(path.relative_to(DOCS).with_suffix(""))
            return f"[{link['text']}](/{name}.md{link['part'] or ''})"
        place = path.parent if path.name == "README.md" else path
        name = f"`{place.relative_to(ROOT)}`"
        if link["text"].strip("`") == name.strip("`"):
            return f"{name} of the repository"
        return f"{link['text']} ({name} in the repository)"

    def place_image(image: re.Match[str]) -> str:
        path = (page.parent / image["path"]).resolve().relative_to(DOCS)
        return f"![{image['alt']}](/{path})"

    def choose_theme(picture: re.Match[str]) -> str:
        return "\n".join(
            f"```{{image}} {picture[theme]}\n:alt: {picture['alt']}\n:class: only-{theme}\n```\n"
            for theme in ("light", "dark")
        )

    return _PICTURE.sub(choose_theme, _IMAGE.sub(place_image, _LINK.sub(instead, text)))


def _read(_: Sphinx, name: str, source: list[str]) -> None:
    page = _ELSEWHERE.get(name, DOCS / f"{name}.md")
    source[0] = _resolve_links(page.read_text(), page)
    if name == "index":
        source[0] += "\n" + _navigation(page.read_text())


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
