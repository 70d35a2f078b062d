"""The generated parts of the pages are what `python docs/generate` writes, and its
tables leave nothing out.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "<!-- generated: " in path.read_text()]


@pytest.fixture(scope="module")
def regions() -> Iterator[ModuleType]:
    """The generator, which is no package: its files stand beside each other."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(DOCS / "generate"))
    before = set(sys.modules)
    import regions

    yield regions
    patch.undo()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(DOCS)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_up_to_date(page: Path, regions: ModuleType) -> None:
    assert regions.fill(page.read_text(), page.name) == page.read_text(), "run `make fix`"


def test_an_unknown_part_is_refused(regions: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"expected one of .*, found generated: 'nothing'"):
        regions.fill("<!-- generated: nothing -->\n<!-- end -->", "page.md")


def test_every_writer_is_used(regions: ModuleType) -> None:
    used = {
        word for page in PAGES for word in re.findall(r"<!-- generated: (\S+)", page.read_text())
    }
    assert used == set(regions.WRITERS)


def test_text_beside_the_help_describes_an_existing_option(regions: ModuleType) -> None:
    line = regions.command_line
    for words, option in {*line.MORE, *line.DEFAULTS}:
        known = {
            name.opts[0] for name in line._list_options(line._find_command(tuple(words.split())))
        }
        assert option in known, (words, option)


def test_the_texts_for_coding_agents_are_up_to_date(regions: ModuleType) -> None:
    assert regions  # its fixture finds the modules of the generator
    import agents

    for file, text in agents.texts().items():
        assert file.read_text() == text, f"{file.name}: run `make fix`"
    links = re.findall(r"\]\(([\w/-]+)\.html\)", agents.LLMS.read_text())
    index = re.findall(
        r"^- \[[^]]+\]\(([\w/-]+)\.md\)", (DOCS / "index.md").read_text(), re.MULTILINE
    )
    assert links == ["reference/guide", *index]
