"""Every fenced block of every page is run or checked; what is not says why, and is counted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.pages import Page, read, run
from support.pages.running import is_run

ROOT = Path(__file__).parents[2]
PATHS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    path
    for path in sorted(ROOT.glob("docs/**/*.md"))
    if not {"_build", "generate"} & set(path.parts)
]
PAGES = [read(path, str(path.relative_to(ROOT))) for path in PATHS]


@pytest.mark.timeout(3600)  # a page has many commands
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_run, page.blocks))], ids=str)
def test_its_blocks_do_what_it_says(page: Page, tmp_path: Path) -> None:
    run(page, tmp_path)


def test_what_is_not_run_says_why(record_property: Callable[[str, object], None]) -> None:
    silent = [block for page in PAGES for block in page.blocks if not is_run(block)]
    assert not [block.where for block in silent if len(block.notes["not run"].split()) < 2]
    total = sum(len(page.blocks) for page in PAGES)
    record_property(
        "counted", f"documentation: {total - len(silent)} blocks of {total} are tests; the others:"
    )
    for block in silent:
        record_property(
            "counted", f"documentation: {block.where} is not run: {block.notes['not run']}"
        )
