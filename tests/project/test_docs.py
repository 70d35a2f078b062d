"""The docs name everything there is and nothing else: commands, options, keys, make's
targets, the ends of links.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli import main
from bedtape_cassettes.format import document_reader

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    path for path in sorted(ROOT.glob("docs/**/*.md")) if "_build" not in path.parts
]
# Pages beside the code, which are not on the site.
BESIDE = [
    ROOT / "SECURITY.md",
    *(
        path
        for folder in ("clients", "tests")
        for path in sorted((ROOT / folder).rglob("*.md"))
        if not {"node_modules", "target", "build", "dist"} & set(path.parts)
    ),
]


@pytest.mark.parametrize(
    "page", [*PAGES, *BESIDE], ids=lambda page: str(page.relative_to(ROOT)).replace("/", "-")
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if re.match(r"https?://", target):
            continue
        end = page.parent / target if target else page
        assert end.exists(), target
        assert not anchor or anchor in _anchors(end.read_text()), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    """The headings as GitHub and the site name them. A comment in a block is no heading."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", t))
        .strip()
        .lower()
        .replace(" ", "-")
        for t in titles
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_exist_for_both_themes_and_are_small(page: Path) -> None:
    text = page.read_text()
    dark = re.findall(r'srcset="([^"]+)"', text)
    light = re.findall(r'src="([^"]+)"', text)
    assert [name.replace("-dark.", "-light.") for name in dark] == light
    images = [*dark, *light, *re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)]
    for image in images:
        assert (page.parent / image).stat().st_size < 80_000, image


def test_each_question_has_an_answer_and_a_page() -> None:
    page = (ROOT / "docs" / "questions.md").read_text()
    rows = [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for row in page.splitlines()
        if row.startswith("| ") and not row.startswith("| question |")
    ]
    assert len(rows) >= 30
    for row in rows:
        assert len(row) == 3, row
        question, answer, pages = row
        assert question.endswith("?"), row
        assert answer, row
        assert re.fullmatch(r"(\[[^]]+\]\([^)]+\)(, )?)+", pages), row
    assert len({question for question, *_ in rows}) == len(rows)


def test_make_targets_that_are_named_exist() -> None:
    known = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:`|^\$ )make ((?:\w+ ?)+)", page.read_text(), re.MULTILINE)
        for targets in named:
            assert set(targets.split("#")[0].split()) & known


@pytest.mark.parametrize(
    "page", [*PAGES, *BESIDE], ids=lambda page: str(page.relative_to(ROOT)).replace("/", "-")
)
def test_prose_has_lines_of_100_columns(page: Path) -> None:
    """A word that is longer, such as an address, has a line of its own."""
    assert not [line for line in _list_prose(page) if len(line) > 100 and len(line.split()) > 1]


def _list_prose(page: Path) -> Iterator[str]:
    """Yields the lines of a page that are written by hand, without blocks, tables and images.

    A line in a list of the tested frameworks is as long as the list.
    """
    text = re.sub(r"(?ms)^<!-- generated: .*?^<!-- end -->$", "", page.read_text())
    text = re.sub(r"(?ms)^( *)```.*?^\1```$", "", text)
    lists = "- " if page.name == "compatibility.md" else "|"
    for line in text.splitlines():
        if not line.lstrip().startswith(("|", "<", lists)) and not re.match(r"!\[.*\)$", line):
            yield line


def _help(*command: str) -> str:
    result = CliRunner().invoke(
        main.app, [*command, "--help"], env={"COLUMNS": "100", "TERM": "dumb"}
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def _below(shown: str) -> list[str]:
    """The commands that a help lists, if it is a group's."""
    if "COMMAND [ARGS]..." not in shown:
        return []
    return re.findall(r"^  ([\w-]+)  +\S", shown.partition("\nOptions:")[0], re.MULTILINE)


def _helps(command: str) -> dict[str, str]:
    """The help of a command, or of each in a group, by name."""
    shown = _help(command)
    return {name: _help(command, name) for name in _below(shown)} or {command: shown}


def _sections() -> dict[str, str]:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    return {section.split("\n")[0]: section for section in page.split("\n## bedtape ")[1:]}


def test_every_command_and_option_is_documented() -> None:
    sections = _sections()
    for command in _below(_help()):
        assert command in sections, command
        section = sections[command]
        for name, shown in _helps(command).items():
            assert re.search(rf"`(?:bedtape (?:{command} )?)?{name}\b", section), (
                f"{command} {name}"
            )
            for option in set(re.findall(r"^  (--[a-z][a-z-]*)", shown, re.MULTILINE)) - {"--help"}:
                assert f"`{option}" in section, f"{command} {name} {option}"


def test_every_documented_option_exists() -> None:
    for command, section in _sections().items():
        known = "".join(_helps(command).values())
        for option in re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE):
            assert option in known, f"{command} {option}"


def test_the_format_page_names_every_key() -> None:
    page = (ROOT / "docs" / "reference" / "cassettes.md").read_text()
    for keys in (
        document_reader.TOP_KEYS,
        document_reader.REQUEST_KEYS,
        document_reader.RESPONSE_KEYS,
        document_reader.EVENT_KEYS,
    ):
        for key in keys:
            assert re.search(rf"`(?:\w+\.)?{key}`", page) or key in ("request", "response"), key


# First sentences of docstrings, and of sections of pages, that promise something with "only" or
# "never"; and the test that proves each. A sentence without a test is reworded.
PROVED = {
    "Real calls cost money and have side effects, so bedtape never makes one by accident.": (
        "tests/recorder/test_gate.py::test_behind_a_shut_gate_no_command_contacts_anybody"
    ),
    "**The gate.** `RUN_REAL_BEDROCK_TESTS=1` is an environment variable only.": (
        "tests/replayer/plugin/test_options.py::test_a_file_says_what_is_recorded_and_opens_no_gate"
    ),
}


def test_first_sentences_with_only_or_never_have_a_test() -> None:
    firsts = {
        " ".join(re.split(r"(?<=[.!?])\s|\n\n", text.strip())[0].split()) for text in _list_texts()
    }
    assert {first for first in firsts if re.search(r"(?i)(?<!-)\b(only|never)\b", first)} == set(
        PROVED
    )
    for test in PROVED.values():
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), test


def _list_texts() -> Iterator[str]:
    """Yields every docstring of the packages, and the text of every section of README and
    docs without its blocks.
    """
    for module in [
        path
        for package in ("cassettes", "recorder", "replayer")
        for path in (ROOT / package).rglob("*.py")
    ]:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""
    for page in PAGES:
        text = re.sub(
            r"^```.*?^```$|<!--.*?-->|^\|[^\n]*",
            "",
            page.read_text(),
            flags=re.MULTILINE | re.DOTALL,
        )
        sections = (
            re.split(r"^#+ .*$", text, flags=re.MULTILINE) if page.name != "CHANGELOG.md" else []
        )
        yield from (section.strip().removeprefix("- ") for section in sections)


def test_commands_of_the_reliability_page_exist() -> None:
    """The figures of the page are only as good as the commands that produce them."""
    page = (ROOT / "docs" / "reference" / "reliability.md").read_text()
    for tests in re.findall(r"^\$ \.venv/bin/pytest (.+)$", page, re.MULTILINE):
        for path, _, name in (test.partition("::") for test in tests.split()):
            assert not name or f"def {name}(" in (ROOT / path).read_text()
            assert (ROOT / path).is_file()
    for script in re.findall(r"^\$ \.venv/bin/python (\S+)", page, re.MULTILINE):
        assert (ROOT / script).is_file()
