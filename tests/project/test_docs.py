"""The docs name everything there is and nothing else: commands, options, keys, make's targets, the ends of links."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli import main
from bedtape_cassettes.format import document

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    path for path in sorted(ROOT.glob("docs/**/*.md")) if "_build" not in path.parts
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        if re.match(r"https?://", target):
            continue
        end = page.parent / target if target else page
        assert end.exists(), target
        assert not anchor or anchor in _anchors(end.read_text()), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    """The headings as GitHub and the site name them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", t)).strip().lower().replace(" ", "-")
        for t in titles
    }


def test_make_targets_that_are_named_exist() -> None:
    known = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:`|^\$ )make ((?:\w+ ?)+)", page.read_text(), re.MULTILINE)
        for targets in named:
            assert set(targets.split("#")[0].split()) & known


def _help(*command: str) -> str:
    result = CliRunner().invoke(main.app, [*command, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
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
            assert re.search(rf"`(?:bedtape (?:{command} )?)?{name}\b", section), f"{command} {name}"
            for option in set(re.findall(r"^  (--[a-z][a-z-]*)", shown, re.MULTILINE)) - {"--help"}:
                assert f"`{option}" in section, f"{command} {name} {option}"


def test_every_documented_option_exists() -> None:
    for command, section in _sections().items():
        known = "".join(_helps(command).values())
        for option in re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE):
            assert option in known, f"{command} {option}"


def test_the_format_page_names_every_key() -> None:
    page = (ROOT / "docs" / "reference" / "cassettes.md").read_text()
    for keys in (document._TOP, document._REQUEST, document._RESPONSE, document._EVENT):
        for key in keys:
            assert re.search(rf"`(?:\w+\.)?{key}`", page) or key in ("request", "response"), key
