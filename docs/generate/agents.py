"""Two texts for coding agents: llms.txt of the site, and the guide inside the package."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
LLMS = DOCS / "llms.txt"
GUIDE = DOCS.parent / "replayer" / "bedtape_replayer" / "cli" / "guide.md"
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!^## ).*\n)*)", re.MULTILINE)
_ITEM = re.compile(r"^- \[([^]]+)\]\(([\w/-]+)\.md\): (.+(?:\n  .+)*)", re.MULTILINE)


def build_llms(index: str) -> str:
    """Return llms.txt (llmstxt.org): the summary of the index, and a link to each page of the site.

    The links are relative, because the site has no address yet.
    """
    paragraph = index.split("\n\n")[1].replace("\n", " ")
    summary = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", paragraph)
    parts = [f"# bedtape\n\n> {summary}\n\nStart with the [guide](reference/guide.html).\n"]
    for section in _SECTION.finditer(index):
        items = [
            f"- [{title}]({page}.html): {' '.join(text.split())}\n"
            for title, page, text in _ITEM.findall(section["body"])
        ]
        if items:
            parts.append(f"## {section['title']}\n\n{''.join(items)}")
    return "\n".join(parts)


def build_guide(page: str) -> str:
    """Return the page without the comments that tests read."""
    return re.sub(r"(?m)^<!--.*-->\n", "", page)


def texts() -> dict[Path, str]:
    """Both files and their text."""
    return {
        LLMS: build_llms((DOCS / "index.md").read_text()),
        GUIDE: build_guide((DOCS / "reference" / "guide.md").read_text()),
    }
